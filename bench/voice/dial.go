package voice

import (
	"context"
	"errors"
	"fmt"
	"time"

	"flametree/media/caller"
	"flametree/media/sip"
	"flametree/media/webrtc/page"
)

// Browser says whom browsers call.
type Browser struct {
	HTTP  string `json:"http"`
	Agent string `json:"agent"`
	Token string `json:"token"`
}

// wire is a call as a caller has it, however it was set up.
type wire struct {
	sound
	id            string
	setup, answer time.Duration
	hangup        func()
}

// sound is what is said and heard.
type sound interface {
	Say(ctx context.Context, pcm []int16) (caller.Said, error)
	WaitQuiet(ctx context.Context, since time.Time, d time.Duration) error
	WaitVoice(ctx context.Context, since time.Time, d time.Duration) error
	Heard(since time.Time) []caller.Packet
	Totals() (sent, received, lost int)
}

// dialler gives what sets up the nth call.
func dialler(p plan, phone *caller.Phone) func(ctx context.Context, n int) (*wire, error) {
	if p.Browser != nil {
		return func(ctx context.Context, _ int) (*wire, error) { return p.Browser.call(ctx, phone) }
	}
	return func(ctx context.Context, n int) (*wire, error) {
		begun := time.Now()
		c, err := phone.Call(ctx, p.Target, sip.DialOptions{From: fmt.Sprintf("caller-%d", n), Codecs: []string{p.Codec}})
		if err != nil {
			return nil, err
		}
		return &wire{sound: c, id: c.SIP().CallID(), setup: time.Since(begun), hangup: c.Hangup}, nil
	}
}

// goodbye is how long a hang-up may take.
const goodbye = 10 * time.Second

func (b *Browser) call(ctx context.Context, phone *caller.Phone) (*wire, error) {
	p, err := page.Open(ctx, page.Options{HTTP: b.HTTP, Agent: b.Agent, Token: b.Token, Phone: phone})
	if err != nil {
		return nil, err
	}
	c, err := p.Call(ctx)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return &wire{sound: c, id: c.ID, setup: c.Setup, answer: c.Answer, hangup: func() {
		ctx, cancel := context.WithTimeout(context.Background(), goodbye)
		defer cancel()
		_ = c.Hangup(ctx) // one that does not work shows in the journal
		_ = p.Close()
	}}, nil
}
