// Package register is the life of one SIP registration (RFC 3261 10, RFC 5626
// 4.5): when to send REGISTER, what its answer means, when to try again and when
// to give up. It is a pure machine: facts with their time go in, what to do comes
// out. It sends nothing, starts no timer and holds no password.
package register

import (
	"fmt"
	"time"
)

// Phase is where a registration stands.
type Phase string

// The phases. Refused is an end: the registrar said no, and asking again would
// only lock the account.
const (
	Idle       Phase = "idle"
	Trying     Phase = "trying"
	Registered Phase = "registered"
	Failed     Phase = "failed"
	Refused    Phase = "refused"
	Leaving    Phase = "leaving"
	Gone       Phase = "gone"
)

// Limits of what a registrar may ask for and what we ask for ourselves.
const (
	Shortest = 10 * time.Second
	Longest  = 24 * time.Hour
	// waitBase and waitMost bound the time between attempts (RFC 5626 4.5).
	waitBase = 30 * time.Second
	waitMost = 30 * time.Minute
	// mostRounds bounds the requests of one attempt: a challenge, a stale nonce, a
	// longer interval, and one more.
	mostRounds = 4
)

// Status is what is to be seen of a registration.
type Status struct {
	Phase     Phase
	Until     time.Time // registered until then; zero when not
	Next      time.Time // of the next attempt or refresh; zero when none is planned
	LastError string    // of the last attempt that failed, "" after a good one
	Code      int       // of the last final response, 0 without one
	Failures  int       // attempts that failed one after the other
}

// Answer is a final response to REGISTER.
type Answer struct {
	Code       int
	Reason     string
	Expires    time.Duration // of our binding; what we asked for when not said
	MinExpires time.Duration // of 423
	RetryAfter time.Duration
	// Met says that a challenge can be met: there is a password for its realm, and
	// the nonce is new or stale.
	Met bool
}

// Do is what a fact leads to. When Send is set one REGISTER goes out, and its
// answer or failure is the next fact beside Close. Otherwise Wake is called At.
type Do struct {
	Send    bool
	Expires time.Duration // of the REGISTER; 0 takes the binding back
	Auth    bool          // with credentials for the challenge just answered
	At      time.Time     // zero: never
	Done    bool          // nothing more will come
}

// Machine is one registration. Chance gives a number in [0,1) and spreads what
// many registrations do at once. It is for one goroutine.
type Machine struct {
	wish   time.Duration
	chance func() float64
	status Status
	flight bool // a REGISTER awaits its answer
	bound  bool // the registrar may hold a binding of ours
	rounds int
}

// New makes a machine that asks for expires; zero is 10 minutes.
func New(expires time.Duration, chance func() float64) *Machine {
	if expires <= 0 {
		expires = 10 * time.Minute
	}
	return &Machine{wish: min(max(expires, Shortest), Longest), chance: chance, status: Status{Phase: Idle}}
}

// Status reports where it stands.
func (m *Machine) Status() Status { return m.status }

// Start begins the first attempt.
func (m *Machine) Start(time.Time) Do { return m.attempt() }

// attempt begins one exchange with the registrar.
func (m *Machine) attempt() Do {
	m.rounds = 0
	if m.status.Phase != Registered {
		m.status.Phase = Trying
	}
	return m.send(false)
}

func (m *Machine) send(auth bool) Do {
	m.rounds++
	m.flight = true
	m.status.Next = time.Time{}
	expires := m.wish
	if m.status.Phase == Leaving {
		expires = 0
	}
	return Do{Send: true, Expires: expires, Auth: auth}
}

// Wake is called at the time a Do named.
func (m *Machine) Wake(time.Time) Do {
	if m.flight || m.over() {
		return Do{}
	}
	return m.attempt()
}

func (m *Machine) over() bool {
	return m.status.Phase == Refused || m.status.Phase == Gone || m.status.Phase == Leaving
}

