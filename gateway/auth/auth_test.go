package auth_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/gateway/auth"
)

func TestBearer(t *testing.T) {
	for header, want := range map[string]string{
		"Bearer abc": "abc", "bearer abc": "abc", "  BEARER   abc  ": "abc", "Bearer a.b-c_d~e+f/g=": "a.b-c_d~e+f/g=",
		"": "", "abc": "", "Bearer": "", "Bearer ": "", "Basic abc": "", "Bearer a b": "", "Bearer a,b": "", "Bearer a\x00b": "",
		"Bearer ключ": "", "Bearer " + strings.Repeat("x", 513): "",
	} {
		got, ok := auth.Bearer(header)
		assert.Equal(t, want, got, header)
		assert.Equal(t, want != "", ok, header)
	}
}

func TestSubprotocol(t *testing.T) {
	for header, want := range map[string]string{
		"bearer, abc": "abc", "bearer,abc": "abc", "": "", "bearer": "", "bearer,": "", "chat, abc": "", "abc, bearer": "", "bearer, a, b": "",
	} {
		got, ok := auth.Subprotocol(header)
		assert.Equal(t, want, got, header)
		assert.Equal(t, want != "", ok, header)
	}
}

func FuzzCredentials(f *testing.F) {
	f.Add("Bearer abc")
	f.Add("bearer, abc")
	f.Fuzz(func(t *testing.T, s string) {
		for _, read := range []func(string) (string, bool){auth.Bearer, auth.Subprotocol} {
			token, ok := read(s)
			if ok != (token != "") || strings.ContainsAny(token, " ,\r\n\x00") {
				t.Fatalf("%q gave %q, %v", s, token, ok)
			}
		}
	})
}

func TestATicketIsGoodOnceAndForAMinute(t *testing.T) {
	var tickets auth.Tickets
	now := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	want := auth.Grant{Agent: auth.Agent{ID: "a"}, Session: "s"}
	k, err := tickets.Issue(now, want)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, len(k), 43, "256 bits")
	got, err := tickets.Redeem(now.Add(time.Minute-time.Nanosecond), k)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	_, err = tickets.Redeem(now, k)
	assert.ErrorIs(t, err, fault.Denied, "used")

	k, err = tickets.Issue(now, want)
	require.NoError(t, err)
	_, err = tickets.Redeem(now.Add(time.Minute), k)
	assert.ErrorIs(t, err, fault.Denied, "expired")
	_, err = tickets.Redeem(now, k)
	assert.ErrorIs(t, err, fault.Denied, "an expired one does not come back")
	_, err = tickets.Redeem(now, "")
	assert.ErrorIs(t, err, fault.Denied)
}

func TestTicketsAreBounded(t *testing.T) {
	var tickets auth.Tickets
	now := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	seen := map[string]bool{}
	var err error
	for i := 0; err == nil; i++ {
		require.Less(t, i, 30_000)
		var k string
		k, err = tickets.Issue(now, auth.Grant{Session: fmt.Sprint(i)})
		require.False(t, seen[k], "tickets differ")
		seen[k] = true
	}
	assert.ErrorIs(t, err, fault.Exhausted)
	_, err = tickets.Issue(now.Add(time.Minute), auth.Grant{})
	assert.NoError(t, err, "what has expired makes room")
}
