package voice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"sync"
	"time"

	"flametree/actors"
	"flametree/bench/report"
	"flametree/bench/rig"
	"flametree/cluster/node"
	"flametree/engine/fault"
	"flametree/media/line"
	"flametree/media/pacer"
	"flametree/media/rtp"
	"flametree/media/sip"
)

// LegsName is the child that answers calls with legs alone: no ears, no mouth,
// no turn machine, no recording, no journal.
const LegsName = "__legs"

// legsSum is what all its legs counted. It comes with what lives in memory.
type legsSum struct {
	rig.Heap
	Sent     float64 `json:"sent"`
	Received float64 `json:"received"`
	Lost     float64 `json:"lost"`
}

// legs is what the child runs.
type legs struct {
	tone    []int16
	playing sync.WaitGroup

	mu  sync.Mutex // guards sum
	sum legsSum
}

// Legs is the serving child: it answers rig.Ready, then what rig.Wish asks for,
// until in ends.
func Legs(ctx context.Context, in io.Reader, out io.Writer) (err error) {
	node.Tune() // as `flametree serve` does
	ask, tell := json.NewDecoder(in), json.NewEncoder(out)
	var first struct{}
	if err := ask.Decode(&first); err != nil {
		return fmt.Errorf("legs: %w: %w", fault.Invalid, err)
	}
	ports, err := rtp.NewPool(0, 0)
	if err != nil {
		return err
	}
	reads, err := rtp.NewReader(node.ReaderOptions())
	if err != nil {
		return err
	}
	ports.Use(reads)
	wheel := pacer.New(node.PacerOptions())
	l := &legs{}
	l.tone, _ = utterance(second, 200)
	endpoint, err := sip.Listen(ctx, sip.Options{
		UDP: "127.0.0.1:0", TCP: "127.0.0.1:0", Answer: l.answer, NewMedia: line.Maker{Ports: ports, Wheel: wheel}.New, Mux: true,
	})
	if err != nil {
		return errors.Join(err, reads.Close(), wheel.Close())
	}
	defer func() {
		err = errors.Join(err, endpoint.Close())
		l.playing.Wait()
		err = errors.Join(err, reads.Close(), wheel.Close())
	}()
	udp, _ := endpoint.Addrs()
	if err := tell.Encode(rig.Ready{Agent: node.DemoAgent{SIP: "sip:bench@" + udp.String()}}); err != nil {
		return err
	}
	return l.serve(ask, tell)
}

// second is what is played at once, again and again.
const second = time.Second

func (l *legs) serve(ask *json.Decoder, tell *json.Encoder) error {
	for {
		var w rig.Wish
		if err := ask.Decode(&w); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("legs: %w: %w", fault.Invalid, err)
		}
		if w.Profile == "" {
			if err := tell.Encode(l.total()); err != nil {
				return err
			}
			continue
		}
		f, err := os.Create(w.Profile)
		if err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		defer func() { pprof.StopCPUProfile(); _ = f.Close() }() // asked for once
		if err := errors.Join(pprof.StartCPUProfile(f), tell.Encode(true)); err != nil {
			return err
		}
	}
}

func (l *legs) total() legsSum {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sum.Heap = rig.Heap{Bytes: m.HeapAlloc + m.StackInuse, Objects: m.HeapObjects, Goroutines: runtime.NumGoroutine()}
	return l.sum
}

// answer takes every call and plays to it until its line has ended.
func (l *legs) answer(_ context.Context, inv sip.Invite) error {
	ctx, end := context.WithCancel(context.Background())
	inv.Line.Start(func(f actors.Fact) {
		if f.Kind == actors.FactLineEnded {
			end()
		}
	})
	inv.Leg.Start(func(actors.Fact) {})
	l.playing.Go(func() {
		defer end()
		for inv.Leg.Play(ctx, 1, l.tone, 8000) == nil {
		}
		<-ctx.Done()
		<-inv.Call.Gone() // its last packets are counted
		s := inv.Leg.Stats()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.sum.Sent += float64(s.Sent)
		l.sum.Received += float64(s.Received)
		l.sum.Lost += float64(s.Lost)
	})
	return nil
}

// packets measures legs alone.
func (o *Options) packets(ctx context.Context, dir string) (report.Report, error) {
	calls, used, err := o.call(ctx, child{LegsName, struct{}{}}, dir)
	if err != nil {
		return report.Report{}, err
	}
	f := figures{}
	for _, c := range calls {
		if c.Fault != "" {
			f.faults = append(f.faults, c.Fault)
		}
		f.caller(c)
	}
	f.lost += int(used.legs.Lost)
	r := o.head()
	m := &r.Metrics
	m.Add("pacing_ms", report.Of(f.pacing))
	m.Add("lost_packets", f.lost)
	m.Add("cpu_percent_per_call", used.share(o.Calls))
	m.Add("memory_bytes_per_call", used.memory(o.Calls))
	m.Add("goroutines_per_call", float64(used.busy.Goroutines-used.idle.Goroutines)/float64(o.Calls))
	m.Add("setup_ms", report.Of(f.setup))
	m.Add("packets", f.received+f.sent)
	r.Gates = append(o.carried(f), report.Gate{Name: "CPU per call", Want: wantPackets, Got: used.share(o.Calls), Unit: "%"}, o.weight(used))
	r.Checks = []report.Check{
		{Name: "packets: callers sent, legs received or missed", Left: f.sent, Right: used.legs.Received + used.legs.Lost},
		{Name: "packets: legs sent, callers received", Left: used.legs.Sent, Right: f.received},
	}
	r.Plots = []report.Plot{{Title: "Pacing: distance of a packet gap from 20 ms", Unit: "ms", Series: []report.Series{{Name: "pacing", Values: f.pacing}}}}
	r.Notes = []string{"Legs alone: sockets, codec, jitter buffer, voice detection and pacer, both sides speaking all the time. No ears, mouth, recording or journal."}
	if len(f.faults) > 0 {
		slices.Sort(f.faults)
		err = fmt.Errorf("bench voice: %d calls failed, such as: %s: %w", len(f.faults), f.faults[0], fault.Unavailable)
	}
	return r, errors.Join(err, r.Failed())
}
