package cmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sort"
	"syscall"
	"time"

	"flametree/cluster/config"
	"flametree/cluster/node"
	"flametree/engine/provider"
	"flametree/media/pacer"
)

type doctorCmd struct{}

// finding is one line of doctor's report.
type finding struct {
	name, text string
	bad        bool
}

// Run implements the command.
func (doctorCmd) Run(ctx context.Context, e *Env) error {
	c, err := e.settings()
	if err != nil {
		return err
	}
	bad := 0
	for _, f := range examine(ctx, c) {
		mark := "ok  "
		if f.bad {
			mark = "BAD "
			bad++
		}
		e.printf("%s %-12s %s\n", mark, f.name, f.text)
	}
	if bad > 0 {
		return fmt.Errorf("%d things need attention", bad)
	}
	return nil
}

func examine(ctx context.Context, c config.Config) []finding {
	var out []finding
	add := func(name, good string, err error) {
		if err != nil {
			out = append(out, finding{name, err.Error(), true})
			return
		}
		out = append(out, finding{name, good, false})
	}
	text, err := disk(c)
	add("disk", text, err)
	text, err = fsync(c.Data)
	add("fsync", text, err)
	running := dial(c.Data).get(ctx, "GET", "/calls", &[]sessionRow{}) == nil
	for name, address := range map[string]string{"http": c.HTTP, "sip": c.SIP, "metrics": c.Metrics} {
		switch {
		case address == "":
			add(name, "off", nil)
		case running:
			add(name, "a server runs on this folder", nil)
		default:
			add(name, address+" is free", free(name, address))
		}
	}
	text, err = voice(ctx, c)
	add("voice", text, err)
	text, err = ears(ctx, c)
	add("recogniser", text, err)
	for _, v := range node.SpeechVerified() {
		add("vendor", verified(v), nil)
	}
	add("clock", clock(), nil)
	if err := pacer.Grant(); err != nil { // calls work without it: a hint, nothing bad
		add("priority", "RTP is sent at ordinary priority: "+err.Error(), nil)
	} else {
		add("priority", "RTP is sent at real-time priority", nil)
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out
}

func disk(c config.Config) (string, error) {
	at := c.Data
	for {
		if _, err := os.Stat(at); err == nil || at == "." || at == "/" {
			break
		}
		at = filepath.Dir(at)
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(at, &fs); err != nil {
		return "", err
	}
	free, total := float64(fs.Bavail)*float64(fs.Bsize), float64(fs.Blocks)*float64(fs.Bsize)
	text := fmt.Sprintf("%.1f GB of %.1f GB free", free/1e9, total/1e9)
	if free < float64(c.DiskLow.Bytes) || free < total*c.DiskLow.Percent/100 {
		return "", fmt.Errorf("%s: below disk.low, new conversations are refused; free some space", text)
	}
	return text, nil
}

// fsync measures how long a durable write takes, in a folder that may not exist yet.
func fsync(dir string) (_ string, err error) {
	if _, err := os.Stat(dir); err != nil {
		dir = filepath.Dir(dir)
	}
	f, err := os.CreateTemp(dir, "doctor-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	const n = 20
	var worst, sum time.Duration
	for range n {
		begun := time.Now()
		if _, err := f.Write(make([]byte, 512)); err != nil {
			return "", err
		}
		if err := f.Sync(); err != nil {
			return "", err
		}
		d := time.Since(begun)
		sum += d
		worst = max(worst, d)
	}
	text := fmt.Sprintf("a durable write takes %v, %v at worst", (sum / n).Round(time.Microsecond), worst.Round(time.Microsecond))
	if sum/n > 50*time.Millisecond {
		return "", errors.New(text + ": every reply waits for one; use a faster disk")
	}
	return text, nil
}

func free(name, address string) error {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("%w: end what listens there or give --%s another address", err, name)
	}
	return ln.Close()
}

func voice(ctx context.Context, c config.Config) (string, error) {
	p, err := node.Builtins(c)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	s, err := p.Synthesizers["builtin"].Open(ctx, provider.Voice{})
	if err != nil {
		return "", err
	}
	defer func() { _ = s.Close() }()
	begun := time.Now()
	if err := s.Speak("one two three", 1, 1); err != nil {
		return "", err
	}
	for a, err := range s.Audio() {
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("built in: first audio after %v at %d Hz", time.Since(begun).Round(time.Millisecond), a.RateHz), nil
	}
	return "", errors.New("the built-in voice said nothing")
}

func ears(ctx context.Context, c config.Config) (string, error) {
	p, err := node.Builtins(c)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	begun := time.Now()
	s, err := p.Transcribers["builtin"].Open(ctx, provider.Format{
		RateHz: 16000, BandHz: 8000, Hints: provider.Hints{Key: "doctor", Texts: []string{"one two three"}},
	})
	if err != nil {
		return "", err
	}
	if err := s.CloseSend(); err != nil {
		return "", err
	}
	for _, err := range s.Heard() {
		if err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("built in: ready after %v; it hears only words it knows from the agent's file", time.Since(begun).Round(time.Millisecond)), nil
}

// verified says when a vendor was last tested against itself.
func verified(v node.Verification) string {
	if v.Last == "never" {
		return v.Vendor + ": never tested against the vendor itself, only against a server written from what it publishes"
	}
	return v.Vendor + ": last tested against the vendor itself on " + v.Last
}

func clock() string {
	zone, _ := time.Now().Zone()
	return time.Now().Format("2006-01-02 15:04:05 ") + zone
}
