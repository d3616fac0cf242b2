package twilio

import (
	"context"
	"fmt"

	"flametree/actors"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/gateway/hooks"
	"flametree/gateway/ws"
	"flametree/media/twilio"
)

var _ hooks.Twilio = (*Trunks)(nil)

// The hooks: what stands in an address behind the connection.
const (
	hookStatus  = "status"  // how a call goes; the key is the call's, or ofNumber
	hookDialled = "dialled" // what is to follow a Dial
	hookPassed  = "passed"  // how a Dial goes
	hookMedia   = "media"   // the socket of Media Streams
	hookRelay   = "relay"   // the socket of ConversationRelay
	hookRelayed = "relayed" // what is to follow a session of it
	ofNumber    = "number"  // of a call that came in: it is found by its name
)

// Hook implements hooks.Twilio.
func (t *Trunks) Hook(ctx context.Context, h hooks.Hook) (string, error) {
	tr := t.trunkOf(h.Connection)
	if tr == nil {
		return "", fmt.Errorf("no such connection is running: %w", fault.NotFound)
	}
	if account := h.Form.Get("AccountSid"); account != tr.state.Setting("account_sid") {
		return "", fmt.Errorf("the hook is of another account: %w", fault.Denied)
	}
	if h.Kind == "" {
		return t.voice(ctx, tr, h)
	}
	c, err := t.find(h)
	if err != nil {
		return "", err
	}
	switch h.Kind {
	case hookStatus:
		t.name(c, h.Form.Get("CallSid"))
		c.status(h.Form)
	case hookPassed:
		c.dialling(h.Form.Get("CallStatus"))
	case hookRecorded:
		return "", c.recorded(h.Form)
	case hookRelayed:
		return hooks.Hangup(), nil
	case hookDialled:
		return c.afterDial(h.Form.Get("DialCallStatus")), nil
	default:
		return "", fmt.Errorf("no such hook: %w", fault.NotFound)
	}
	return "", nil
}

// find is the call a hook is about.
func (t *Trunks) find(h hooks.Hook) (*call, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.calls[h.Key]
	if h.Kind == hookStatus && h.Key == ofNumber {
		c = t.bySID[h.Form.Get("CallSid")]
	}
	if c == nil || c.trunk.id.Name != h.Connection {
		return nil, fmt.Errorf("no such call: %w", fault.NotFound)
	}
	return c, nil
}

// Socket implements hooks.Twilio.
func (t *Trunks) Socket(_ context.Context, h hooks.Hook, conn *ws.Conn) { t.Serve(h, conn) }

// Serve runs a call on its socket until that ends.
func (t *Trunks) Serve(h hooks.Hook, conn twilio.Conn) {
	c, err := t.find(h)
	if err != nil || c.run == nil || h.Kind != c.kind {
		conn.Close(ws.CloseNotFound, "no such call")
		return
	}
	c.serve(conn)
}

// voice decides about a call that comes in. Asked again, it answers the same.
func (t *Trunks) voice(ctx context.Context, tr *trunk, h hooks.Hook) (string, error) {
	sid := h.Form.Get("CallSid")
	if sid == "" {
		return "", fmt.Errorf("CallSid: the call's name is needed: %w", fault.Invalid)
	}
	c, known, err := t.incoming(tr, sid)
	if err != nil {
		t.opt.Log.Warn("call refused", "err", err, "connection", tr.id.Name)
		return hooks.Reject(true), nil
	}
	if known {
		select {
		case <-c.ready:
			return c.reply, nil
		case <-ctx.Done():
			return "", fmt.Errorf("the first request for this call is still open: %w", fault.Unavailable)
		}
	}
	defer close(c.ready)
	c.reply = c.decide(ctx, Incoming{
		Tenant: tr.id.Tenant, Connection: tr.id.Name, SID: sid, From: h.Form.Get("From"), To: h.Form.Get("To"),
	})
	return c.reply, nil
}

// incoming finds a call that was told before, or makes a place for a new one.
func (t *Trunks) incoming(tr *trunk, sid string) (c *call, known bool, err error) {
	t.mu.Lock()
	if c = t.bySID[sid]; c != nil {
		t.mu.Unlock()
		return c, true, nil
	}
	t.mu.Unlock()
	if c, err = t.enter(tr); err != nil {
		return nil, false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if other := t.bySID[sid]; other != nil { // the same webhook twice at once
		delete(t.calls, c.key)
		return other, true, nil
	}
	c.sid = sid
	t.bySID[sid] = c
	return c, false, nil
}

func (c *call) decide(ctx context.Context, in Incoming) string {
	t := c.t
	t.mu.Lock()
	in.Agent = c.trunk.state.Inbound
	t.mu.Unlock()
	if t.opt.Language != nil {
		c.language = t.opt.Language(in.Tenant, in.Agent)
	}
	err := c.equip()
	if err == nil && in.Agent == "" {
		err = fmt.Errorf("no agent receives the calls of %q: %w", c.trunk.state.Name, fault.NotFound)
	}
	if err == nil && t.opt.Answer == nil {
		err = fmt.Errorf("no calls are taken here: %w", fault.Unavailable)
	}
	if err == nil {
		in.Leg, in.Line = c.leg, &wire{Line: c.line, call: c}
		err = t.opt.Answer(ctx, in)
	}
	if err != nil {
		t.opt.Log.Warn("call refused", "err", err, "connection", c.trunk.id.Name)
		t.mu.Lock()
		c.let = true // the answer ends it
		t.mu.Unlock()
		c.finish(event.Declined, "declined")
		if c.leg != nil {
			_ = c.leg.Close()
		}
		k := fault.KindOf(err)
		return hooks.Reject(k == fault.Exhausted || k == fault.Unavailable)
	}
	c.awaitSocket()
	return c.connect()
}

var _ actors.Referrer = (*wire)(nil)
