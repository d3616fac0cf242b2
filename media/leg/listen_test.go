package leg

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"flametree/actors"
	"flametree/engine/fault"
	"flametree/media/record"
	"flametree/media/record/recordtest"
)

func TestHearReplaysWhatPassedAndGoesOnWithoutAGap(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.leg(nil)
	p := newPhone(t, s)
	s.start()
	whole := newEar()
	s.Hear(whole.hear, 0)
	pace(60, func(i int) { p.say(tone(20*ms, 300+float64(i)*10, 8000, 8000)) })
	replayed := newEar()
	s.Hear(replayed.hear, 500*ms)
	at := len(replayed.await(t, 25))
	pace(20, func(i int) { p.say(tone(20*ms, 900+float64(i)*10, 8000, 8000)) })
	whole.mu.Lock()
	old := slices.Clone(whole.samples)
	whole.mu.Unlock()
	got := replayed.await(t, 40)
	// The last half second the first listener heard is what the second began
	// with, but for the filter's first milliseconds.
	want := old[len(old)-25*320:]
	for i := 64; i < len(want) && i < at; i++ {
		if d := int(want[i]) - int(got[i]); d > 2 || d < -2 {
			t.Fatalf("sample %d of the replay is %d, was %d", i, got[i], want[i])
		}
	}
	for i := 1; i < len(got); i++ {
		if d := int(got[i]) - int(got[i-1]); d > 6000 || d < -6000 {
			t.Fatalf("a step of %d at sample %d", d, i)
		}
	}
	s.Hear(nil, 0)
}

func TestPlayWaitsAtTwoSecondsAndCanBeCancelled(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	s := h.leg(nil)
	newPhone(t, s)
	s.start()
	ctx, cancel := context.WithTimeout(t.Context(), 500*ms)
	defer cancel()
	err := s.Play(ctx, 1, tone(10*time.Second, 500, 16000, 8000), 16000)
	if !errors.Is(err, fault.Cancelled) {
		t.Errorf("%v, want fault.Cancelled", err)
	}
	s.mu.Lock()
	pending := s.play.pending()
	s.mu.Unlock()
	if pending > hardLimit+frameBytes || pending < hardLimit-refill-10*frameBytes {
		t.Errorf("%v lie in the ring, want about 2s", s.play.length(pending))
	}
	if err := s.Play(t.Context(), 2, nil, 3); !errors.Is(err, fault.Invalid) {
		t.Errorf("a rate of 3 Hz: %v, want fault.Invalid", err)
	}
	closed := make(chan error, 1)
	go func() { closed <- s.Play(context.Background(), 3, tone(10*time.Second, 500, 8000, 8000), 8000) }()
	s.wait(t, actors.FactTalking)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-closed; !errors.Is(err, fault.Cancelled) {
		t.Errorf("the leg was closed: %v, want fault.Cancelled", err)
	}
}

func TestRecordingHoldsTheCallerLeftAndTheAgentRight(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	spool := record.New()
	defer spool.Close()
	path := filepath.Join(t.TempDir(), "call.wav")
	tape, err := spool.Create(path, 8000, recordtest.Seal(t, "call"))
	if err != nil {
		t.Fatal(err)
	}
	caller, agent := h.call(nil)
	e := newEar()
	agent.Hear(e.hear, 0)
	agent.Record(tape)
	if err := caller.Play(t.Context(), 1, tone(time.Second, 600, 8000, 8000), 8000); err != nil {
		t.Fatal(err)
	}
	if err := agent.Play(t.Context(), 1, tone(time.Second, 1400, 8000, 8000), 8000); err != nil {
		t.Fatal(err)
	}
	e.await(t, 45)
	if err := agent.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := tape.Close()
	if err != nil {
		t.Fatal(err)
	}
	a := recordtest.Read(t, path, "call")
	left, right := a.Channel(0), a.Channel(1)
	for name, c := range map[string]struct {
		s          []int16
		own, other float64
	}{"left": {left, 600, 1400}, "right": {right, 1400, 600}} {
		s := clearest(c.s, c.own, 8000)
		own, other := strength(s, c.own, 8000), strength(s, c.other, 8000)
		if math.Abs(db(own/8000)) > 1 || other > 300 {
			t.Errorf("%s: %.0f of its own tone, %.0f of the other's", name, own, other)
		}
	}
	if got.Dropped != 0 || got.Length < 800*ms {
		t.Errorf("recording %+v", got)
	}
}

func TestOptionsAreCheckedTogether(t *testing.T) {
	_, err := New(Options{Terms: Terms{PayloadType: 101, DTMFType: 101}})
	if !errors.Is(err, fault.Invalid) {
		t.Fatalf("%v, want fault.Invalid", err)
	}
	for _, want := range []string{"no Conn", "no Pacer", "payload type 101"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func TestCloseBeforeStartAndTwice(t *testing.T) {
	h := newHouse(t)
	s := h.leg(nil)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	s.start()
	s.Duck(-12)
	s.Pause(1)
	s.Resume(1, 0)
	s.Mark(1, 1)
	s.End(1)
	if s.Flush(1) != 0 || s.Played(1) != 0 {
		t.Error("a closed leg has played something")
	}
}
