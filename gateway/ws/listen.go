package ws

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"sync"

	"flametree/engine/fault"
	"flametree/gateway/auth"
	"flametree/gateway/httpd"
)

// Sounds lets people of an agent's side listen to its calls. The agent has been
// authorised. Methods may be called from any goroutine.
type Sounds interface {
	// Listen gives the sound of a running call until it ends or ctx does: frames
	// of 20 ms of 16-bit stereo, little-endian, the customer left and the agent
	// right. by stands in the journal. fault.NotFound when no such call runs.
	Listen(ctx context.Context, a auth.Agent, session, by string) (rateHz int, frames iter.Seq[[]byte], err error)
}

// ListenOptions gives the listening socket what it stands on.
type ListenOptions struct {
	Agents  auth.Agents
	Tickets *auth.Tickets
	Sounds  Sounds
}

// soundFormat is the first frame of a listening socket.
type soundFormat struct {
	Type     string `json:"type"`   // format
	Format   string `json:"format"` // s16le
	RateHz   int    `json:"rate_hz"`
	Channels int    `json:"channels"`
}

// MountListen adds /chatbot/{agent}/session/{session}/listen to s. The socket
// tells the format as text, then gives binary frames of sound; what the peer
// sends is not looked at. ?by= says who listens.
func MountListen(s *httpd.Server, h *Hub, o ListenOptions) {
	const pattern = "/chatbot/{agent}/session/{session}/listen"
	s.Route(httpd.Route{Method: http.MethodGet, Pattern: pattern, Handle: func(r *httpd.Request) {
		p := &peer{
			o: Options{Agents: o.Agents, Tickets: o.Tickets}, hub: h, agentID: r.Param("agent"), session: r.Param("session"), log: r.Logger(),
		}
		p.credentials(r)
		by := r.Query("by")
		if by == "" {
			by = "api"
		}
		h.Upgrade(r, p.protocol, func(ctx context.Context, c *Conn) {
			if err := p.sound(ctx, c, o.Sounds, by); err != nil {
				p.refuse(c, err)
			}
		})
	}})
}

// sound passes a call's sound on until either ends.
func (p *peer) sound(ctx context.Context, c *Conn, from Sounds, by string) error {
	agent, err := p.authorise(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rate, frames, err := from.Listen(ctx, agent, p.session, by)
	if err != nil {
		return err
	}
	text, err := json.Marshal(soundFormat{Type: "format", Format: "s16le", RateHz: rate, Channels: 2})
	if err != nil {
		panic(err) // it is ours and always marshals
	}
	if err := c.Write(text); err != nil {
		return nil
	}
	var writes sync.WaitGroup
	writes.Go(func() {
		for frame := range frames {
			if err := c.WriteBinary(frame); err != nil {
				if fault.KindOf(err) == fault.Exhausted {
					p.log.Info("who listens is too slow", "session", p.session)
				}
				return
			}
		}
		c.Close(CloseNormal, "the call is over")
	})
	for err == nil { // reading keeps the socket alive, and ends with it
		_, err = c.Read()
	}
	cancel()
	writes.Wait()
	return nil
}
