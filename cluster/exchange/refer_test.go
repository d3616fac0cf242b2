package exchange_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/engine/event"
	"flametree/media/sip"
)

// Whom the other end may have us call its connection says: nobody unless it lets
// it choose, and then whomever it may call itself.
func TestWhomTheOtherEndMayHaveUsCall(t *testing.T) {
	owner := actors.ID{Kind: event.CallStream, Tenant: bank, Name: "call-1"}
	for name, test := range map[string]struct {
		settings []string
		unowned  bool
		to       func(at string) string
		code     int
		want     string // Dialling.To; "" = as asked for
	}{
		"a number":                {settings: []string{"refer=true"}, to: func(at string) string { return "sip:101@" + at }},
		"a telephone":             {settings: []string{"refer=true"}, to: func(string) string { return "tel:+442079460018;phone-context=x" }, want: "+442079460018"},
		"off":                     {settings: []string{"refer=false"}, to: func(at string) string { return "sip:101@" + at }, code: 603},
		"not said":                {to: func(at string) string { return "sip:101@" + at }, code: 603},
		"a call of nobody":        {settings: []string{"refer=true"}, unowned: true, to: func(at string) string { return "sip:101@" + at }, code: 603},
		"a dear number":           {settings: []string{"refer=true"}, to: func(at string) string { return "sip:+449098790000@" + at }, code: 403},
		"a dear telephone":        {settings: []string{"refer=true"}, to: func(string) string { return "tel:+449098790000" }, code: 403},
		"a prefix that is not on": {settings: []string{"refer=true", "destinations=+44"}, to: func(string) string { return "tel:+15550100" }, code: 403},
		"a strange address":       {settings: []string{"refer=true"}, to: func(string) string { return "sip:101@192.0.2.9" }, code: 403},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPBX(t)
			h := newHouse(t, p, test.settings...)
			line, err := h.dial(t, "100", nil)
			require.NoError(t, err)
			if !test.unowned {
				owned, ok := line.(actors.Owned)
				require.True(t, ok)
				owned.Own(owner)
			}
			to := test.to(p.at())
			err = p.invites()[0].Call.Refer(t.Context(), to, sip.ReferOptions{By: "sip:dave@pbx"})
			h.mu.Lock()
			defer h.mu.Unlock()
			if test.code > 0 {
				var no *sip.NotTransferred
				require.ErrorAs(t, err, &no)
				require.Equal(t, test.code, no.Code)
				require.False(t, no.Accepted)
				require.Empty(t, h.asked)
				return
			}
			require.NoError(t, err)
			if test.want != "" {
				to = test.want
			}
			require.Equal(t, []actors.ID{owner}, h.owners)
			require.Equal(t, []actors.Dialling{{
				Tenant: bank, Connection: "c1", To: to, Referral: &actors.Referral{By: "<sip:dave@pbx>"},
			}}, h.asked)
		})
	}
}

// What is called because others asked carries what they said, and does not lead
// to ourselves.
func TestACallThatOthersAskedFor(t *testing.T) {
	p := newPBX(t)
	h := newHouse(t, p, "refer=true")
	line, err := h.dial(t, "101", func(d *actors.Dialling) { d.Referral = &actors.Referral{By: "<sip:dave@pbx>"} })
	require.NoError(t, err)
	line.Hangup("completed")
	_, err = h.dial(t, "sip:101@"+h.at.String(), func(d *actors.Dialling) { d.Referral = &actors.Referral{} })
	var no *sip.Refused
	require.ErrorAs(t, err, &no)
	require.Equal(t, 482, no.Code)
	_, err = h.dial(t, "101", func(d *actors.Dialling) {
		d.Referral = &actors.Referral{Replaces: "a;to-tag=b;from-tag=c"}
	})
	require.ErrorAs(t, err, &no)
	require.Equal(t, 603, no.Code, "the PBX here lets nobody be replaced, and was asked")
	require.Len(t, p.invites(), 1)
}
