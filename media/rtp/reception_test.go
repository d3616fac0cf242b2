package rtp

import (
	"math"
	"testing"
	"time"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// feed pushes packets with these sequence numbers, 20 ms apart.
func feed(r *reception, seqs ...uint16) {
	for i, seq := range seqs {
		r.push(&Packet{SSRC: 5, Sequence: seq, Timestamp: uint32(i) * 160, At: start.Add(time.Duration(i) * 20 * time.Millisecond)}, true)
	}
}

func run(from, n int) []uint16 {
	out := make([]uint16, n)
	for i := range out {
		out[i] = uint16(from + i)
	}
	return out
}

func TestCounting(t *testing.T) {
	tests := map[string]struct {
		seqs           []uint16
		received, lost uint64
	}{
		"in order":                       {run(10, 100), 100, 0},
		"across the wrap":                {run(65500, 100), 100, 0},
		"five are missing":               {append(run(1, 50), run(56, 50)...), 100, 5},
		"missing across the wrap":        {append(run(65500, 30), run(10, 30)...), 60, 16},
		"reordered":                      {[]uint16{1, 3, 2, 4}, 4, 0},
		"a stray far off":                {append(run(1, 10), append([]uint16{30000}, run(11, 10)...)...), 20, 0},
		"the sender starts over":         {append(run(1, 10), run(40000, 10)...), 19, 0},
		"a duplicate hides no loss":      {[]uint16{1, 2, 2, 4}, 4, 1},
		"nothing received, nothing lost": {nil, 0, 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			r := &reception{rateHz: 8000}
			feed(r, tc.seqs...)
			if got := r.total(); got != (counters{tc.received, tc.lost}) {
				t.Errorf("received and lost %+v, want %d and %d", got, tc.received, tc.lost)
			}
		})
	}
}

func TestAnotherSourceKeepsTheTotals(t *testing.T) {
	r := &reception{rateHz: 8000}
	feed(r, 1, 2, 5)
	r.push(&Packet{SSRC: 6, Sequence: 900}, true)
	r.push(&Packet{SSRC: 6, Sequence: 902}, true)
	if got := r.total(); got != (counters{5, 3}) {
		t.Errorf("%+v, want 5 received, 3 lost over both sources", got)
	}
}

func TestReportCountsFromTheLastOne(t *testing.T) {
	r := &reception{rateHz: 8000}
	feed(r, run(1, 75)...)
	feed(r, run(101, 100)...) // 25 of 200 are missing
	first := r.report(start)
	if first.FractionLost != 32 || first.TotalLost != 25 || first.LastSequenceNumber != 200 || first.SSRC != 5 {
		t.Errorf("first report %+v, want 32/256 and 25 lost up to 200", first)
	}
	feed(r, run(201, 100)...)
	if second := r.report(start); second.FractionLost != 0 || second.TotalLost != 25 {
		t.Errorf("second report %+v, want nothing new lost", second)
	}
}

func TestJitter(t *testing.T) {
	r := &reception{rateHz: 8000}
	for i := range 2000 {
		shift := time.Duration(i%2) * 10 * time.Millisecond
		r.push(&Packet{Sequence: uint16(i), Timestamp: math.MaxUint32 - 1000 + uint32(i)*160, At: start.Add(time.Duration(i)*20*time.Millisecond + shift)}, true)
	}
	if got := r.jitterTime(); got < 9900*time.Microsecond || got > 10*time.Millisecond {
		t.Errorf("jitter %v, want 10ms", got)
	}
	before := r.jitter
	r.push(&Packet{Sequence: 2000, Timestamp: 0, At: start.Add(time.Minute)}, false)
	if r.jitter != before {
		t.Error("a telephone event counted for the jitter")
	}
}

// Two ends exchange reports over a road of 30 ms each way.
func TestRoundTripByReports(t *testing.T) {
	const way = 30 * time.Millisecond
	a, b := &sending{ssrc: 1, packets: 1}, &sending{ssrc: 2}
	hearsA, hearsB := &reception{rateHz: 8000}, &reception{rateHz: 8000}
	hearsA.push(&Packet{SSRC: 1, At: start}, true)
	exchange := func(now time.Time, from, to *sending, fromHears, toHears *reception) {
		t.Helper()
		raw, err := compound(now, from, fromHears, "x@y", false)
		if err != nil {
			t.Fatal(err)
		}
		c, err := ParseControl(raw)
		if err != nil {
			t.Fatal(err)
		}
		to.learn(now.Add(way), c, toHears)
	}
	exchange(start, a, b, hearsB, hearsA)
	exchange(start.Add(500*time.Millisecond), b, a, hearsA, hearsB)
	if off := a.roundTrip - 2*way; off < -time.Millisecond || off > time.Millisecond {
		t.Errorf("round trip %v, want %v", a.roundTrip, 2*way)
	}
}

func TestSenderReportTellsWhatWasSent(t *testing.T) {
	s := &sending{ssrc: 1, packets: 10, octets: 1600, stamp: 5000, stampAt: start}
	raw, err := compound(start.Add(100*time.Millisecond), s, &reception{rateHz: 8000}, "x@y", false)
	if err != nil {
		t.Fatal(err)
	}
	if raw[1] != 200 {
		t.Fatalf("type %d, want a sender report", raw[1])
	}
	stamp := uint32(raw[16])<<24 | uint32(raw[17])<<16 | uint32(raw[18])<<8 | uint32(raw[19])
	if stamp != 5800 {
		t.Errorf("RTP time %d, want 5800: 100 ms after the last packet", stamp)
	}
	if raw, err = compound(start, s, &reception{rateHz: 8000}, "x@y", true); err != nil || raw[1] != 201 {
		t.Errorf("type %d, %v: nothing was sent since, want a receiver report", raw[1], err)
	}
	if c, err := ParseControl(raw); err != nil || !c.Bye {
		t.Errorf("%+v, %v: want a goodbye", c, err)
	}
}
