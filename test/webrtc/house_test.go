package webrtc_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/media/caller"
	"flametree/media/webrtc/page"
	"flametree/test/telephony"
)

// patience bounds what is waited for; a busy machine takes its time.
const patience = 20 * time.Second

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// house is an office with a phone for its callers.
type house struct {
	*telephony.Office
	phone *caller.Phone
}

func open(t *testing.T, p telephony.Plan) *house {
	t.Helper()
	if p.Agents == nil {
		p.Agents = []string{telephony.Agent("desk", "inbound_voice")}
	}
	phone, err := caller.New(context.Background(), caller.Options{Keep: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = phone.Close() })
	return &house{telephony.Open(t, p), phone}
}

// page opens a page of the first agent.
func (h *house) page(t testing.TB, set func(*page.Options)) *page.Page {
	t.Helper()
	a := h.Agents()[0]
	o := page.Options{HTTP: h.Addresses().HTTP, Agent: a.ID, Token: a.Token, Phone: h.phone}
	if set != nil {
		set(&o)
	}
	p, err := page.Open(within(t, patience), o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// call opens a page and calls.
func (h *house) call(t testing.TB, set func(*page.Options)) (*page.Page, *page.Call) {
	t.Helper()
	p := h.page(t, set)
	c, err := p.Call(within(t, patience))
	require.NoError(t, err)
	return p, c
}

// frame waits for a frame, from the first that ever came.
func frame(t testing.TB, p *page.Page, fits func(page.Frame) bool) page.Frame {
	t.Helper()
	f, err := p.Until(within(t, patience), 0, fits)
	require.NoError(t, err, "frames so far: %+v", p.Frames())
	return f
}

// refused waits for an error of one kind among the frames after the first n.
func refused(t testing.TB, p *page.Page, n int, kind string) page.Frame {
	t.Helper()
	f, err := p.Until(within(t, patience), n, func(f page.Frame) bool { return f.Type == "call.error" })
	require.NoError(t, err)
	require.Equal(t, kind, f.Kind, f.Message)
	require.NotEmpty(t, f.Message)
	return f
}

// tone is what a caller sings, at 8 kHz.
func tone(hz float64, d time.Duration) []int16 {
	out := make([]int16, int(d.Seconds()*caller.RateHz))
	for i := range out {
		out[i] = int16(8000 * math.Sin(2*math.Pi*hz*float64(i)/caller.RateHz))
	}
	return out
}

// greeted waits until the caller has heard the agent.
func greeted(t testing.TB, c *page.Call) {
	t.Helper()
	require.NoError(t, c.WaitVoice(within(t, patience), time.Time{}, 300*time.Millisecond))
}

// over waits for the end of a call and gives what the journal says of it.
func over(t *testing.T, h *house, c *page.Call) (event.CallEnded, event.SessionEnded) {
	t.Helper()
	return h.Ended(t, c.ID, c.Session)
}
