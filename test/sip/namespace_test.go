package sip_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/media/sip"
)

// heard is what the tortured server did with one message.
type heard struct {
	Status  int           `json:"status"`  // of its final answer, 0 for silence
	Options time.Duration `json:"options"` // until the OPTIONS sent after it was answered
}

// report is what the helper process prints.
type report struct {
	Heard map[string]heard `json:"heard"`
	Bugs  uint64           `json:"bugs"`
	Calls uint64           `json:"calls"`
}

// The 49 messages over UDP to a running server, in a network namespace of their
// own, for their Via headers name hosts of others: none crashes it, the valid
// are accepted, the invalid refused or dropped, and OPTIONS is answered within
// 100 ms after each.
func TestTortureMessagesOverUDP(t *testing.T) {
	name := fmt.Sprintf("flametree-sip-%d", os.Getpid())
	run(t, "ip", "netns", "add", name)
	defer run(t, "ip", "netns", "del", name)
	run(t, "ip", "netns", "exec", name, "ip", "link", "set", "lo", "up")

	self, err := os.Executable()
	require.NoError(t, err)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, "ip", "netns", "exec", name, self)
	cmd.Env = append(os.Environ(), insideKey+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", out)
	var got report
	require.NoError(t, json.Unmarshal(out, &got))
	require.Zero(t, got.Bugs)
	require.Len(t, got.Heard, 49)
	for name, want := range tortures() {
		require.Equal(t, want.answer, got.Heard[name].Status, "%s, RFC 4475 %s", name, want.section)
		require.Less(t, got.Heard[name].Options, 100*time.Millisecond, "OPTIONS after %s", name)
	}
	require.Equal(t, uint64(3), got.Calls, "esc01, longreq and inv2543 become calls")
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
}

// torturedServer is the helper process: it runs inside the namespace, sends
// itself every message and prints what it heard.
func torturedServer() int {
	r, err := torture49()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func torture49() (report, error) {
	r := report{Heard: map[string]heard{}}
	s := &server{}
	e, err := sip.Listen(context.Background(), sip.Options{
		UDP: "127.0.0.1:5060", Answer: s.answer, NewMedia: s.studio.NewMedia, Grace: 10 * time.Millisecond,
	})
	if err != nil {
		return r, err
	}
	defer e.Close()
	tormentor, err := newTormentor()
	if err != nil {
		return r, err
	}
	defer tormentor.close()
	for _, name := range slices.Sorted(maps.Keys(tortures())) {
		raw, err := os.ReadFile(filepath.Join("testdata", "rfc4475", name+".dat"))
		if err != nil {
			return r, err
		}
		h := heard{Status: tormentor.send(raw, name)}
		if h.Options, err = tormentor.probe(name); err != nil {
			return r, fmt.Errorf("after %s: %w", name, err)
		}
		r.Heard[name] = h
	}
	r.Bugs, r.Calls = e.Stats().Bugs, e.Stats().Calls
	return r, nil
}

// tormentor is the phone that sends the messages. Answers come to the port each
// Via names: 5060, and 5050 in quotbal.
type tormentor struct {
	main, other *net.UDPConn
	answers     chan string
	server      *net.UDPAddr
}

func newTormentor() (*tormentor, error) {
	o := &tormentor{answers: make(chan string, 1024), server: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5060}}
	var err error
	if o.main, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2), Port: 5060}); err != nil {
		return nil, err
	}
	if o.other, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2), Port: 5050}); err != nil {
		return nil, err
	}
	for _, conn := range []*net.UDPConn{o.main, o.other} {
		go func() {
			buf := make([]byte, 65536)
			for {
				n, err := conn.Read(buf)
				if err != nil {
					return
				}
				o.answers <- string(buf[:n])
			}
		}()
	}
	return o, nil
}

func (o *tormentor) close() {
	_ = o.main.Close()
	_ = o.other.Close()
}

// send sends one message and gives the status of its final answer, 0 when
// nothing came within 150 ms. The messages' names begin their Call-IDs, all but
// those of mpart01 and of insuf, which has none.
func (o *tormentor) send(raw []byte, name string) int {
	_, _ = o.main.WriteToUDP(raw, o.server)
	silence := time.After(150 * time.Millisecond)
	for {
		select {
		case text := <-o.answers:
			id := header(text, "Call-ID")
			if !strings.HasPrefix(id, name) && id != "" && name != "mpart01" {
				continue // a 200 repeated, for nobody acknowledges
			}
			if code, _ := strconv.Atoi(strings.Fields(text)[1]); code >= 200 {
				return code
			}
		case <-silence:
			return 0
		}
	}
}

// probe sends OPTIONS and measures how long its 200 takes.
func (o *tormentor) probe(after string) (time.Duration, error) {
	text := strings.ReplaceAll("OPTIONS sip:bank@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bKprobe"+after+
		"\nFrom: <sip:t@127.0.0.2>;tag=t\nTo: <sip:bank@127.0.0.1>\nCall-ID: probe-"+after+
		"\nCSeq: 1 OPTIONS\nMax-Forwards: 70\nContent-Length: 0\n\n", "\n", "\r\n")
	start := time.Now()
	_, _ = o.main.WriteToUDP([]byte(text), o.server)
	late := time.After(3 * time.Second)
	for {
		select {
		case text := <-o.answers:
			if header(text, "Call-ID") == "probe-"+after && strings.HasPrefix(text, "SIP/2.0 200 ") {
				return time.Since(start), nil
			}
		case <-late:
			return 0, fmt.Errorf("no answer to OPTIONS")
		}
	}
}

func header(text, name string) string {
	for line := range strings.SplitSeq(text, "\r\n") {
		if v, ok := strings.CutPrefix(line, name+": "); ok {
			return v
		}
	}
	return ""
}
