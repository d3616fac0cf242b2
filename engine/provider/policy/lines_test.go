package policy_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/policy"
)

// listener is a recogniser that opens after a while and then says its finals,
// each so long after its Finalize, until it fails.
type listener struct {
	opens  time.Duration
	refuse error
	finals []time.Duration
	fails  error // after the finals
	opened int
}

func (l *listener) Open(ctx context.Context, _ provider.Format) (provider.Transcription, error) {
	l.opened++
	select {
	case <-time.After(l.opens):
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", fault.Cancelled, ctx.Err())
	}
	if l.refuse != nil {
		return nil, l.refuse
	}
	return &listening{l: l, ctx: ctx, asked: make(chan struct{}, 16)}, nil
}

type listening struct {
	l     *listener
	ctx   context.Context
	asked chan struct{}
}

func (s *listening) Write([]int16) error { return nil }
func (s *listening) CloseSend() error    { return nil }
func (s *listening) Finalize() error {
	s.asked <- struct{}{}
	return nil
}

func (s *listening) Heard() iter.Seq2[provider.Hearing, error] {
	return func(yield func(provider.Hearing, error) bool) {
		for _, d := range s.l.finals {
			select {
			case <-s.asked:
			case <-s.ctx.Done():
				return
			}
			time.Sleep(d)
			if !yield(provider.Hearing{Text: "yes", Final: true}, nil) {
				return
			}
		}
		if s.l.fails != nil {
			yield(provider.Hearing{}, s.l.fails)
			return
		}
		<-s.ctx.Done()
	}
}

// hear opens a stream and reads it to its end, at most so long.
func hear(t *testing.T, tr provider.Transcriber, most time.Duration) (heard int, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	s, err := tr.Open(ctx, provider.Format{RateHz: 16000})
	if err != nil {
		return 0, err
	}
	for range 3 {
		_ = s.Finalize() // it never fails here
	}
	for _, err := range s.Heard() {
		if err != nil {
			return heard, err
		}
		heard++
	}
	return heard, nil
}

func TestEarsTakeTheNextOne(t *testing.T) {
	for name, x := range map[string]struct {
		first *listener
		kind  fault.Kind // of the first stream; "" = it is heard
		took  time.Duration
		again int // times that the first one was opened after three streams
	}{
		"the first is well":            {&listener{finals: []time.Duration{0}}, "", 0, 3},
		"the first refuses the key":    {&listener{refuse: fault.Denied}, "", 0, 1},
		"the first is full":            {&listener{refuse: fault.Exhausted}, "", 0, 1},
		"the first does not open":      {&listener{opens: time.Hour}, "", 3 * time.Second, 1},
		"the first dies in the middle": {&listener{finals: []time.Duration{0}, fails: errAway}, fault.Unavailable, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				second := &listener{finals: []time.Duration{0}}
				var chosen, left []string
				tr := policy.Ears([]policy.Ear{{Name: "first", Transcriber: x.first}, {Name: "second", Transcriber: second}}, policy.LineOptions{
					Chosen: func(n string) { chosen = append(chosen, n) }, Left: func(n string, err error) { left = append(left, n) },
				})
				begun := time.Now()
				ctx, cancel := context.WithCancel(t.Context())
				s, err := tr.Open(ctx, provider.Format{RateHz: 16000})
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begun); took != x.took {
					t.Errorf("it opened after %v, want %v", took, x.took)
				}
				_ = s.Finalize() // it never fails here
				n := 0
				for _, err = range s.Heard() {
					if n++; err != nil || x.kind == "" {
						break
					}
				}
				cancel()
				if fault.KindOf(err) != x.kind {
					t.Errorf("the first stream ended with %v, want %q", err, x.kind)
				}
				for range 2 { // as the owner does: it opens again
					if n, err := hear(t, tr, time.Second); err != nil || n != 1 {
						t.Errorf("%d, %v", n, err)
					}
				}
				if x.first.opened != x.again || (len(left) > 0) != (x.again == 1) {
					t.Errorf("the first was opened %d times, want %d; chosen %v, left %v", x.first.opened, x.again, chosen, left)
				}
				time.Sleep(30 * time.Second)
				if _, _ = hear(t, tr, 5*time.Second); x.first.opened != x.again+1 {
					t.Errorf("the first was not asked again after its rest")
				}
			})
		})
	}
}

func TestEarsThatAllFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := policy.Ears([]policy.Ear{{Name: "a", Transcriber: &listener{refuse: fault.Denied}}, {Name: "b", Transcriber: &listener{refuse: errAway}}}, policy.LineOptions{})
		_, err := tr.Open(t.Context(), provider.Format{})
		if err == nil || !strings.Contains(err.Error(), "a: denied") || !strings.Contains(err.Error(), "b: away") {
			t.Errorf("%v names not each", err)
		}
		if _, err := policy.Ears(nil, policy.LineOptions{}).Open(t.Context(), provider.Format{}); fault.KindOf(err) != fault.NotFound {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		slow := policy.Ears([]policy.Ear{{Name: "a", Transcriber: &listener{opens: time.Hour}}}, policy.LineOptions{})
		if _, err := slow.Open(ctx, provider.Format{}); fault.KindOf(err) != fault.Cancelled {
			t.Errorf("an owner that gave up: %v", err)
		}
	})
}

// TestFinalsAreMeasured shows the p99 that the turn machine waits for.
func TestFinalsAreMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f policy.Finals
		if d, n := f.P99(); d != 0 || n != 0 {
			t.Errorf("before all: %v of %d", d, n)
		}
		l := &listener{finals: []time.Duration{100 * time.Millisecond, 300 * time.Millisecond, 200 * time.Millisecond}}
		tr := f.Transcriber(l)
		if n, err := hear(t, tr, 10*time.Second); n != 3 || err != nil {
			t.Fatal(n, err)
		}
		// All three were asked for at once, so the last took the sum.
		if d, n := f.P99(); d != 600*time.Millisecond || n != 3 {
			t.Errorf("%v of %d", d, n)
		}
		l.finals = []time.Duration{10 * time.Millisecond, 0, 0}
		for range 200 {
			_, _ = hear(t, tr, 10*time.Second) // as above
		}
		if d, n := f.P99(); d != 10*time.Millisecond || n != 256 {
			t.Errorf("%v of %d: the first ones are not forgotten", d, n)
		}
	})
}

// voice opens, waits before each clause and fails after some.
type voice struct {
	waits  time.Duration
	clause int // after so many it fails
	fails  error
	opened int
	names  []string
}

func (v *voice) Open(ctx context.Context, w provider.Voice) (provider.Speech, error) {
	v.opened++
	v.names = append(v.names, w.Name)
	return &talking{v: v, ctx: ctx, in: make(chan provider.Audio, 16)}, nil
}

type talking struct {
	v   *voice
	ctx context.Context
	in  chan provider.Audio
}

func (s *talking) Speak(_ string, gen, id uint64) error {
	s.in <- provider.Audio{Gen: gen, ID: id, PCM: make([]int16, 160), RateHz: 8000, Last: true}
	return nil
}
func (s *talking) Cancel(uint64) {}
func (s *talking) Close() error  { return nil }

func (s *talking) Audio() iter.Seq2[provider.Audio, error] {
	return func(yield func(provider.Audio, error) bool) {
		for n := 0; ; n++ {
			select {
			case a := <-s.in:
				if s.v.fails != nil && n == s.v.clause {
					yield(provider.Audio{}, s.v.fails)
					return
				}
				select {
				case <-time.After(s.v.waits):
				case <-s.ctx.Done():
					return
				}
				if !yield(a, nil) {
					return
				}
			case <-s.ctx.Done():
				return
			}
		}
	}
}

