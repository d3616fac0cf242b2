package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"

	"flametree/cluster/config"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/builtin"
	"flametree/engine/provider/flite"
	"flametree/engine/provider/pocketsphinx"
	"flametree/gateway/api"
	"flametree/gateway/auth"
	"flametree/gateway/hooks"
	"flametree/gateway/httpd"
	"flametree/gateway/ws"
	"flametree/portal"
)

// Builtins are the providers that need no key.
func Builtins(c config.Config) (Providers, error) {
	voice, err := flite.New(flite.Options{})
	if err != nil {
		return Providers{}, err
	}
	ears := pocketsphinx.New(pocketsphinx.Options{Dir: filepath.Join(c.Data, "cache", "stt")})
	return Providers{
		Completers:   map[string]provider.Completer{"builtin": builtin.New()},
		Transcribers: map[string]provider.Transcriber{"builtin": ears, "pocketsphinx": ears},
		Synthesizers: map[string]provider.Synthesizer{"builtin": voice, "flite": voice},
	}, nil
}

func builtins(c config.Config, opt Options) (Providers, error) {
	if opt.Providers != nil {
		return opt.Providers(filepath.Join(c.Data, "cache"))
	}
	return Builtins(c)
}

// startEdges opens the sockets. They answer from serve on.
func (n *Node) startEdges(opt Options) error {
	ln, err := net.Listen("tcp", n.cfg.HTTP)
	if err != nil {
		return fmt.Errorf("front door: %w: %w", fault.Unavailable, err)
	}
	n.httpAddr, n.httpLn = ln.Addr().String(), ln
	n.gate = newGate(n)
	if n.cfg.SIP != "" {
		if n.phone, err = startPhone(n); err != nil {
			return fmt.Errorf("telephony: %w", err)
		}
		udp, _ := n.phone.endpoint.Addrs()
		n.sipAddr = udp.String()
	} else {
		n.exchange.Serve(nil)
	}
	if n.cfg.WebRTC != "" {
		if n.browsers, err = startBrowsers(n, opt.Lost); err != nil {
			return fmt.Errorf("browser calls: %w", err)
		}
	}
	for name, at := range map[string]string{
		"front door": n.httpAddr, "telephony": n.sipAddr, "browser calls": n.browsers.addr(), "relay": n.browsers.relayAddr(),
	} {
		if at != "" && outside(at) {
			n.log.Warn("reachable from other machines", "what", name, "address", at)
		}
	}
	meters := newMeters(n.reg, n)
	n.done.Go(func() { meters.run(n) })
	if err := n.startMetrics(); err != nil {
		return err
	}
	return n.frontDoor(opt)
}

func (n *Node) frontDoor(opt Options) error {
	var origins []string
	if n.cfg.PublicURL != "" {
		origins = append(origins, n.cfg.PublicURL)
	}
	n.http = httpd.New(httpd.Options{
		Logger: n.log, Metrics: httpd.NewMetrics(n.reg), MaxBody: n.cfg.MaxBody, Origins: origins, Checks: n.checks(),
	})
	tickets := new(auth.Tickets)
	api.Mount(n.http, api.Options{
		Agents: people{n}, Sessions: chat{n}, Speech: desk{n}, Traces: chat{n}, Recordings: chat{n}, Calls: chat{n}, Tickets: tickets, Version: opt.Version,
	})
	api.MountInvite(n.http, api.InviteOptions{Editors: editors{n}})
	hub := ws.NewHub(n.http, ws.Limits{})
	hooks.Mount(n.http, hooks.Options{Twilio: n.trunks, Hub: hub, Public: n.cfg.PublicURL})
	ws.MountListen(n.http, hub, ws.ListenOptions{Agents: people{n}, Tickets: tickets, Sounds: chat{n}})
	sockets := ws.Options{Agents: people{n}, Sockets: chat{n}, Tickets: tickets}
	if n.browsers != nil {
		sockets.Calls = n.browsers
	}
	ws.Mount(n.http, hub, sockets)
	portal.Mount(n.http, portal.Options{
		Demo: opt.Demo, Agents: people{n}, Sessions: chat{n}, Tickets: tickets, Hub: hub, Live: live{n},
	})
	return nil
}

// checks are what /readyz asks.
func (n *Node) checks() []httpd.Check {
	return []httpd.Check{
		{Name: "journal", Func: func(context.Context) error { return n.journal.Err() }},
		{Name: "disk", Func: func(context.Context) error {
			if n.journal.LowOnSpace() {
				return errors.New("the disk is nearly full: new conversations are refused")
			}
			return nil
		}},
		{Name: "read model", Func: n.caughtUp},
	}
}

// serve begins to answer.
func (n *Node) serve() {
	n.done.Go(func() {
		if err := n.http.Serve(n.httpLn); err != nil && n.life.Err() == nil {
			n.log.Error("front door ended", "err", err)
		}
	})
}
