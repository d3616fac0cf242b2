package openairealtime

import (
	"context"
	"net/http"
	"net/url"

	"flametree/engine/provider/realtime"
	"flametree/engine/provider/wire"
)

// The defaults of a Model.
const (
	DefaultURL        = "https://api.openai.com/v1"
	DefaultModel      = "gpt-realtime"
	DefaultVoice      = "marin"
	DefaultTranscribe = "gpt-4o-mini-transcribe"
)

// Options of a Model. Key is kept out of every error.
type Options struct {
	BaseURL    string // http or https; "" = DefaultURL
	Key        string
	Model      string
	Voice      string
	Transcribe string       // the model that writes down what is heard
	HTTP       *http.Client // nil = one of its own; the place for an egress guard
	Dial       wire.Dialer  // nil = that of HTTP's transport
}

// Model is one Realtime model. It is safe for concurrent use.
type Model struct {
	o      Options
	client *wire.Client
}

// New checks o. It connects nowhere.
func New(o Options) (*Model, error) {
	for _, d := range []struct {
		to    *string
		value string
	}{{&o.BaseURL, DefaultURL}, {&o.Model, DefaultModel}, {&o.Voice, DefaultVoice}, {&o.Transcribe, DefaultTranscribe}} {
		if *d.to == "" {
			*d.to = d.value
		}
	}
	h := http.Header{}
	if o.Key != "" {
		h.Set("Authorization", "Bearer "+o.Key)
	}
	c, err := wire.New(wire.Options{Vendor: "openai_realtime", BaseURL: o.BaseURL, Secret: o.Key, Header: h, HTTP: o.HTTP, Dial: o.Dial})
	if err != nil {
		return nil, err
	}
	o.Key = ""
	return &Model{o: o, client: c}, nil
}

// About implements realtime.Model.
func (m *Model) About() (vendor, model string) { return "openai_realtime", m.o.Model }

// Can implements realtime.Model.
func (m *Model) Can() realtime.Abilities {
	return realtime.Abilities{Update: true, Truncate: true, Forget: true}
}

// Open implements realtime.Model.
func (m *Model) Open(ctx context.Context, s realtime.Seed) (realtime.Line, error) {
	var l *line
	_, err := m.client.Converse(ctx, wire.Outgoing{Path: "/realtime?model=" + url.QueryEscape(m.o.Model)}, func(sock *wire.Messages) error {
		l = newLine(sock, m.o, s)
		return l.begin(s)
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// begin sends the session and waits until it was taken; then the history follows.
func (l *line) begin(s realtime.Seed) error {
	if err := l.sock.Write(l.sessionOf(s.Brief, true)); err != nil {
		return err
	}
	for {
		m, err := l.message()
		if err != nil {
			return err
		}
		switch m.Type {
		case "error":
			return l.sock.Refused(0, m.Error.Code, m.Error.kind())
		case "session.updated":
			for _, x := range s.Messages {
				if err := l.tell(x); err != nil {
					return err
				}
			}
			return nil
		}
	}
}