// Answer takes the final response of the REGISTER in flight.
func (m *Machine) Answer(now time.Time, a Answer) Do {
	m.flight = false
	m.status.Code = a.Code
	switch {
	case (a.Code == 401 || a.Code == 407) && a.Met && m.rounds < mostRounds:
		return m.send(true)
	case m.status.Phase == Leaving:
		return m.end()
	case a.Code >= 200 && a.Code < 300:
		return m.good(now, a)
	case a.Code == 423 && a.MinExpires > m.wish && a.MinExpires <= Longest && m.rounds < mostRounds:
		m.wish = a.MinExpires // RFC 3261 10.2.8
		return m.send(false)
	case a.Code == 401 || a.Code == 407:
		return m.refused(fmt.Sprintf("%d %s: the credentials are not accepted", a.Code, a.Reason))
	case a.Code == 403 || a.Code == 404 || a.Code == 604:
		return m.refused(fmt.Sprintf("%d %s", a.Code, a.Reason))
	}
	return m.again(now, fmt.Sprintf("%d %s", a.Code, a.Reason), a.RetryAfter)
}

// good plans the refresh between 85 and 90 % of the time we were given.
func (m *Machine) good(now time.Time, a Answer) Do {
	m.bound = true
	given := a.Expires
	if given <= 0 {
		given = m.wish
	}
	given = min(given, Longest)
	m.status = Status{Phase: Registered, Code: a.Code, Until: now.Add(given)}
	share := 0.85 + 0.05*m.chance()
	m.status.Next = now.Add(max(time.Duration(float64(given)*share), time.Second))
	return Do{At: m.status.Next}
}

func (m *Machine) refused(why string) Do {
	m.status.Phase, m.status.LastError, m.status.Until = Refused, why, time.Time{}
	m.status.Failures++
	m.bound = false
	return Do{}
}

// again plans another attempt. While the old binding lives a third of what is
// left of it is waited, after that twice as long each time, half of it by chance
// (RFC 5626 4.5), and never less than the registrar asks for.
func (m *Machine) again(now time.Time, why string, after time.Duration) Do {
	m.status.LastError = why
	m.status.Failures++
	left := m.status.Until.Sub(now)
	var wait time.Duration
	if m.status.Phase == Registered && left > 3*time.Second {
		wait = min(left/3, waitBase)
	} else {
		m.status.Phase, m.status.Until = Failed, time.Time{}
		wait = waitMost
		if n := m.status.Failures - 1; n < 7 {
			wait = min(waitMost, waitBase<<n)
		}
		wait = wait/2 + time.Duration(m.chance()*float64(wait/2))
	}
	m.status.Next = now.Add(max(wait, min(after, Longest)))
	return Do{At: m.status.Next}
}

// Fail takes that the REGISTER in flight had no final response.
func (m *Machine) Fail(now time.Time, why string) Do {
	m.flight = false
	m.status.Code = 0
	if m.status.Phase == Leaving {
		return m.end()
	}
	return m.again(now, why, 0)
}

// Lost takes that the connection the registration was made over is gone: the
// registrar cannot reach us any more (RFC 5626 4.4). It is made anew within two
// seconds, spread by chance.
func (m *Machine) Lost(now time.Time) Do {
	if m.flight || m.over() || m.status.Phase != Registered {
		return Do{At: m.status.Next}
	}
	m.status.Phase, m.status.Until, m.status.LastError = Failed, time.Time{}, "the connection was lost"
	m.status.Next = now.Add(time.Duration(m.chance() * float64(2*time.Second)))
	return Do{At: m.status.Next}
}

// Close takes the binding back and ends. A REGISTER in flight is not waited for.
func (m *Machine) Close(time.Time) Do {
	if m.over() && m.status.Phase != Refused || !m.bound {
		return m.end()
	}
	m.status.Phase, m.status.Until = Leaving, time.Time{}
	m.rounds = 0
	return m.send(false)
}

func (m *Machine) end() Do {
	m.status.Phase, m.status.Until, m.status.Next = Gone, time.Time{}, time.Time{}
	return Do{Done: true}
}
