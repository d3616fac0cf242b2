package cmd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"flametree/cluster/config"
	"flametree/cluster/node"
	"flametree/cluster/voicescript"
	"flametree/engine/agent"
	"flametree/engine/agent/demo"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/flite"
	"flametree/engine/provider/pocketsphinx"
	"flametree/engine/scenario"
)

// stages are the servers that scenarios call: one that runs, or one for each
// agent that lives as long as the command.
type stages struct {
	env    *Env
	server string
	tell   func(scenario string, at time.Duration, what string)

	dir    string
	ears   *pocketsphinx.Transcriber
	studio voicescript.Studio
	asked  bool              // the server that runs is there
	ready  map[string]*stage // by agent, as scenarios name it
}

// stage is a server with one agent.
type stage struct {
	target voicescript.Target
	studio voicescript.Studio
	stop   func()
}

// open makes ready whatever the takes call.
func (s *stages) open(ctx context.Context, takes []*take) error {
	synth, err := flite.New(flite.Options{})
	if err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "flametree-scenario-"); err != nil {
		return err
	}
	s.ears = pocketsphinx.New(pocketsphinx.Options{Dir: filepath.Join(s.dir, "ears")})
	s.studio = voicescript.Studio{
		Render: func(ctx context.Context, voice, text string) ([]int16, error) { return render(ctx, synth, voice, text) },
		Load:   load, Ears: s.ears, Tell: s.tell,
	}
	if s.server == "" { // our own servers run in this process: as serve does
		node.Tune()
	}
	for _, t := range takes {
		key := agentKey(t.scenario)
		if s.ready[key] != nil {
			continue
		}
		var st *stage
		if s.server == "" {
			st, err = s.own(ctx, t.scenario)
		} else {
			st, err = s.foreign(ctx, t.scenario)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", t.scenario.File, err)
		}
		s.ready[key] = st
	}
	return nil
}

func (s *stages) play(ctx context.Context, t *take) (voicescript.Outcome, error) {
	st := s.ready[agentKey(t.scenario)]
	return st.studio.Play(ctx, t.scenario, filepath.Dir(t.scenario.File), st.target)
}

func (s *stages) close() error {
	for _, st := range s.ready {
		st.stop()
	}
	if s.ears != nil {
		s.ears.Close()
	}
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}

func isFile(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// agentKey names the agent of a scenario: a file by its place, or an alias.
func agentKey(sc *scenario.Scenario) string {
	if isFile(sc.Agent) && !filepath.IsAbs(sc.Agent) {
		return filepath.Join(filepath.Dir(sc.File), sc.Agent)
	}
	return sc.Agent
}

// file reads the agent of a scenario: a file beside it, or one of the demo.
func file(sc *scenario.Scenario) (node.AgentFile, *agent.Revision, error) {
	var f node.AgentFile
	if isFile(sc.Agent) {
		var err error
		if f, err = agentFile(agentKey(sc)); err != nil {
			return f, nil, err
		}
	} else {
		for _, d := range demo.Files() {
			if spec, _, err := agent.Parse(d.Text); err == nil && (spec.Alias == sc.Agent || d.Name == sc.Agent) {
				f = node.AgentFile{Name: d.Name, Text: d.Text}
			}
		}
		if f.Text == nil {
			return f, nil, fmt.Errorf("agent %q is neither a file (it would end in .yaml) nor one of the demo (bank, eventhub): "+
				"name a file, or the server that has it by --server: %w", sc.Agent, fault.NotFound)
		}
	}
	rev, _, err := agent.Compile(cmp.Or(sc.Agent, f.Name), 1, f.Text)
	if err != nil {
		return f, nil, fmt.Errorf("%s: %w", f.Name, err)
	}
	return f, rev, nil
}

// own starts a server with the agent alone.
func (s *stages) own(ctx context.Context, sc *scenario.Scenario) (*stage, error) {
	f, rev, err := file(sc)
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	flags := map[string]string{
		"data": filepath.Join(s.dir, fmt.Sprintf("data-%d", len(s.ready)+1)), "http": "127.0.0.1:0", "sip": port, "rtp": "0-0", "webrtc": "off",
		"metrics": "off", "disk.low": "16MB", "disk.ballast": "1MB",
	}
	for k, v := range s.env.Flags {
		if k != "data" {
			flags[k] = v
		}
	}
	c, err := config.Load(config.Sources{Flags: flags, Getenv: config.Getenv})
	if err != nil {
		return nil, err
	}
	n, err := node.Start(ctx, node.Options{Config: c, Agents: []node.AgentFile{f}, Version: Version(), Log: s.env.logger("error")})
	if err != nil {
		return nil, err
	}
	st := &stage{stop: func() { n.Stop(time.Second) }, studio: s.studio}
	if err := n.SourcesRead(ctx); err != nil {
		st.stop()
		return nil, err
	}
	st.studio.Journal = journalOf(c.Data)
	st.target = voicescript.Target{URI: n.Agents()[0].SIP, Hints: rev.Hints()}
	return st, nil
}

// freePort finds an address that is free for SIP over UDP and TCP: with port 0 each
// would get a port of its own.
func freePort() (string, error) {
	for range 20 {
		udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return "", fmt.Errorf("a free port for SIP: %w: %w", fault.Unavailable, err)
		}
		at := udp.LocalAddr().String()
		tcp, err := net.Listen("tcp", at)
		_ = udp.Close()
		if err == nil {
			return at, tcp.Close()
		}
	}
	return "", fmt.Errorf("no port is free for SIP over UDP and TCP: %w", fault.Unavailable)
}

