package geminilive

import (
	"context"
	"net/http"
	"strings"

	"flametree/engine/provider/realtime"
	"flametree/engine/provider/wire"
)

// The defaults of a Model.
const (
	DefaultURL   = "https://generativelanguage.googleapis.com"
	DefaultModel = "gemini-3.1-flash-live-preview"
	path         = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
)

// Options of a Model. Key is kept out of every error.
type Options struct {
	BaseURL string // http or https; "" = DefaultURL
	Key     string
	Model   string
	Voice   string       // "" = the model's own
	HTTP    *http.Client // nil = one of its own; the place for an egress guard
	Dial    wire.Dialer  // nil = that of HTTP's transport
}

// Model is one Live model. It is safe for concurrent use.
type Model struct {
	o      Options
	client *wire.Client
}

// New checks o. It connects nowhere.
func New(o Options) (*Model, error) {
	if o.BaseURL == "" {
		o.BaseURL = DefaultURL
	}
	if o.Model == "" {
		o.Model = DefaultModel
	}
	h := http.Header{}
	if o.Key != "" {
		h.Set("X-Goog-Api-Key", o.Key)
	}
	c, err := wire.New(wire.Options{Vendor: "gemini_live", BaseURL: o.BaseURL, Secret: o.Key, Header: h, HTTP: o.HTTP, Dial: o.Dial})
	if err != nil {
		return nil, err
	}
	o.Key, o.Model = "", strings.TrimPrefix(o.Model, "models/")
	return &Model{o: o, client: c}, nil
}

// About implements realtime.Model.
func (m *Model) About() (vendor, model string) { return "gemini_live", m.o.Model }

// Can implements realtime.Model: nothing.
func (m *Model) Can() realtime.Abilities { return realtime.Abilities{} }

// Open implements realtime.Model.
func (m *Model) Open(ctx context.Context, s realtime.Seed) (realtime.Line, error) {
	var l *line
	_, err := m.client.Converse(ctx, wire.Outgoing{Path: path}, func(sock *wire.Messages) error {
		l = newLine(sock, s)
		return l.begin(m.setup(s), s)
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// begin sends the setup, waits until it was taken, and tells the history.
func (l *line) begin(s setup, seed realtime.Seed) error {
	if err := l.sock.Write(client{Setup: &s}); err != nil {
		return err
	}
	var m server
	if err := l.sock.Next(&m); err != nil {
		return err
	}
	if m.SetupComplete == nil {
		return l.sock.Unreadable()
	}
	if turns := turnsOf(seed.Messages); len(turns) > 0 {
		return l.sock.Write(client{Content: &contents{Turns: turns}})
	}
	return nil
}
