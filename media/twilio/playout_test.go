package twilio

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/actors"
	"flametree/engine/fault"
)

// wisher asks a playout for things in any order, and looks after each.
type wisher struct {
	*rapid.T
	*playout
	f       facts
	now     time.Time
	flushed uint64 // generations below it
	gen     uint64 // last written to
	high    map[uint64]int64
}

func (w *wisher) wish() {
	w.now = w.now.Add(time.Duration(rapid.IntRange(0, 60).Draw(w.T, "ms")) * time.Millisecond)
	some := uint64(rapid.IntRange(0, 6).Draw(w.T, "gen"))
	switch rapid.IntRange(0, 11).Draw(w.T, "wish") {
	case 0, 1, 2:
		if !w.dead(some) && !w.full() {
			w.gen = some
			w.begin(some)
			w.write(w.now, make([]int16, rapid.IntRange(0, 8000).Draw(w.T, "samples")))
		}
	case 3, 4, 5:
		w.pump()
	case 6:
		name := some
		if len(w.playout.marks) > 0 {
			name = w.playout.marks[rapid.IntRange(0, len(w.playout.marks)-1).Draw(w.T, "mark")].name
		}
		w.reachedMark(w.now, name)
	case 7:
		w.pause(w.now, some)
	case 8:
		w.resume(w.now, some, time.Duration(rapid.IntRange(-10, 9000).Draw(w.T, "from"))*time.Millisecond)
	case 9:
		w.flush(w.now, some)
		w.flushed = max(w.flushed, some+1)
	case 10:
		w.end(w.now, some)
	case 11:
		w.mark(w.now, some, 1)
	}
}

func (w *wisher) pump() {
	var frame [frameBytes]byte
	for w.room(w.now) {
		s := w.ready()
		n := w.take(frame[:])
		if n == 0 {
			return
		}
		if s.gen < w.flushed {
			w.Fatalf("sound of generation %d, which was flushed", s.gen)
		}
		if w.paused && s.gen <= w.pausedUpTo {
			w.Fatal("sound in a pause")
		}
		w.gone(w.now, n)
		if w.markDue() {
			w.put()
		}
	}
}

func (w *wisher) look() {
	if w.wire-w.acked > windowBytes {
		w.Fatalf("%d bytes beyond the last mark", w.wire-w.acked)
	}
	if w.heard > w.written || w.sent > w.written || w.sent < w.heard {
		w.Fatalf("heard %d, sent %d, written %d", w.heard, w.sent, w.written)
	}
	if w.gen < w.flushed {
		return
	}
	r := w.reached(w.gen)
	if s := w.segment(w.gen); s != nil && (r < w.high[w.gen] || r > s.end-s.start) {
		w.Fatalf("generation %d: heard %d after %d", w.gen, r, w.high[w.gen])
	}
	w.high[w.gen] = r
}

// TestAnyOrderOfWishes: whatever is asked in whatever order, never more than the
// window is out beyond the last mark, nothing of a flushed generation is sent,
// what is told as heard was sent and never shrinks within a generation.
func TestAnyOrderOfWishes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &wisher{T: t, now: time.Unix(0, 0), high: make(map[uint64]int64)}
		w.playout = &playout{ring: make([]byte, ringBytes), facts: &w.f}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			w.wish()
			w.look()
		}
		told := map[uint64]bool{}
		for _, one := range w.f.queue {
			if one.Kind == actors.FactDrained && told[one.Gen] {
				t.Fatalf("generation %d drained twice", one.Gen)
			}
			told[one.Gen] = told[one.Gen] || one.Kind == actors.FactDrained
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"event":"connected","protocol":"Call","version":"1.0.0"}`,
		`{"event":"start","sequenceNumber":"1","streamSid":"MZ1","start":{"streamSid":"MZ1","accountSid":"AC1","callSid":"CA1","tracks":["inbound"],"customParameters":{"a":"b"},"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}}}`,
		`{"event":"media","sequenceNumber":"4","streamSid":"MZ1","media":{"track":"inbound","chunk":"2","timestamp":"5","payload":"//8="}}`,
		`{"event":"dtmf","sequenceNumber":"5","streamSid":"MZ1","dtmf":{"track":"inbound_track","digit":"1"}}`,
		`{"event":"mark","sequenceNumber":"6","streamSid":"MZ1","mark":{"name":"7"}}`,
		`{"event":"stop","sequenceNumber":"7","streamSid":"MZ1","stop":{"accountSid":"AC1","callSid":"CA1"}}`,
		`{"event":"media","media":null}`, `null`, `{"event":"start","start":{}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parse(b)
		if err != nil {
			require.ErrorIs(t, err, fault.Invalid)
			return
		}
		n := 0
		for _, is := range []bool{m.connected, m.start != nil, m.sound != nil, m.digit != 0, m.mark != "", m.stop, m.other} {
			if is {
				n++
			}
		}
		require.Equal(t, 1, n, "a frame is one thing")
		if m.start != nil { // what it names goes into frames as it is
			for _, out := range [][]byte{mediaFrame(m.start.Stream, []byte{1}), markFrame(m.start.Stream, 1), clearFrame(m.start.Stream)} {
				require.True(t, json.Valid(out))
			}
		}
		if m.sound != nil {
			require.NotEmpty(t, m.sound.payload)
			require.GreaterOrEqual(t, m.sound.at, int64(0))
		}
	})
}

func FuzzParseRelay(f *testing.F) {
	for _, s := range []string{
		`{"type":"setup","sessionId":"VX1","accountSid":"AC1","callSid":"CA1","from":"+1","to":"+2","direction":"inbound","customParameters":{"a":"b"}}`,
		`{"type":"prompt","voicePrompt":"Hi!","lang":"en-US","last":true}`, `{"type":"dtmf","digit":"1"}`,
		`{"type":"interrupt","utteranceUntilInterrupt":"Life is","durationUntilInterruptMs":"460"}`,
		`{"type":"interrupt","durationUntilInterruptMs":1e400}`, `{"type":"error","description":"x"}`, `null`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseRelay(b)
		if err != nil {
			require.ErrorIs(t, err, fault.Invalid)
			return
		}
		if m.cut != nil {
			require.GreaterOrEqual(t, m.cut.after, time.Duration(0))
			s := &script{facts: &facts{}}
			words, length := timed("one two three")
			s.add(1, words, length)
			s.interrupt(m.cut)
			require.LessOrEqual(t, s.heard(1), length)
			require.GreaterOrEqual(t, s.heard(1), time.Duration(0))
		}
	})
}
