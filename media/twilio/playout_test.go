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

// TestAnyOrderOfWishes: whatever is asked in whatever order, never more than the
// window is out beyond the last mark, nothing of a flushed generation is sent,
// what is told as heard was sent and never shrinks within a generation.
func TestAnyOrderOfWishes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := &facts{}
		p := &playout{ring: make([]byte, ringBytes), facts: f}
		now := time.Unix(0, 0)
		var frame [frameBytes]byte
		var flushed, gen uint64
		high := map[uint64]int64{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "ms")) * time.Millisecond)
			some := uint64(rapid.IntRange(0, 6).Draw(t, "gen"))
			switch rapid.IntRange(0, 9).Draw(t, "wish") {
			case 0, 1, 2:
				if !p.dead(some) && !p.full() {
					gen = some
					p.begin(some)
					p.write(now, make([]int16, rapid.IntRange(0, 8000).Draw(t, "samples")))
				}
			case 3, 4, 5:
				for p.room(now) {
					s := p.ready()
					n := p.take(frame[:])
					if n == 0 {
						break
					}
					if flushed > 0 && s.gen < flushed {
						t.Fatalf("sound of generation %d, which was flushed", s.gen)
					}
					if p.paused && s.gen <= p.pausedUpTo {
						t.Fatal("sound in a pause")
					}
					p.gone(now, n)
					if p.markDue() {
						p.put()
					}
				}
			case 6:
				if len(p.marks) > 0 {
					name := p.marks[rapid.IntRange(0, len(p.marks)-1).Draw(t, "mark")].name
					p.reachedMark(now, name)
				} else {
					p.reachedMark(now, some)
				}
			case 7:
				p.pause(now, some)
			case 8:
				p.resume(now, some, time.Duration(rapid.IntRange(-10, 9000).Draw(t, "from"))*time.Millisecond)
			case 9:
				switch rapid.IntRange(0, 2).Draw(t, "end") {
				case 0:
					p.flush(now, some)
					flushed = max(flushed, some+1)
				case 1:
					p.end(now, some)
				case 2:
					p.mark(now, some, 1)
				}
			}
			if p.wire-p.acked > windowBytes {
				t.Fatalf("%d bytes beyond the last mark", p.wire-p.acked)
			}
			if p.heard > p.written || p.sent > p.written || p.sent < p.heard {
				t.Fatalf("heard %d, sent %d, written %d", p.heard, p.sent, p.written)
			}
			if gen >= flushed {
				r := p.reached(gen)
				if s := p.segment(gen); s != nil && (r < high[gen] || r > s.end-s.start) {
					t.Fatalf("generation %d: heard %d after %d", gen, r, high[gen])
				}
				high[gen] = r
			}
		}
		told := map[uint64]bool{}
		for _, one := range f.queue {
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
