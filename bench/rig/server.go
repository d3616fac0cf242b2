package rig

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

	"flametree/cluster/config"
	"flametree/cluster/node"
	"flametree/engine/fault"
)

// ServerName is the child that serves.
const ServerName = "__server"

// Server is what the serving child is told first.
type Server struct {
	Data   string        `json:"data"` // an empty folder
	Agent  string        `json:"agent"`
	Script Script        `json:"script"`
	Phone  bool          `json:"phone"`
	Idle   time.Duration `json:"idle"`   // until a session leaves memory
	Egress string        `json:"egress"` // addresses that the agent may reach: its model
}

// Ready is what it answers when it serves.
type Ready struct {
	HTTP  string         `json:"http"`
	Agent node.DemoAgent `json:"agent"` // its SIP is the URI to call
}

// Wish is what it can be asked for after that.
type Wish struct {
	Heap    bool   `json:"heap,omitempty"`    // → Heap, after a collection
	Profile string `json:"profile,omitempty"` // begins a CPU profile in this file → true
}

// Heap is what lives in the child's Go memory.
type Heap struct {
	Bytes      uint64 `json:"bytes"` // objects on the heap and stacks
	Objects    uint64 `json:"objects"`
	Goroutines int    `json:"goroutines"`
}

// Settings are the server's: all defaults, but for addresses and folder.
func (s Server) Settings() (config.Config, error) {
	flags := map[string]string{
		"data": s.Data, "http": "127.0.0.1:0", "sip": "off", "rtp": "0-0", "metrics": "off", "disk.ballast": "1MB", "log": "warn",
	}
	if s.Phone {
		flags["sip"] = "127.0.0.1:0"
	}
	if s.Egress != "" {
		flags["egress.allow"] = s.Egress
	}
	if s.Idle > 0 {
		flags["session.idle"] = s.Idle.String()
	}
	return config.Load(config.Sources{Flags: flags, Getenv: func(string) string { return "" }})
}

// Serve is the serving child: it reads a Server, answers Ready, then does what
// it is asked for, until in ends.
func Serve(ctx context.Context, in io.Reader, out io.Writer) (err error) {
	ask, tell := json.NewDecoder(in), json.NewEncoder(out)
	var s Server
	if err := ask.Decode(&s); err != nil {
		return fmt.Errorf("serve: %w: %w", fault.Invalid, err)
	}
	c, err := s.Settings()
	if err != nil {
		return err
	}
	n, err := node.Start(ctx, node.Options{
		Config: c, Providers: s.Script.Providers, Version: "bench",
		Agents: []node.AgentFile{{Name: "bench", Text: []byte(s.Agent)}},
		Log:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Fatal:  func(err error) { panic("the journal cannot go on: " + err.Error()) }, // nothing measured after this is worth anything
	})
	if err != nil {
		return err
	}
	defer n.Stop(time.Second)
	if err := tell.Encode(Ready{HTTP: n.Addresses().HTTP, Agent: n.Agents()[0]}); err != nil {
		return err
	}
	var profiling profile
	defer func() { err = errors.Join(err, profiling.stop()) }()
	for {
		var w Wish
		if err := ask.Decode(&w); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("serve: %w: %w", fault.Invalid, err)
		}
		var answer any = heap()
		if w.Profile != "" {
			if err := profiling.start(w.Profile); err != nil {
				return err
			}
			answer = true
		}
		if err := tell.Encode(answer); err != nil {
			return err
		}
	}
}

// heap collects twice: what the first round finalizes, the second frees.
func heap() Heap {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Heap{Bytes: m.HeapAlloc + m.StackInuse, Objects: m.HeapObjects, Goroutines: runtime.NumGoroutine()}
}

// profile is a CPU profile that is being written.
type profile struct{ file *os.File }

func (p *profile) start(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	p.file = f
	return pprof.StartCPUProfile(f)
}

func (p *profile) stop() error {
	if p.file == nil {
		return nil
	}
	pprof.StopCPUProfile()
	return p.file.Close()
}
