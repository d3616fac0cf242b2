package twilio_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/cluster/twilio"
	"flametree/engine/connection"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/gateway/gatewaytest"
	"flametree/gateway/hooks"
	"flametree/media/twilio/twiliotest"
)

func TestMain(m *testing.M) { gatewaytest.Leaks(m) }

const (
	public  = "https://voice.example.org" // the installation stands behind a proxy
	account = "AC0123456789abcdef0123456789abcdef"
	ours    = "+442079460018"
	them    = "+442079460123"
	line    = "c1"
)

// house is a front door, a local Twilio and a connection between them.
type house struct {
	t      *testing.T
	far    *twiliotest.Server
	trunks *twilio.Trunks
	came   chan twilio.Incoming
	refuse error // what Answer says
	tapes  chan twilio.Recorded

	mu       sync.Mutex
	reported []event.ConnectionReported
}

func open(t *testing.T, settings ...string) *house {
	t.Helper()
	h := &house{t: t, came: make(chan twilio.Incoming, 200), tapes: make(chan twilio.Recorded, 200)}
	h.far = twiliotest.Serve(&twiliotest.Server{Account: account, Token: "hush", Number: ours, Answers: map[string]string{}})
	h.trunks = twilio.New(twilio.Options{
		Recorded: func(_ context.Context, r twilio.Recorded) error { h.tapes <- r; return nil },
		Public:   public, Base: func(string) string { return h.far.URL() }, Answer: func(_ context.Context, in twilio.Incoming) error {
			if h.refuse != nil {
				return h.refuse
			}
			in.Line.Start(func(actors.Fact) {})
			in.Leg.Start(func(actors.Fact) {})
			h.came <- in
			return nil
		},
	})
	site := gatewaytest.Start(t, gatewaytest.New(), gatewaytest.Config{Mount: func(s *gatewaytest.Site) {
		hooks.Mount(s.Server, hooks.Options{Twilio: h.trunks, Hub: s.Hub, Public: public})
	}})
	h.far.Reach = func(address string) string { return strings.Replace(address, public, site.URL, 1) }
	s := state(t, settings...)
	down := h.trunks.Up(actors.ID{Kind: event.ConnectionStream, Name: line}, s, func(r event.ConnectionReported) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.reported = append(h.reported, r)
	})
	t.Cleanup(func() {
		h.far.Close()
		down()
		h.trunks.Close()
		require.Empty(t, h.far.Faults(), "nothing that is not published")
	})
	require.Eventually(t, func() bool { return h.report().State == connection.Registered }, 5*time.Second, 5*time.Millisecond)
	return h
}

func (h *house) report() event.ConnectionReported {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.reported) == 0 {
		return event.ConnectionReported{}
	}
	return h.reported[len(h.reported)-1]
}

func state(t *testing.T, settings ...string) connection.State {
	t.Helper()
	var s connection.State
	apply := func(e []event.Event, err error) {
		require.NoError(t, err)
		for _, one := range e {
			s.Apply(event.Envelope{Seq: s.Seq + 1, Body: one})
		}
	}
	apply(s.Create(event.ConnectionCreated{Type: connection.Twilio, Name: "Twilio"}))
	saved := event.ConnectionSaved{Name: "Twilio", Secrets: []event.PrivatePair{{Key: "auth_token", Value: event.P("hush")}}}
	for _, pair := range append([]string{"account_sid=" + account, "phone_number=" + ours, "speech=ours", "calls_per_second=0", "country=GB"}, settings...) {
		k, v, _ := strings.Cut(pair, "=")
		saved.Settings = slices.DeleteFunc(saved.Settings, func(p event.Pair) bool { return p.Key == k })
		saved.Settings = append(saved.Settings, event.Pair{Key: k, Value: v})
	}
	apply(s.Save(saved))
	apply(s.Attach("a1", true))
	return s
}

// take waits for the call that came in.
func (h *house) take() twilio.Incoming {
	h.t.Helper()
	select {
	case in := <-h.came:
		h.t.Cleanup(func() { _ = in.Leg.Close() })
		return in
	case <-time.After(5 * time.Second):
		h.t.Fatal("no call came in")
	}
	return twilio.Incoming{}
}

