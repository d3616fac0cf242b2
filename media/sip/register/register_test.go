package register_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/media/sip/register"
)

func half() float64 { return 0.5 }

func start(t *testing.T) (*register.Machine, time.Time) {
	t.Helper()
	m, now := register.New(100*time.Second, half), time.Unix(1_000_000, 0)
	require.Equal(t, register.Do{Send: true, Expires: 100 * time.Second}, m.Start(now))
	require.Equal(t, register.Trying, m.Status().Phase)
	return m, now
}

// The life of a good registration: challenged, registered, refreshed before it
// ends, taken back.
func TestGoodLife(t *testing.T) {
	m, now := start(t)
	require.Equal(t, register.Do{Send: true, Expires: 100 * time.Second, Auth: true}, m.Answer(now, register.Answer{Code: 401, Met: true}))
	do := m.Answer(now, register.Answer{Code: 200, Expires: 60 * time.Second})
	require.Equal(t, register.Do{At: now.Add(52500 * time.Millisecond)}, do, "between 85 and 90 % of what was given")
	require.Equal(t, register.Status{Phase: register.Registered, Until: now.Add(60 * time.Second), Next: do.At, Code: 200}, m.Status())
	require.Equal(t, register.Do{Send: true, Expires: 100 * time.Second}, m.Wake(do.At))
	require.Equal(t, register.Registered, m.Status().Phase, "calls come in while it is refreshed")
	m.Answer(do.At, register.Answer{Code: 200, Expires: 60 * time.Second})
	require.Equal(t, register.Do{Send: true}, m.Close(do.At), "expires 0 takes the binding back")
	require.Equal(t, register.Do{Send: true, Auth: true}, m.Answer(do.At, register.Answer{Code: 401, Met: true}))
	require.True(t, m.Answer(do.At, register.Answer{Code: 200}).Done)
	require.Equal(t, register.Gone, m.Status().Phase)
}

// What each final answer leads to.
func TestAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		answer register.Answer
		phase  register.Phase
		send   bool
		wait   time.Duration // until the next attempt, 0 for none
	}{
		"interval too brief":               {register.Answer{Code: 423, MinExpires: 300 * time.Second}, register.Trying, true, 0},
		"an interval that is no longer":    {register.Answer{Code: 423, MinExpires: 50 * time.Second}, register.Failed, false, 22500 * time.Millisecond},
		"an interval of years":             {register.Answer{Code: 423, MinExpires: 1 << 60}, register.Failed, false, 22500 * time.Millisecond},
		"no password":                      {register.Answer{Code: 401}, register.Refused, false, 0},
		"proxy without password":           {register.Answer{Code: 407}, register.Refused, false, 0},
		"forbidden":                        {register.Answer{Code: 403}, register.Refused, false, 0},
		"no such user":                     {register.Answer{Code: 404}, register.Refused, false, 0},
		"server fault":                     {register.Answer{Code: 500}, register.Failed, false, 22500 * time.Millisecond},
		"busy, come in two minutes":        {register.Answer{Code: 503, RetryAfter: 2 * time.Minute}, register.Failed, false, 2 * time.Minute},
		"moved, which we do not follow":    {register.Answer{Code: 302}, register.Failed, false, 22500 * time.Millisecond},
		"good without saying for how long": {register.Answer{Code: 200}, register.Registered, false, 87500 * time.Millisecond},
	} {
		m, now := start(t)
		do := m.Answer(now, test.answer)
		require.Equal(t, test.phase, m.Status().Phase, name)
		require.Equal(t, test.send, do.Send, name)
		if test.wait == 0 {
			require.True(t, do.At.IsZero(), name)
			continue
		}
		require.Equal(t, test.wait, do.At.Sub(now), name)
	}
}

