package telephony

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Weather is what happens to packets on a Road, by the chance of Seed.
type Weather struct {
	Seed   uint64
	Lose   float64       // share of packets that are lost
	Swap   float64       // share that come Behind later than they would
	Behind time.Duration // which is what reorders them
	Delay  time.Duration // of every packet
	Jitter time.Duration // up to which each is delayed further
}

// Road carries the sound of one call between a phone and whom it calls. Its
// methods may be called from any goroutine.
type Road struct {
	conn *net.UDPConn
	work sync.WaitGroup

	mu         sync.Mutex // guards what follows
	weather    Weather
	chance     *rand.Rand
	near, far  *net.UDPAddr
	seen, lost int
	order      int
	last       [2]time.Time
}

// NewRoad makes a Road; it ends with the test.
func NewRoad(t testing.TB, w Weather) *Road {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	r := &Road{conn: conn, weather: w, chance: rand.New(rand.NewPCG(w.Seed, 1))} // it repeats itself by intent
	r.work.Go(r.carry)
	t.Cleanup(func() {
		_ = conn.Close()
		r.work.Wait()
	})
	return r
}

// Through leads a phone's next call over the road.
func (p *Phone) Through(r *Road) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.via = r
}

// Addr is where both sides send.
func (r *Road) Addr() *net.UDPAddr {
	a, _ := r.conn.LocalAddr().(*net.UDPAddr)
	return a
}

func (r *Road) between(near, far *net.UDPAddr) *net.UDPAddr {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.near, r.far = near, far
	return r.Addr()
}

// Carried counts the packets that came to the road, those it lost, and those
// it let others overtake.
func (r *Road) Carried() (seen, lost, overtaken int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen, r.lost, r.order
}

func (r *Road) carry() {
	buf := make([]byte, 2048)
	for {
		n, from, err := r.conn.ReadFromUDP(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		r.mu.Lock()
		to := r.near
		way := 0
		if to != nil && from.Port == to.Port {
			to, way = r.far, 1
		}
		w := r.weather
		wait := w.Delay + time.Duration(r.chance.Float64()*float64(w.Jitter))
		if r.chance.Float64() < w.Swap {
			wait += w.Behind
		}
		lost := r.chance.Float64() < w.Lose
		r.seen++
		if lost {
			r.lost++
		} else if due := time.Now().Add(wait); due.Before(r.last[way]) {
			r.order++
		} else {
			r.last[way] = due
		}
		r.mu.Unlock()
		if to == nil || lost {
			continue
		}
		packet := append([]byte(nil), buf[:n]...)
		r.work.Add(1)
		time.AfterFunc(wait, func() {
			defer r.work.Done()
			_, _ = r.conn.WriteToUDP(packet, to)
		})
	}
}
