package leg

import (
	"math"
	"math/rand"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"flametree/actors"
)

// road carries packets from one leg to another and loses, delays and copies
// some by seed.
type road struct {
	in   *net.UDPConn
	from *net.UDPAddr // packets of the other direction go straight there
	to   *net.UDPAddr
	rnd  *rand.Rand
	loss float64
	late map[int][][]byte // by number of packet after which they go out
	n    int
}

func newRoad(t *testing.T, from, to *side, seed int64, loss float64) *road {
	t.Helper()
	in, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	r := &road{in: in, from: net.UDPAddrFromAddrPort(from.conn.Local()), to: net.UDPAddrFromAddrPort(to.conn.Local()), rnd: rand.New(rand.NewSource(seed)), loss: loss, late: map[int][][]byte{}}
	var going sync.WaitGroup
	going.Go(r.run)
	t.Cleanup(func() { _ = in.Close(); going.Wait() })
	return r
}

func (r *road) run() {
	buf := make([]byte, 2000)
	for {
		n, src, err := r.in.ReadFromUDP(buf)
		if err != nil {
			return
		}
		if src.Port == r.to.Port {
			_, _ = r.in.WriteToUDP(buf[:n], r.from)
			continue
		}
		r.n++
		p := slices.Clone(buf[:n])
		switch x := r.rnd.Float64(); {
		case x < r.loss:
		case x < r.loss+0.1: // two packets late
			r.late[r.n+2] = append(r.late[r.n+2], p)
		case x < r.loss+0.15:
			r.send(p)
			r.send(p)
		default:
			r.send(p)
		}
		for _, p := range r.late[r.n] {
			r.send(p)
		}
		delete(r.late, r.n)
	}
}

func (r *road) send(p []byte) { _, _ = r.in.WriteToUDP(p, r.to) }

func TestSoundSurvivesLossAndReorder(t *testing.T) {
	for seed := range int64(3) {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			a, b := h.leg(nil), h.leg(nil)
			r := newRoad(t, a, b, seed, 0.05)
			a.conn.SetRemote(r.in.LocalAddr().(*net.UDPAddr).AddrPort())
			b.conn.SetRemote(r.in.LocalAddr().(*net.UDPAddr).AddrPort())
			e := newEar()
			b.Hear(e.hear, 0)
			a.start()
			b.start()
			if err := a.Play(t.Context(), 1, tone(3*time.Second, 500, 8000, 8000), 8000); err != nil {
				t.Fatal(err)
			}
			samples := e.await(t, 120)
			if err := a.Press('7', 100*ms); err != nil {
				t.Fatal(err)
			}
			b.wait(t, actors.FactDigit)
			// Each tenth of a second from its second on, the tone is there.
			whole, weak := 0, 0
			for at := 30 * 320; at+1600 < 100*320; at += 1600 {
				whole++
				if db := 20 * math.Log10(strength(samples[at:at+1600], 500, 16000)/8000); db < -4 {
					weak++
				}
			}
			s := b.Stats()
			if s.Lost == 0 || s.Concealed == 0 {
				t.Errorf("the road lost nothing: %+v", s)
			}
			if weak*2 > whole { // a busy machine adds losses of its own
				t.Errorf("%d of %d tenths of a second lack the tone (%+v)", weak, whole, s)
			}
		})
	}
}