func speech(length time.Duration) []int16 {
	out := make([]int16, int(length/time.Millisecond)*8)
	for i := range out {
		out[i] = int16(i%40*400 - 8000)
	}
	return out
}

// TestACallIsAnsweredHeardAndYieldsInRealTime is a whole call over real sockets.
func TestACallIsAnsweredHeardAndYieldsInRealTime(t *testing.T) {
	h := open(t)
	require.Equal(t, public+"/hooks/twilio/"+line, h.far.VoiceURL(), "the webhook is registered on the number")
	c, err := h.far.Call(them)
	require.NoError(t, err)
	in := h.take()
	require.Equal(t, them, in.From)
	require.Equal(t, "a1", in.Agent)
	far, err := c.Stream()
	require.NoError(t, err)
	require.NoError(t, in.Leg.Play(t.Context(), 1, speech(2*time.Second), 8000))
	require.Eventually(t, func() bool { return in.Leg.Played(1) >= time.Second }, 10*time.Second, 5*time.Millisecond)
	before := len(far.Seen())
	in.Leg.Flush(1)
	require.Eventually(t, func() bool {
		seen := far.Seen()
		return seen[len(seen)-1].Event == "clear"
	}, 5*time.Second, 5*time.Millisecond, "the last frame is clear, and stays it")
	require.NoError(t, in.Leg.Play(t.Context(), 2, speech(300*time.Millisecond), 8000))
	in.Leg.End(2)
	require.Eventually(t, func() bool { return in.Leg.Played(2) == 300*time.Millisecond }, 10*time.Second, 5*time.Millisecond)
	clears := 0
	for _, s := range far.Seen()[before:] {
		if s.Event == "clear" {
			clears++
		}
	}
	require.Equal(t, 1, clears)
	require.LessOrEqual(t, far.MostAhead(), 200*time.Millisecond)
	t.Logf("figure: most ahead over loopback: %v", far.MostAhead())
	in.Line.Hangup("completed")
	<-c.Over()
	require.Equal(t, 0, h.trunks.Live()[line])
}

func TestWhoDoesNotSignIsRefusedAndNothingHappens(t *testing.T) {
	h := open(t)
	form := (&twiliotest.Call{SID: "CA1", From: them, To: ours}).VoiceOf(account)
	hook := h.far.VoiceURL()
	asked := len(h.far.Asked())
	for name, tt := range map[string]struct{ address, signature string }{
		"no signature":         {hook, ""},
		"junk":                 {hook, "junk"},
		"of another address":   {hook, h.far.Sign(public+"/hooks/twilio/c2", form)},
		"of http":              {hook, h.far.Sign("http://voice.example.org/hooks/twilio/c1", form)},
		"of another port":      {hook, h.far.Sign("https://voice.example.org:8443/hooks/twilio/c1", form)},
		"of another form":      {hook, h.far.Sign(hook, nil)},
		"unknown connection":   {public + "/hooks/twilio/c9", h.far.Sign(public+"/hooks/twilio/c9", form)},
		"signed with no token": {hook, (&twiliotest.Server{}).Sign(hook, form)},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, err := h.far.PostSigned(tt.address, form, tt.signature)
			require.NoError(t, err)
			require.Equal(t, http.StatusForbidden, status)
		})
	}
	_, resp, err := h.far.Open("wss://voice.example.org/hooks/twilio/c1/media/k", "junk")
	require.Error(t, err)
	require.Equal(t, http.StatusForbidden, resp.StatusCode)
	require.Empty(t, h.came)
	require.Len(t, h.far.Asked(), asked, "no request was made")
	require.Equal(t, 0, h.trunks.Live()[line])

	status, body, err := h.far.PostSigned(hook, form, h.far.Sign("https://voice.example.org:443/hooks/twilio/c1", form))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status, "the scheme's own port says nothing: %s", body)
	h.take().Line.Hangup("completed")

	// A form that is signed but of another account.
	other := (&twiliotest.Call{SID: "CA2"}).VoiceOf("AC99")
	status, _, err = h.far.Post(hook, other)
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, status)
}

