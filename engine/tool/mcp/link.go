package mcp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"flametree/engine/fault"
)

// legacy is the newest revision that begins with a handshake. It is tried first:
// nearly every server speaks it, and an old one may leave a question of the
// newer kind unanswered.
const legacy = "2025-11-25"

// open makes a session. The server may be stuck at any point; ctx ends that.
func (g *group) open(ctx context.Context) (*link, error) {
	l, err := g.attempt(ctx, legacy)
	if answered(err) != nil && ctx.Err() == nil {
		return g.attempt(ctx, "") // it may know newer revisions only
	}
	return l, err
}

// answered is the error that the server itself gave, nil if the trouble lies on
// the way: the SDK's own errors have the same type and codes that JSON-RPC keeps
// for implementations.
func answered(err error) *jsonrpc.Error {
	var said *jsonrpc.Error
	if errors.Is(err, sdk.ErrConnectionClosed) || !errors.As(err, &said) {
		return nil
	}
	switch said.Code {
	case -32003, -32004, -32005: // client closing, server closing, rejected by transport
		return nil
	}
	return said
}

func (g *group) attempt(ctx context.Context, revision string) (*link, error) {
	l := &link{}
	// The link outlives the group by its goodbye.
	var life context.Context
	life, l.cancel = context.WithCancel(context.WithoutCancel(g.life))
	release := context.AfterFunc(ctx, l.cancel)
	transport, err := g.transport(life)
	if err != nil {
		l.cancel()
		return nil, err
	}
	client := sdk.NewClient(&sdk.Implementation{Name: "flametree", Version: "1"}, &sdk.ClientOptions{
		Capabilities: &sdk.ClientCapabilities{}, // neither roots nor sampling nor elicitation
		ToolListChangedHandler: func(context.Context, *sdk.ToolListChangedRequest) {
			select {
			case g.changed <- struct{}{}:
			default: // a change is already noted
			}
		},
	})
	l.session, err = client.Connect(life, transport, &sdk.ClientSessionOptions{ProtocolVersion: revision})
	if err != nil {
		l.cancel()
		return nil, fmt.Errorf("it cannot be connected: %w", err)
	}
	if !release() {
		g.end(l)
		return nil, ctx.Err()
	}
	l.broke, l.give = context.WithCancelCause(context.Background())
	g.work.Go(func() {
		err := l.session.Wait()
		if err == nil {
			err = errors.New("the server has closed it")
		}
		l.give(err)
	})
	return l, nil
}

func (g *group) transport(life context.Context) (sdk.Transport, error) {
	if g.server.Transport == Stdio {
		argv, err := split(g.server.Endpoint)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", err, fault.Invalid)
		}
		rw, err := g.opts.Start(life, argv)
		if err != nil {
			return nil, fmt.Errorf("its command cannot be started: %w", err)
		}
		p := pipe{rw, &sync.Once{}}
		context.AfterFunc(life, func() { _ = p.Close() })
		return &sdk.IOTransport{Reader: p, Writer: p, MaxLineLength: maxMessage}, nil
	}
	at, err := url.Parse(g.server.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("the endpoint is no URL: %w", fault.Invalid)
	}
	base := g.opts.HTTP.Transport
	if base == nil {
		base = http.DefaultTransport
	}
	client := *g.opts.HTTP
	client.Transport = &wire{base: base, origin: origin(at), auth: g.server.Auth, life: life}
	if g.server.Transport == HTTPSSE {
		return &sdk.SSEClientTransport{Endpoint: g.server.Endpoint, HTTPClient: &client, MaxEventSize: maxMessage}, nil
	}
	return &sdk.StreamableClientTransport{
		Endpoint: g.server.Endpoint, HTTPClient: &client, MaxEventSize: maxMessage,
		MaxRetries: -1, // a stream that breaks ends the session; the keeper makes another
	}, nil
}

// end closes a link: politely for a second, then for good.
func (g *group) end(l *link) {
	hard := time.AfterFunc(goodbye, l.cancel)
	_ = l.session.Close() // what it says about a peer that is gone helps nobody
	hard.Stop()
	l.cancel()
}
