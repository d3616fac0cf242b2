package connection_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/connection"
	"flametree/engine/event"
	"flametree/engine/fault"
)

const account = "AC0123456789abcdef0123456789abcdef"

func number(settings ...string) event.ConnectionSaved {
	s := event.ConnectionSaved{Name: "Twilio", Secrets: []event.PrivatePair{{Key: "auth_token", Value: event.P("hush")}}}
	all := append([]string{"account_sid=" + account, "phone_number=+442079460018"}, settings...)
	s.Settings = saved(all...).Settings[2:] // without domain and user
	return s
}

func TestAConnectionToTwilio(t *testing.T) {
	s := new(connection.State)
	e, err := s.Create(event.ConnectionCreated{Type: connection.Twilio, Name: "Twilio"})
	fold(t, s, e, err)
	e, err = s.Save(number())
	fold(t, s, e, err)
	for key, want := range map[string]string{
		"region": "us1", "edge": "ashburn", "speech": "twilio", "premium": "false", "phone_number": "+442079460018", "voice_model": "",
	} {
		require.Equal(t, want, s.Setting(key), key)
	}
	require.Equal(t, "hush", s.Secret("auth_token"))
	again := number("speech=ours", "region=ie1", "edge=dublin", "voice_model=Polly.Salli", "speech_model=googlev2_telephony")
	again.Secrets = nil
	e, err = s.Save(again)
	fold(t, s, e, err)
	require.Equal(t, "hush", s.Secret("auth_token"), "a secret is kept until it is changed")
	require.Equal(t, "ours", s.Setting("speech"))
}

func TestSettingsOfTwilioThatWillNotDo(t *testing.T) {
	for name, tt := range map[string]struct {
		in   event.ConnectionSaved
		want string
	}{
		"no account":          {number("account_sid="), "account_sid: is needed"},
		"a key's SID":         {number("account_sid=SK0123456789abcdef0123456789abcdef"), "account_sid: must be AC"},
		"a national number":   {number("phone_number=02079460018"), "phone_number: must be a number with its country code"},
		"a path for a region": {number("region=evil.example/"), "region: must be one of us1, ie1"},
		"a host for an edge":  {number("edge=evil.example"), "edge: must be the name of an edge"},
		"who speaks":          {number("speech=both"), "speech: must be one of twilio, ours"},
		"a setting of SIP":    {number("domain=pbx.example.org"), "domain: there is no such setting"},
		"no token":            {func() event.ConnectionSaved { s := number(); s.Secrets = nil; return s }(), "auth_token: is needed"},
		"a token shown":       {number("auth_token=hush"), "auth_token: there is no such setting"},
	} {
		t.Run(name, func(t *testing.T) {
			s := new(connection.State)
			e, err := s.Create(event.ConnectionCreated{Type: connection.Twilio, Name: "x"})
			fold(t, s, e, err)
			_, err = s.Save(tt.in)
			require.ErrorIs(t, err, fault.Invalid)
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), "hush")
		})
	}
	_, err := new(connection.State).Create(event.ConnectionCreated{Type: "smoke", Name: "x"})
	require.ErrorContains(t, err, "sip or twilio")
}