func TestAWebhookReplayedAHundredTimesIsOneCall(t *testing.T) {
	h := open(t)
	form := (&twiliotest.Call{SID: "CA77", From: them, To: ours}).VoiceOf(account)
	answers := make(map[string]int)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for range 10 {
				status, body, err := h.far.Post(h.far.VoiceURL(), form)
				mu.Lock()
				answers[fmt.Sprint(status, err, body)]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Len(t, answers, 1, "the same answer each time")
	require.Len(t, h.came, 1)
	require.Equal(t, 1, h.trunks.Live()[line])
	h.take().Line.Hangup("completed")
}

func TestACallThatMayNotBeTakenIsRejected(t *testing.T) {
	h := open(t, "max_calls=1")
	h.refuse = fmt.Errorf("full: %w", fault.Exhausted)
	_, err := h.far.Call(them)
	require.NoError(t, err)
	require.Contains(t, last(h).TwiML()[0], `<Reject reason="busy">`)
	h.refuse = fmt.Errorf("nobody: %w", fault.NotFound)
	_, err = h.far.Call(them)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(last(h).TwiML()) > 0 }, 5*time.Second, 5*time.Millisecond)
	require.Contains(t, last(h).TwiML()[0], `<Reject reason="rejected">`)
	require.Equal(t, 0, h.trunks.Live()[line])
	h.refuse = nil
	_, err = h.far.Call(them)
	require.NoError(t, err)
	in := h.take()
	_, err = h.far.Call(them)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(last(h).TwiML()) > 0 }, 5*time.Second, 5*time.Millisecond)
	require.Contains(t, last(h).TwiML()[0], `<Reject reason="busy">`, "the connection has its one call")
	in.Line.Hangup("completed")
}

func last(h *house) *twiliotest.Call {
	all := h.far.Calls()
	c := all[len(all)-1]
	require.Eventually(h.t, func() bool { return len(c.TwiML()) > 0 }, 5*time.Second, 5*time.Millisecond)
	return c
}

func (h *house) dial(ctx context.Context, to string) (actors.Leg, actors.Line, []actors.DialProgress, error) {
	var mu sync.Mutex
	var seen []actors.DialProgress
	leg, line, err := h.trunks.Dial(ctx, actors.Dialling{Agent: "a1", To: to}, func(p actors.DialProgress) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, p)
	})
	mu.Lock()
	defer mu.Unlock()
	return leg, line, append([]actors.DialProgress(nil), seen...), err
}

func TestACallThatIsPlacedRingsAndIsAnswered(t *testing.T) {
	h := open(t)
	h.far.Repeat = 99
	leg, line, progress, err := h.dial(t.Context(), "020 7946 0123")
	require.NoError(t, err)
	require.Equal(t, []actors.DialProgress{{Stage: "trying", Code: 100}, {Stage: "ringing", Code: 180}}, progress, "told a hundred times, heard once")
	c := h.far.Calls()[0]
	require.Equal(t, them, c.To)
	require.Equal(t, ours, c.From)
	ended := make(chan string, 1)
	line.Start(func(f actors.Fact) {
		if f.Kind == actors.FactLineEnded {
			ended <- f.Reason
		}
	})
	leg.Start(func(actors.Fact) {})
	require.Equal(t, 1, h.trunks.Live()["c1"])
	c.Hangup() // they hang up
	require.Equal(t, "hangup", <-ended)
	require.NoError(t, leg.Close())
	require.Equal(t, 0, h.trunks.Live()["c1"])
}

