package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"flametree/engine/fault"
)

// beginIn is how long the first words of a Messages may take.
const beginIn = 6 * time.Second

// Messages is a Socket on which every frame is one JSON value, both ways. It ends
// with the context that it was opened with. The rest is as with a Socket: one
// goroutine may Write while another waits for what is Next.
type Messages struct {
	*Socket
	stop func() bool
}

// Converse opens Messages and has begin say and hear what must come first; both
// have a few seconds. An error of begin is given back, and nothing stays open.
func (c *Client) Converse(ctx context.Context, o Outgoing, begin func(m *Messages) error) (*Messages, error) {
	sock, err := c.Connect(ctx, o)
	if err != nil {
		return nil, err
	}
	m := &Messages{Socket: sock, stop: context.AfterFunc(ctx, sock.Close)}
	slow := time.AfterFunc(beginIn, sock.Close)
	defer slow.Stop()
	if err := begin(m); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// Write sends v as JSON.
func (m *Messages) Write(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return m.Unreadable() // a schema that is no JSON was left out before
	}
	return m.Send(Frame{Data: data})
}

// Next waits for the next message and reads it into v. All errors have a kind: a
// conversation that goes on for as long as it is wanted has no regular end.
func (m *Messages) Next(v any) error {
	f, err := m.Read()
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%s: the connection ended: %w", m.client.vendor, fault.Unavailable)
	case err != nil:
		return err
	case json.Unmarshal(f.Data, v) != nil:
		return m.Unreadable()
	}
	return nil
}

// Close ends the socket at once. It may be called by anybody, more than once.
func (m *Messages) Close() {
	m.stop()
	m.Socket.Close()
}
