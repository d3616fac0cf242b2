package jitter

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flametree/engine/fault"
)

func newPackets(t testing.TB, opt Options) *Packets {
	t.Helper()
	p, err := NewPackets(opt, 48000)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAClockThatDoesNotFitIsRefused(t *testing.T) {
	for _, hz := range []int{0, -48000, 44100} {
		if _, err := NewPackets(Options{}, hz); !errors.Is(err, fault.Invalid) {
			t.Errorf("%d Hz: %v, want fault.Invalid", hz, err)
		}
	}
	if _, err := NewPackets(Options{Max: time.Hour}, 48000); !errors.Is(err, fault.Invalid) {
		t.Errorf("a delay of an hour: %v, want fault.Invalid", err)
	}
}

// Whatever the packets' length and from whatever timestamp: every piece is
// given once, in order, from the packet in which it was sent.
func TestEveryPieceIsGivenInItsPlace(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := newPackets(t, Options{})
		length := rapid.SampledFrom([]int{4, 8, 16, 24}).Draw(rt, "units in a packet")
		stamp := rapid.Uint32().Draw(rt, "timestamp")
		seq := rapid.Uint16().Draw(rt, "number")
		swap := rapid.Bool().Draw(rt, "each second packet overtakes")
		now := time.Unix(100, 0)
		sent, given := 0, -1
		send := func(n int) {
			payload := []byte{byte(n), byte(n >> 8), 9}
			p.Push(now, seq+uint16(n), stamp+uint32(n*length*120), payload, length*120)
		}
		for frame := range 200 {
			for sent*length <= frame*Units+Units+length {
				if swap {
					send(sent + 1)
				}
				send(sent)
				if !swap {
					send(sent + 1)
				}
				sent += 2
			}
			if status := p.Pop(now); status == Frame {
				for u := range Units {
					piece, ok := p.Piece(u)
					if !ok {
						rt.Fatalf("frame %d has no piece %d", frame, u)
					}
					at := (int(piece.Payload[0])|int(piece.Payload[1])<<8)*length + piece.Into
					if given >= 0 && at != given+1 && (at-given-1)%Units != 0 { // whole frames may be left out
						rt.Fatalf("piece %d after piece %d", at, given)
					}
					given = at
				}
			}
			now = now.Add(tick)
		}
		if given < 1000 {
			rt.Fatalf("only %d pieces were given", given)
		}
	})
}

func TestWhatIsLostIsFollowedByWhatTellsOfIt(t *testing.T) {
	p := newPackets(t, Options{Min: 40 * time.Millisecond})
	now := time.Unix(100, 0)
	lost := 0
	for n := range 50 {
		if n%10 != 7 {
			p.Push(now, uint16(n), uint32(n*960), []byte{byte(n)}, 960)
		}
		if p.Pop(now) == Lost {
			lost++
			if _, ok := p.Piece(0); ok {
				t.Error("what is lost is there")
			}
			next, ok := p.Piece(Units)
			if !ok || next.Payload[0]%10 != 8 || next.Into != 0 {
				t.Errorf("after what is lost comes %v, %v", next, ok)
			}
			if !p.Placed() {
				t.Error("the lost frame has no place")
			}
		}
		now = now.Add(tick)
	}
	if lost != 5 {
		t.Errorf("%d frames lost, want 5", lost)
	}
	for range 2 {
		p.Pop(now)
	}
	if p.Pop(now); p.Placed() {
		t.Error("a stream that ran dry still moves on")
	}
}

// A flood of large packets costs the oldest, never the order nor the memory.
func TestMorePacketsThanAreKept(t *testing.T) {
	p := newPackets(t, Options{})
	now := time.Unix(100, 0)
	for n := range 100 {
		big := make([]byte, 1400)
		big[0] = byte(n)
		p.Push(now, uint16(n), uint32(n*960), big, 960)
	}
	last := -1
	for range 10 {
		if p.Pop(now) != Frame {
			continue
		}
		piece, ok := p.Piece(0)
		if !ok || int(piece.Payload[0]) <= last || len(piece.Payload) != 1400 {
			t.Fatalf("after packet %d comes %v", last, ok)
		}
		last = int(piece.Payload[0])
	}
	if last != 99 {
		t.Errorf("the last packet given is %d, want 99", last)
	}
	if got := p.Push(now, 200, 0, nil, 960); got != Strange {
		t.Errorf("an empty packet is %d", got)
	}
	if got := p.Push(now, 200, 0, []byte{1}, 12000); got != Strange {
		t.Errorf("a packet of a quarter of a second is %d", got)
	}
	if n := testing.AllocsPerRun(100, func() { p.Push(now, 201, 96000, []byte{1}, 960); p.Pop(now); p.Piece(0) }); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func FuzzPackets(f *testing.F) {
	f.Add([]byte{1, 0, 8, 2, 0, 8, 4, 1, 24})
	f.Add([]byte{255, 255, 48, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		p := newPackets(t, Options{})
		now := time.Unix(100, 0)
		for ; len(b) >= 3; b = b[3:] {
			p.Push(now, uint16(b[0]), uint32(b[1])<<20|uint32(b[0])*960, b[:min(len(b), 900)], int(b[2])*120)
			p.Pop(now)
			for u := range Units + 1 {
				if piece, ok := p.Piece(u); ok && (piece.Into < 0 || piece.Into >= 48 || len(piece.Payload) == 0) {
					t.Fatalf("piece %+v", piece)
				}
			}
			now = now.Add(tick)
		}
	})
}