func TestHowACallComesToNothing(t *testing.T) {
	h := open(t)
	for outcome, want := range map[string]event.Status{
		"busy": event.Busy, "no-answer": event.NoAnswer, "failed": event.Failed, "canceled": event.Canceled, "completed": event.Failed,
	} {
		h.far.Answers[them] = outcome
		_, _, progress, err := h.dial(t.Context(), them)
		n, ok := errors.AsType[*actors.NotReached](err)
		require.True(t, ok, "%s: %v", outcome, err)
		require.Equal(t, want, n.Status, outcome)
		require.Len(t, progress, 2)
	}
	t.Run("nobody waits any more", func(t *testing.T) {
		h.far.Answers[them] = "ring"
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, _, _, err := h.dial(ctx, them)
		n, ok := errors.AsType[*actors.NotReached](err)
		require.True(t, ok, err)
		require.Equal(t, event.Canceled, n.Status)
		all := h.far.Calls()
		select {
		case <-all[len(all)-1].Over():
		case <-time.After(5 * time.Second):
			t.Fatal("it rings on")
		}
	})
	t.Run("it was given up before Twilio had named it", func(t *testing.T) {
		h.far.Answers[them] = "ring"
		h.far.Slow = make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, _, _, err := h.dial(ctx, them)
			done <- err
		}()
		before := len(h.far.Calls())
		require.Eventually(t, func() bool { return len(h.far.Calls()) > before }, 5*time.Second, time.Millisecond)
		cancel()
		require.Error(t, <-done)
		close(h.far.Slow)
		all := h.far.Calls()
		select {
		case <-all[len(all)-1].Over():
		case <-time.After(5 * time.Second):
			t.Fatal("it rings on though nobody wants it")
		}
	})
	require.Equal(t, 0, h.trunks.Live()[line])
}

func TestWhatMayNotBeCalledIsNotAskedFor(t *testing.T) {
	h := open(t, "destinations=+44")
	before := len(h.far.Asked())
	for name, tt := range map[string]struct {
		to   string
		want fault.Kind
	}{
		"premium":       {"+44 909 879 0000", fault.Denied},
		"satellite":     {"+881 6 1234 5678", fault.Denied},
		"abroad":        {"+49 30 901820", fault.Denied},
		"emergency":     {"999", fault.Denied},
		"an extension":  {"2001", fault.Denied},
		"a SIP address": {"sip:bob@example.org", fault.Invalid},
		"no number":     {"Bob", fault.Invalid},
		"TwiML":         {`+44<Dial>`, fault.Invalid},
	} {
		_, _, _, err := h.dial(t.Context(), tt.to)
		require.Equal(t, tt.want, fault.KindOf(err), name)
		require.Equal(t, tt.want, fault.KindOf(h.trunks.Check(actors.Dialling{Agent: "a1", To: tt.to})), name)
	}
	_, _, err := h.trunks.Dial(t.Context(), actors.Dialling{Agent: "a2", To: them}, func(actors.DialProgress) {})
	require.ErrorIs(t, err, fault.Unavailable, "an agent that may not use the connection")
	require.Len(t, h.far.Asked(), before, "no request was made")
	require.False(t, h.trunks.Serves(actors.Dialling{Agent: "a2"}))
	require.True(t, h.trunks.Serves(actors.Dialling{Agent: "a1", To: them}))
	require.False(t, h.trunks.Serves(actors.Dialling{Agent: "a1", To: "sip:bob@example.org"}))
}

