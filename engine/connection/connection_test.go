package connection_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/connection"
	"flametree/engine/event"
	"flametree/engine/fault"
)

func saved(settings ...string) event.ConnectionSaved {
	s := event.ConnectionSaved{Name: "Head office", Secrets: []event.PrivatePair{{Key: "password", Value: event.P("wonder")}}}
	for _, pair := range append([]string{"domain=pbx.example.org", "user=100"}, settings...) {
		key, value, _ := strings.Cut(pair, "=")
		s.Settings = slices.DeleteFunc(s.Settings, func(p event.Pair) bool { return p.Key == key })
		s.Settings = append(s.Settings, event.Pair{Key: key, Value: value})
	}
	return s
}

// fold applies what a command came to.
func fold(t require.TestingT, s *connection.State, events []event.Event, err error) {
	require.NoError(t, err)
	for _, e := range events {
		s.Apply(event.Envelope{Seq: s.Seq + 1, Time: time.Unix(int64(s.Seq), 0), Body: e})
	}
}

func ready(t require.TestingT) *connection.State {
	s := new(connection.State)
	e, err := s.Create(event.ConnectionCreated{Type: "sip", Name: "Head office"})
	fold(t, s, e, err)
	e, err = s.Save(saved())
	fold(t, s, e, err)
	return s
}

func TestTheLifeOfAConnection(t *testing.T) {
	s := ready(t)
	require.Equal(t, uint64(1), s.Revision)
	require.Equal(t, "udp", s.Setting("transport"), "what is not set has its default")
	require.Equal(t, "wonder", s.Secret("password"))
	e, err := s.Start()
	fold(t, s, e, err)
	require.Equal(t, connection.Connecting, s.Report.State)
	fold(t, s, s.Told(event.ConnectionReported{State: connection.Registered}), nil)
	require.Empty(t, s.Told(event.ConnectionReported{State: connection.Registered}), "nothing new is no event")
	e, err = s.Attach("a1", true)
	fold(t, s, e, err)
	_, err = s.Attach("a2", true)
	require.ErrorIs(t, err, fault.Conflict)
	require.ErrorContains(t, err, `"a1"`)
	e, err = s.Attach("a2", false)
	fold(t, s, e, err)
	require.True(t, s.Uses("a2"))
	e, err = s.Detach("a1")
	fold(t, s, e, err)
	require.Empty(t, s.Inbound)
	_, err = s.Remove()
	require.ErrorIs(t, err, fault.Conflict, "what runs is not removed")
	e, err = s.Stop("maintenance")
	fold(t, s, e, err)
	require.Equal(t, connection.Down, s.Report.State)
	require.Empty(t, s.Told(event.ConnectionReported{State: connection.Failed}), "what comes late is of no account")
	e, err = s.Remove()
	fold(t, s, e, err)
	require.Empty(t, s.Secrets)
	_, err = s.Start()
	require.ErrorIs(t, err, fault.NotFound)
}

func TestASecretIsKeptUntilItIsChanged(t *testing.T) {
	s := ready(t)
	next := saved("caller_id=+442079460018")
	next.Secrets = nil
	e, err := s.Save(next)
	fold(t, s, e, err)
	require.Equal(t, "wonder", s.Secret("password"))
	next.Secrets = []event.PrivatePair{{Key: "password", Value: event.P("other")}}
	e, err = s.Save(next)
	fold(t, s, e, err)
	require.Equal(t, "other", s.Secret("password"))
}

func TestSettingsThatWillNotDo(t *testing.T) {
	for name, tt := range map[string]struct {
		in   event.ConnectionSaved
		want string
	}{
		"no domain":        {saved("domain="), "domain: is needed"},
		"no user":          {saved("user="), "user: is needed"},
		"a path":           {saved("domain=a/b"), "domain: must be a host"},
		"header injection": {saved("user=a\r\nVia: x"), "user: at most 1000 characters on one line"},
		"no transport":     {saved("transport=smoke"), "transport: must be one of udp, tcp, tls"},
		"no network":       {saved("sources=10.0.0.0/8,here"), `sources: "here" is neither`},
		"no codec":         {saved("codecs=opus,mp3"), `codecs: "mp3"`},
		"no prefix":        {saved("destinations=44"), `destinations: "44" is not a prefix`},
		"no number":        {saved("expires=soon"), "expires: must be a number"},
		"unknown":          {saved("colour=red"), "colour: there is no such setting"},
		"a shown secret":   {saved("password=x"), "password: there is no such setting"},
		"no password":      {func() event.ConnectionSaved { s := saved(); s.Secrets = nil; return s }(), "password: needed to register"},
	} {
		t.Run(name, func(t *testing.T) {
			s := new(connection.State)
			e, err := s.Create(event.ConnectionCreated{Type: "sip", Name: "x"})
			fold(t, s, e, err)
			_, err = s.Save(tt.in)
			require.ErrorIs(t, err, fault.Invalid)
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), "wonder")
		})
	}
	t.Run("a trunk needs no password", func(t *testing.T) {
		s := new(connection.State)
		e, err := s.Create(event.ConnectionCreated{Type: "sip", Name: "x"})
		fold(t, s, e, err)
		in := saved("register=false", "sources=192.0.2.0/24, 198.51.100.7")
		in.Secrets = nil
		_, err = s.Save(in)
		require.NoError(t, err)
	})
}

// TestAnyOrderOfCommands: at most one agent receives, and it uses the connection.
func TestAnyOrderOfCommands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := ready(t)
		for range rapid.IntRange(1, 30).Draw(t, "commands") {
			agent := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "agent")
			var e []event.Event
			var err error
			switch rapid.IntRange(0, 6).Draw(t, "command") {
			case 0:
				e, err = s.Attach(agent, rapid.Bool().Draw(t, "inbound"))
			case 1:
				e, err = s.Detach(agent)
			case 2:
				e, err = s.Start()
			case 3:
				e, err = s.Stop("")
			case 4:
				e = s.Told(event.ConnectionReported{State: connection.Failed, Code: 403})
			case 5:
				e, err = s.Save(saved())
			case 6:
				e, err = s.Remove()
			}
			if err == nil {
				fold(t, s, e, nil)
			}
			if s.Inbound != "" && !s.Uses(s.Inbound) {
				t.Fatal("the receiver does not use the connection")
			}
			if s.Removed && s.Running {
				t.Fatal("removed and running")
			}
		}
	})
}
