package sip

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/pprof"
	"time"

	"flametree/bench/rig"
	"flametree/cluster/node"
	"flametree/engine/fault"
	"flametree/engine/provider"
)

// ServerName is the child that is measured. It is rig's, but for a voice that
// costs next to nothing, and for admission: how many calls are taken when
// packets are late is another bench's business.
const ServerName = "__sip_server"

// patient is a lateness of packets that does not come about.
const patient = time.Minute

// Serve is the serving child: it reads a rig.Server, answers rig.Ready, begins a
// profile when it is asked to, and serves until in ends.
func Serve(ctx context.Context, in io.Reader, out io.Writer) (err error) {
	ask, tell := json.NewDecoder(in), json.NewEncoder(out)
	var s rig.Server
	if err := ask.Decode(&s); err != nil {
		return fmt.Errorf("serve: %w: %w", fault.Invalid, err)
	}
	c, err := s.Settings()
	if err != nil {
		return err
	}
	c.PacerLate = patient
	node.Tune() // as `flametree serve` does
	n, err := node.Start(ctx, node.Options{
		Config: c, Version: "bench", Agents: []node.AgentFile{{Name: "bench", Text: []byte(s.Agent)}},
		Providers: func(dir string) (node.Providers, error) {
			p, err := s.Script.Providers(dir)
			p.Synthesizers = map[string]provider.Synthesizer{"fake": voice{}}
			return p, err
		},
		Log:   slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Fatal: func(err error) { panic("the journal cannot go on: " + err.Error()) }, // nothing measured after this is worth anything
	})
	if err != nil {
		return err
	}
	defer n.Stop(time.Second)
	if err := tell.Encode(rig.Ready{HTTP: n.Addresses().HTTP, Agent: n.Agents()[0]}); err != nil {
		return err
	}
	var p profile
	defer func() { err = errors.Join(err, p.stop()) }()
	for {
		var w rig.Wish
		if err := ask.Decode(&w); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("serve: %w: %w", fault.Invalid, err)
		}
		var answer any = true
		if w.Heap {
			answer, err = p.heap()
		} else {
			err = p.start(w.Profile)
		}
		if err = errors.Join(err, tell.Encode(answer)); err != nil {
			return err
		}
	}
}

// profile is a CPU profile that is being written, and later one of the heap
// beside it.
type profile struct {
	path string
	file *os.File
}

func (p *profile) start(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("profile: %w: %w", fault.Invalid, err)
	}
	p.path, p.file = path, f
	return pprof.StartCPUProfile(f)
}

func (p *profile) stop() error {
	if p.file == nil {
		return nil
	}
	pprof.StopCPUProfile()
	return p.file.Close()
}

// heap tells what lives in memory after two collections: what the first round
// finalizes, the second frees.
func (p *profile) heap() (h rig.Heap, err error) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h = rig.Heap{Bytes: m.HeapAlloc + m.StackInuse, Objects: m.HeapObjects, Goroutines: runtime.NumGoroutine()}
	if p.path == "" {
		return h, nil
	}
	f, err := os.Create(p.path + ".heap")
	if err != nil {
		return h, fmt.Errorf("profile: %w: %w", fault.Invalid, err)
	}
	return h, errors.Join(pprof.WriteHeapProfile(f), f.Close())
}