func TestACallIsPassedOnByDial(t *testing.T) {
	const boss = "+442079460199"
	h := open(t)
	c, err := h.far.Call(them)
	require.NoError(t, err)
	in := h.take()
	_, err = c.Stream()
	require.NoError(t, err)
	refers := in.Line.(actors.Referrer)
	var codes []int
	t.Run("nobody is there: the agent goes on", func(t *testing.T) {
		h.far.Answers[boss] = "busy"
		err := refers.Refer(t.Context(), boss, func(code int) { codes = append(codes, code) })
		n, ok := errors.AsType[*actors.NotReached](err)
		require.True(t, ok, err)
		require.Equal(t, event.Busy, n.Status)
		require.Equal(t, []int{180}, codes)
		far, err := c.Stream()
		require.NoError(t, err, "the caller hears us again")
		require.NoError(t, in.Leg.Play(t.Context(), 1, speech(200*time.Millisecond), 8000))
		require.Eventually(t, func() bool { return len(far.Heard()) == 1600 }, 5*time.Second, 5*time.Millisecond)
	})
	t.Run("it is given up", func(t *testing.T) {
		h.far.Answers[boss] = "ring"
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, refers.Refer(ctx, boss, nil), fault.Cancelled)
		_, err := c.Stream()
		require.NoError(t, err, "the caller hears us again")
	})
	t.Run("what may not be called", func(t *testing.T) {
		require.ErrorIs(t, refers.Refer(t.Context(), "+449098790000", nil), fault.Denied)
		err := refers.ReferTo(t.Context(), in.Line, nil)
		n, ok := errors.AsType[*actors.NotReached](err)
		require.True(t, ok)
		require.Equal(t, "unsupported", n.Reason)
	})
	t.Run("somebody takes it", func(t *testing.T) {
		h.far.Answers[boss] = "answered"
		require.Eventually(t, func() bool {
			err = refers.Refer(t.Context(), boss, nil)
			return fault.KindOf(err) != fault.Conflict // until the socket is back
		}, 5*time.Second, 5*time.Millisecond)
		require.NoError(t, err)
		asked := len(h.far.Asked())
		in.Line.Hangup("transferred")
		require.NoError(t, in.Leg.Close())
		h.trunks.Close()
		require.Len(t, h.far.Asked(), asked, "the call is theirs: we do not end it")
		c.Hangup()
	})
}

func TestAnAccountThatIsRefusedIsTold(t *testing.T) {
	h := &house{t: t}
	h.far = twiliotest.Serve(&twiliotest.Server{Account: account, Token: "other", Number: ours})
	defer h.far.Close()
	trunks := twilio.New(twilio.Options{Public: public, Base: func(string) string { return h.far.URL() }})
	defer trunks.Close()
	reports := make(chan event.ConnectionReported, 10)
	down := trunks.Up(actors.ID{Name: line}, state(t), func(r event.ConnectionReported) { reports <- r })
	r := <-reports
	down()
	require.Equal(t, connection.Failed, r.State)
	require.EqualValues(t, 401, r.Code)
	require.Contains(t, r.Detail, "auth token")
	require.NotContains(t, r.Detail, "hush")

	h.far.Token = "hush"
	s := state(t, "phone_number=+442079460777")
	down = trunks.Up(actors.ID{Name: line}, s, func(r event.ConnectionReported) { reports <- r })
	r = <-reports
	down()
	require.Equal(t, connection.Failed, r.State)
	require.Contains(t, r.Detail, "has no number +442079460777")

	plain := twilio.New(twilio.Options{Public: "http://voice.example.org"})
	defer plain.Close()
	down = plain.Up(actors.ID{Name: line}, state(t), func(r event.ConnectionReported) { reports <- r })
	r = <-reports
	down()
	require.Contains(t, r.Detail, "public-url")
}

func TestRegionAndEdgeChooseTheHost(t *testing.T) {
	for in, want := range map[[2]string]string{
		{"", ""}:             "api.twilio.com",
		{"us1", "ashburn"}:   "api.twilio.com",
		{"ie1", "dublin"}:    "api.dublin.ie1.twilio.com",
		{"ie1", ""}:          "api.dublin.ie1.twilio.com",
		{"au1", "ashburn"}:   "api.sydney.au1.twilio.com",
		{"us1", "tokyo"}:     "api.tokyo.us1.twilio.com",
		{"", "dublin"}:       "api.dublin.us1.twilio.com",
		{"de1", "frankfurt"}: "api.frankfurt.de1.twilio.com",
		{"sg1", "singapore"}: "api.singapore.sg1.twilio.com",
	} {
		require.Equal(t, want, twilio.Host(in[0], in[1]), in)
	}
	asked := make(chan string, 4)
	trunks := twilio.New(twilio.Options{Public: public, Base: func(host string) string { asked <- host; return "http://127.0.0.1:1" }})
	defer trunks.Close()
	down := trunks.Up(actors.ID{Name: line}, state(t, "region=ie1", "edge=dublin"), func(event.ConnectionReported) {})
	down()
	require.Equal(t, "api.dublin.ie1.twilio.com", <-asked)
}
