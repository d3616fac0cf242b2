package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"flametree/cluster/config"
	"flametree/cluster/node"
	"flametree/engine/agent/demo"
	"flametree/engine/fault"
)

type serveCmd struct {
	HTTP      *string       `name:"http" help:"Address of the front door (default 127.0.0.1:8080)."`
	SIP       *string       `name:"sip" help:"Address of SIP, UDP and TCP; off = no telephony (default 127.0.0.1:5060)."`
	WebRTC    *string       `name:"webrtc" help:"Address of browser calls, UDP and TCP; off = none (default 127.0.0.1, a free port)."`
	TURN      *string       `name:"turn" help:"Address of the relay for browsers that come through no other way; off = none (default off)."`
	RTP       *string       `name:"rtp" help:"Ports of RTP, LOW-HIGH (default 10000-20000)."`
	Metrics   *string       `help:"Address of metrics and profiles; off = none (default 127.0.0.1:9090)."`
	PublicURL *string       `name:"public-url" help:"How browsers reach the front door, when behind a proxy."`
	PublicIP  *string       `name:"public-ip" help:"Address written into SIP and SDP, and told to browsers, when it is not the one listened on."`
	Demo      bool          `help:"Bring the demo agents, and let the page at / chat with them."`
	Agent     []string      `help:"Agent file to serve; may be given several times." type:"existingfile"`
	Grace     time.Duration `help:"How long running calls may go on after a signal to end." default:"5s"`
}

// Run implements the command.
func (s *serveCmd) Run(ctx context.Context, e *Env) error {
	for key, v := range map[string]*string{
		"http": s.HTTP, "sip": s.SIP, "webrtc": s.WebRTC, "turn": s.TURN, "rtp": s.RTP, "metrics": s.Metrics, "public-url": s.PublicURL, "public-ip": s.PublicIP,
	} {
		e.flag(key, v)
	}
	c, err := e.settings()
	if err != nil {
		return err
	}
	files, err := s.files()
	if err != nil {
		return err
	}
	node.Tune()
	fatal := make(chan error, 1)
	n, err := node.Start(ctx, node.Options{
		Config: c, Agents: files, Demo: s.Demo, Version: Version(), Log: e.logger(c.Log),
		Fatal: func(err error) {
			select {
			case fatal <- err:
			default:
			}
		},
	})
	if err != nil {
		return err
	}
	s.announce(e, c, n)
	select {
	case <-ctx.Done():
		_, _ = fmt.Fprintln(e.Err, "flametree: ending; calls have", s.Grace)
		n.Stop(s.Grace)
		return nil
	case err := <-fatal:
		n.Stop(0)
		return &failure{code: exitJournal, err: fmt.Errorf("the journal cannot go on: %w", err)}
	}
}

func (s *serveCmd) files() ([]node.AgentFile, error) {
	var out []node.AgentFile
	if s.Demo {
		for _, f := range demo.Files() {
			out = append(out, node.AgentFile{Name: f.Name, Text: f.Text})
		}
	}
	for _, name := range s.Agent {
		text, err := os.ReadFile(filepath.Clean(name))
		if err != nil {
			return nil, fmt.Errorf("agent file: %w: %w", fault.Invalid, err)
		}
		out = append(out, node.AgentFile{Name: name, Folder: filepath.Dir(name), Text: text})
	}
	return out, nil
}

// announce prints where to call, chat and look.
func (s *serveCmd) announce(e *Env, c config.Config, n *node.Node) {
	at := n.Addresses()
	e.printf("flametree %s\n", Version())
	e.printf("  look and chat   http://%s/\n", at.HTTP)
	e.printf("  API             http://%s/api/v1/docs\n", at.HTTP)
	for _, a := range n.Agents() {
		if at.SIP != "" && a.SIP != "" {
			e.printf("  call            %-40s %s\n", a.SIP, a.Name)
		}
	}
	for _, a := range n.Agents() {
		e.printf("  chat            http://%s/chatbot/%s/session  %s\n", at.HTTP, a.ID, a.Name)
	}
	if len(n.Agents()) > 0 {
		e.printf("  tokens          %s\n", filepath.Join(c.Data, "demo.json"))
	}
	if at.WebRTC != "" {
		e.printf("  browser calls   %s, UDP and TCP\n", at.WebRTC)
	}
	if at.TURN != "" {
		e.printf("  relay           %s, UDP and TCP\n", at.TURN)
	}
	if at.TURNTLS != "" {
		e.printf("  relay by TLS    %s\n", at.TURNTLS)
	}
	if at.Metrics != "" {
		e.printf("  metrics         http://%s/metrics\n", at.Metrics)
	}
	e.printf("  data            %s\n", c.Data)
	e.printf("ready\n")
}

var errNoServer = errors.New("no server answers on the admin socket")