// Failures are tried again ever more slowly, up to half an hour (RFC 5626 4.5).
func TestBackOff(t *testing.T) {
	m, now := start(t)
	var waits []time.Duration
	for range 10 {
		do := m.Fail(now, "no answer")
		waits = append(waits, do.At.Sub(now))
		now = do.At
		require.True(t, m.Wake(now).Send)
	}
	require.Equal(t, 22500*time.Millisecond, waits[0])
	for i := 1; i < 6; i++ {
		require.Equal(t, 2*waits[i-1], waits[i])
	}
	require.Equal(t, 22*time.Minute+30*time.Second, waits[9])
	require.Equal(t, 10, m.Status().Failures)
	require.Equal(t, "no answer", m.Status().LastError)
	m.Answer(now, register.Answer{Code: 200})
	require.Zero(t, m.Status().Failures)
	require.Empty(t, m.Status().LastError)
}

// A refresh that fails leaves the registration as it is while it lives, and is
// tried again before it ends.
func TestFailedRefresh(t *testing.T) {
	m, now := start(t)
	do := m.Answer(now, register.Answer{Code: 200, Expires: 300 * time.Second})
	until := m.Status().Until
	now = do.At
	m.Wake(now)
	for now.Before(until.Add(-4 * time.Second)) {
		do = m.Fail(now, "no answer")
		require.Equal(t, register.Registered, m.Status().Phase)
		require.True(t, do.At.Before(until), "the next try is before the end")
		now = do.At
		m.Wake(now)
	}
	m.Fail(until, "no answer")
	require.Equal(t, register.Failed, m.Status().Phase)
	require.True(t, m.Status().Until.IsZero())
}

// A lost connection is a lost registration, made anew at once.
func TestLostConnection(t *testing.T) {
	m, now := start(t)
	m.Answer(now, register.Answer{Code: 200, Expires: time.Hour})
	do := m.Lost(now)
	require.Equal(t, time.Second, do.At.Sub(now))
	require.Equal(t, register.Failed, m.Status().Phase)
	require.True(t, m.Wake(do.At).Send)
	require.False(t, m.Lost(now).Send, "a REGISTER in flight tells by itself")
}

// Closing before anything was registered takes nothing back.
func TestCloseWithoutBinding(t *testing.T) {
	m, now := start(t)
	require.Equal(t, register.Do{Done: true}, m.Close(now))
	m, now = start(t)
	m.Answer(now, register.Answer{Code: 403})
	require.Equal(t, register.Do{}, m.Wake(now), "who was refused does not ask again")
	require.Equal(t, register.Do{Done: true}, m.Close(now))
}

// Whatever a registrar says: a bounded number of requests in one attempt, no
// attempt in the past, nothing after the end.
func TestAnyRegistrar(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, now := register.New(time.Duration(rapid.Int64Range(-1, 1<<40).Draw(t, "expires")), half), time.Unix(1_000_000, 0)
		do, row, ended := m.Start(now), 0, false
		for range 60 {
			if ended && (do.Send || !do.At.IsZero()) {
				t.Fatalf("%+v after the end", do)
			}
			if do.Send {
				if row++; row > 5 {
					t.Fatal("requests without a pause")
				}
				if rapid.Bool().Draw(t, "answered") {
					do = m.Answer(now, register.Answer{
						Code: rapid.SampledFrom([]int{200, 302, 401, 403, 407, 423, 500, 503}).Draw(t, "code"), Met: rapid.Bool().Draw(t, "met"),
						Expires:    time.Duration(rapid.Int64().Draw(t, "given")),
						MinExpires: time.Duration(rapid.Int64().Draw(t, "min")), RetryAfter: time.Duration(rapid.Int64().Draw(t, "after")),
					})
				} else {
					do = m.Fail(now, "no answer")
				}
				ended = ended || do.Done
				continue
			}
			row = 0
			switch {
			case !do.At.IsZero():
				if do.At.Before(now) {
					t.Fatalf("next attempt %v ago", now.Sub(do.At))
				}
				now = do.At
				if rapid.Bool().Draw(t, "lost") {
					do = m.Lost(now)
				} else {
					do = m.Wake(now)
				}
			case !ended:
				do = m.Close(now)
				ended = do.Done
			default:
				return
			}
		}
	})
}