// foreign finds an agent on a server that runs already.
func (s *stages) foreign(ctx context.Context, sc *scenario.Scenario) (*stage, error) {
	address, data, err := s.address()
	if err != nil {
		return nil, err
	}
	if err := s.there(ctx, address); err != nil {
		return nil, err
	}
	st := &stage{stop: func() {}, studio: s.studio}
	if data != "" {
		st.studio.Journal = journalOf(data)
	} else {
		st.studio.Blind = "the server is known by its SIP address alone; give its data folder as --server to look inside"
	}
	user, hints := sc.Agent, provider.Hints{Key: sc.Agent}
	if _, rev, err := file(sc); err == nil {
		hints = rev.Hints()
		if isFile(sc.Agent) {
			user = rev.Spec.Alias
		}
	} else if isFile(sc.Agent) {
		return nil, err
	}
	if user == "" {
		return nil, fmt.Errorf("the agent of %s has no alias, and a server is asked for one by its alias or id: give the file one, or name the id: %w",
			sc.Agent, fault.Invalid)
	}
	st.target = voicescript.Target{URI: "sip:" + user + "@" + address, Hints: hints}
	return st, nil
}

// there asks a SIP server over UDP whether it is there. Any answer will do; a
// call to nobody would take half a minute to fail (RFC 3261 17.1.1.2, timer B).
func (s *stages) there(ctx context.Context, address string) error {
	if s.asked {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	nobody := func(err error) error {
		return fmt.Errorf("no server answers SIP at %s: start one with flametree serve, or leave --server out: %w: %w", address, fault.Unavailable, err)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "udp", address)
	if err != nil {
		return nobody(err)
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })()
	us, tag := conn.LocalAddr(), time.Now().UnixNano()
	for try := range 3 {
		_, err = fmt.Fprintf(conn, "OPTIONS sip:%[1]s SIP/2.0\r\nVia: SIP/2.0/UDP %[2]s;branch=z9hG4bK%[3]d;rport\r\nMax-Forwards: 5\r\n"+
			"From: <sip:scenario@%[2]s>;tag=%[3]d\r\nTo: <sip:%[1]s>\r\nCall-ID: %[3]d@scenario\r\nCSeq: %[4]d OPTIONS\r\nContent-Length: 0\r\n\r\n",
			address, us, tag+int64(try), try+1)
		if err == nil {
			_ = conn.SetReadDeadline(time.Now().Add(900 * time.Millisecond))
			_, err = conn.Read(make([]byte, 1500))
		}
		if err == nil {
			s.asked = true
			return nil
		}
		if ctx.Err() != nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			break // refused, or no time
		}
	}
	return nobody(err)
}

// address reads --server: a SIP address, or a data folder, where the server
// wrote its own.
func (s *stages) address() (sip, data string, err error) {
	if host, port, err := net.SplitHostPort(strings.TrimPrefix(s.server, "sip:")); err == nil && host != "" && port != "" {
		return net.JoinHostPort(host, port), "", nil
	}
	text, err := os.ReadFile(filepath.Join(filepath.Clean(s.server), "run.json"))
	if err != nil {
		return "", "", fmt.Errorf("no server runs on %s: --server must be host:port of SIP, or the data folder of a server that runs: %w", s.server, fault.Unavailable)
	}
	var run node.Run
	if err := json.Unmarshal(text, &run); err != nil || run.SIP == "" {
		return "", "", fmt.Errorf("the server on %s has no telephony: %w", s.server, fault.Unavailable)
	}
	return run.SIP, filepath.Clean(s.server), nil
}

// journalOf asks the server of a data folder for lines of its journal.
func journalOf(data string) voicescript.Journal {
	c := dial(data)
	return func(ctx context.Context, path string) (io.ReadCloser, error) {
		body, err := c.do(ctx, http.MethodGet, path, nil)
		if errors.Is(err, errNoServer) {
			return nil, fmt.Errorf("no server runs on %s: %w", data, fault.Unavailable)
		}
		return body, err
	}
}
