package ws

import (
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"flametree/engine/fault"
)

func FuzzFrame(f *testing.F) {
	for _, s := range []string{
		`{"type":"message","client_id":"c","text":"hi","attachments":[]}`, `{"type":"resume","last_seq":18446744073709551615}`,
		`{"type":"ping"}`, `{"type":"typing"}`, `{"type":"stop"}`, `{}`, `[]`, `null`, `{"type":"message","text":"\u0000"}`,
		`{"type":"resume","last_seq":1e3}`, "\xff", `{"TYPE":"ping"}`, `{"type":"message","text":"a","text":"b"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := parse(b)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%q: %v is not invalid", b, err)
			}
			return
		}
		switch in.Type {
		case InMessage, InTyping, InStop, InPing, InResume:
		default:
			t.Fatalf("%q passed as %q", b, in.Type)
		}
		if !utf8.ValidString(in.Text) || !utf8.ValidString(in.ClientID) || len(in.ClientID) > 128 {
			t.Fatalf("%q passed", b)
		}
	})
}

func TestAllowance(t *testing.T) {
	now := time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)
	a := allowance{each: 2}
	assert.True(t, a.take(now))
	assert.True(t, a.take(now.Add(time.Millisecond)))
	assert.False(t, a.take(now.Add(2*time.Millisecond)))
	assert.True(t, a.take(now.Add(time.Second)), "a new second")
}