// talk has three clauses said as an owner does: what a voice left unsaid is given
// to the next. between is how long it takes to play a clause.
func talk(t *testing.T, y provider.Synthesizer, between time.Duration) (said []uint64, voices int) {
	t.Helper()
	for next := uint64(1); next <= 3 && voices < 4; voices++ {
		p, err := y.Open(t.Context(), provider.Voice{Name: "asked"})
		if err != nil {
			t.Fatal(err)
		}
		for id := next; id <= 3; id++ {
			if err := p.Speak("a", 1, id); err != nil {
				t.Fatal(err)
			}
		}
		for a, err := range p.Audio() {
			if err != nil {
				if fault.KindOf(err) != fault.Unavailable {
					t.Errorf("%v", err)
				}
				break
			}
			said = append(said, a.ID)
			if next = a.ID + 1; next > 3 {
				break
			}
			time.Sleep(between)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	return said, voices
}

func TestMouthsTakeTheNextOne(t *testing.T) {
	for name, x := range map[string]struct {
		first   *voice
		between time.Duration
		voices  int
		second  int // times that the second was opened
	}{
		"the first is well":                       {&voice{}, 0, 1, 0},
		"the first breaks off":                    {&voice{clause: 1, fails: errAway}, 0, 2, 1},
		"the first gives no sound":                {&voice{waits: time.Hour}, 0, 2, 1},
		"a slow playout is not the voice's fault": {&voice{}, time.Minute, 1, 0},
		"a voice that is slow, but not too slow":  {&voice{waits: 1400 * time.Millisecond}, 0, 1, 0},
		"a voice that is just too slow is left":   {&voice{waits: 1600 * time.Millisecond}, 0, 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				second := &voice{}
				y := policy.Mouths([]policy.Mouth{
					{Name: "first", Synthesizer: x.first}, {Name: "second", Synthesizer: second, Voice: provider.Voice{Name: "its own"}},
				}, policy.LineOptions{})
				said, voices := talk(t, y, x.between)
				if voices != x.voices || second.opened != x.second || fmt.Sprint(said) != "[1 2 3]" {
					t.Errorf("%v said by %d voices, the second opened %d times", said, voices, second.opened)
				}
				if x.first.names[0] != "asked" || x.second > 0 && second.names[0] != "its own" {
					t.Errorf("voices %v and %v", x.first.names, second.names)
				}
			})
		})
	}
}

// TestNothingIsOwedAfterCancel shows that a voice which was interrupted is not
// taken for a mute one.
func TestNothingIsOwedAfterCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := policy.Mouths([]policy.Mouth{{Name: "first", Synthesizer: &voice{waits: time.Hour}}}, policy.LineOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		p, err := y.Open(ctx, provider.Voice{})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Speak("a", 1, 1); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() { p.Cancel(1) })
		time.AfterFunc(time.Minute, cancel)
		begun := time.Now()
		for _, err := range p.Audio() {
			t.Errorf("%v", err)
		}
		if took := time.Since(begun); took != time.Minute {
			t.Errorf("it ended after %v", took)
		}
	})
}

// TestSpeechIsWatched shows that streams and voices count for the breaker and
// the health that models have.
func TestSpeechIsWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := policy.NewBreaker(policy.BreakerOptions{Window: 4, Least: 3})
		h := policy.NewHealth(policy.HealthOptions{})
		l := &listener{finals: []time.Duration{0}, fails: errAway}
		tr := b.Transcriber(h.Transcriber(l))
		for range 3 {
			_, _ = hear(t, tr, time.Minute) // it fails after a final
		}
		if s, _ := b.State(); s != policy.Open || h.Report().State != policy.Degraded {
			t.Errorf("%s, %+v", s, h.Report())
		}
		if _, err := tr.Open(t.Context(), provider.Format{}); !errors.Is(err, policy.ErrOpen) {
			t.Error(err)
		}
		time.Sleep(10 * time.Second)
		l.fails = nil
		if n, err := hear(t, tr, time.Second); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if s, _ := b.State(); s != policy.Closed || h.Report().State != policy.OK {
			t.Errorf("%s, %+v", s, h.Report())
		}
		y := b.Synthesizer(h.Synthesizer(&voice{clause: 0, fails: fault.Denied}))
		p, err := y.Open(t.Context(), provider.Voice{})
		if err != nil {
			t.Fatal(err)
		}
		_ = p.Speak("a", 1, 1) // it never fails here
		for range p.Audio() {
		}
		if h.Report().State != policy.Failed {
			t.Errorf("a voice whose key is refused: %+v", h.Report())
		}
	})
}
