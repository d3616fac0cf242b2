package twilio

import (
	"context"
	"errors"
	"net/url"
	"time"

	"flametree/actors"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/gateway/hooks"
	"flametree/media/twilio"
)

// call is one call at Twilio, from the request to an hour after its end. The
// trunks' mutex guards what changes.
type call struct {
	t     *Trunks
	trunk *trunk
	key   string
	leg   *twilio.Stream
	line  *twilio.Line
	begun chan struct{} // closed when a socket serves the call for the first time
	ended chan struct{} // closed when the call is over
	ready chan struct{} // closed when reply is decided; of calls that come in

	sid      string
	reply    string // TwiML of a call that comes in
	started  bool
	over     bool
	overAt   time.Time
	outcome  actors.NotReached // why it is over
	seen     map[string]bool   // statuses that were told
	progress func(actors.DialProgress)
	let      bool // Twilio was told to end it, or need not be
	pass     *pass
	passed   bool   // it belongs to somebody else now
	dialled  string // TwiML that followed the last Dial
	noSocket *time.Timer
}

// socketWithin is how long a socket may take to come after it was asked for.
const socketWithin = 30 * time.Second

func newCall(t *Trunks, tr *trunk, key string) *call {
	return &call{
		t: t, trunk: tr, key: key, begun: make(chan struct{}), ended: make(chan struct{}), ready: make(chan struct{}),
		seen: make(map[string]bool),
	}
}

// equip gives a call its leg and line, where its connection leaves speech to us.
func (c *call) equip() error {
	if c.trunk.state.Setting("speech") != "ours" {
		return errTheirs
	}
	leg, err := twilio.New(twilio.Options{Log: c.t.opt.Log})
	if err != nil {
		return err
	}
	c.leg, c.line = leg, twilio.NewLine(c.hangup)
	return nil
}

var errTheirs = errors.Join(fault.Unavailable, errors.New("this server does not use Twilio's own speech: set speech to ours"))

// connect is the TwiML that brings the call's socket here.
func (c *call) connect() string {
	return hooks.StreamAnswer{URL: c.t.socket(c.trunk, "media", c.key)}.TwiML()
}

// awaitSocket ends a call whose socket does not come.
func (c *call) awaitSocket() {
	c.t.mu.Lock()
	defer c.t.mu.Unlock()
	if !c.started && !c.over {
		c.noSocket = time.AfterFunc(socketWithin, func() { c.finish(event.Failed, "media_lost") })
	}
}

// finish ends the call for us: only the first call counts.
func (c *call) finish(status event.Status, reason string) {
	c.t.mu.Lock()
	if c.over {
		c.t.mu.Unlock()
		return
	}
	c.over, c.overAt = true, time.Now()
	c.outcome.Status, c.outcome.Reason = status, reason
	if c.noSocket != nil {
		c.noSocket.Stop()
	}
	close(c.ended)
	line := c.line
	c.t.mu.Unlock()
	if line != nil {
		line.End(lineReason(reason))
	}
}

// lineReason brings a reason into the words of FactLineEnded.
func lineReason(reason string) string {
	switch reason {
	case "hangup", "canceled", "media_lost":
		return reason
	}
	return "failed"
}

// hangup is Line.Hangup: Twilio is told, unless the call is somebody else's now.
func (c *call) hangup(string) {
	c.letGo()
	c.finish(event.Canceled, "canceled")
}

// letGo has Twilio end the call, once; as soon as its name is known.
func (c *call) letGo() {
	c.t.mu.Lock()
	sid := c.sid
	do := sid != "" && !c.let && !c.passed
	c.let = c.let || do
	c.t.mu.Unlock()
	if do {
		c.t.later("call not hung up", func(ctx context.Context) error {
			return c.trunk.api.update(ctx, sid, url.Values{"Status": {"completed"}})
		})
	}
}

// status takes a status callback. What was told before changes nothing.
func (c *call) status(form url.Values) {
	status := form.Get("CallStatus")
	c.t.mu.Lock()
	again := c.seen[status]
	c.seen[status] = true
	progress, early := c.progress, !c.started && !c.over
	over := c.over
	if !c.over {
		c.outcome.Code = sipCode(form.Get("SipResponseCode"))
	}
	c.t.mu.Unlock()
	if again {
		return
	}
	end, terminal := outcomes[status]
	switch {
	case terminal:
		c.t.mu.Lock()
		c.let = true // nothing is left to be ended
		if status == "completed" && c.started {
			end = ending{event.Completed, "hangup"}
		}
		c.t.mu.Unlock()
		c.unpass(&actors.NotReached{Status: event.Canceled, Reason: "hung_up"})
		c.finish(end.status, end.reason)
	case over: // given up before Twilio had named it
		c.letGo()
	case early && progress != nil:
		switch status {
		case "initiated", "queued":
			progress(actors.DialProgress{Stage: "trying", Code: 100})
		case "ringing":
			progress(actors.DialProgress{Stage: "ringing", Code: 180})
		}
	}
}

type ending struct {
	status event.Status
	reason string
}

// outcomes are the statuses after which nothing follows (www.twilio.com/docs/
// voice/api/call-resource as of 2026-11-22).
var outcomes = map[string]ending{
	"busy":      {event.Busy, "busy"},
	"no-answer": {event.NoAnswer, "no_answer"},
	"failed":    {event.Failed, "failed"},
	"canceled":  {event.Canceled, "canceled"},
	"completed": {event.Failed, "failed"}, // before anybody was heard
}

func sipCode(text string) int {
	if len(text) != 3 {
		return 0
	}
	n := 0
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return 0
		}
		n = n*10 + int(text[i]-'0')
	}
	return n
}

// serve runs the call on a socket.
func (c *call) serve(conn twilio.Conn) {
	start, err := twilio.Greet(conn)
	if err != nil {
		c.t.opt.Log.Warn("socket refused", "err", err)
		return
	}
	if !c.mine(start) {
		conn.Close(1008, "not this call's")
		return
	}
	c.t.name(c, start.Call)
	c.socketCame()
	err = c.leg.Serve(conn, start)
	if fault.KindOf(err) == fault.Conflict { // a second socket for the same call
		c.t.opt.Log.Warn("socket refused", "err", err)
		return
	}
	c.socketGone(err)
}

// mine checks that a socket is of this call and that the call goes on.
func (c *call) mine(start twilio.Started) bool {
	c.t.mu.Lock()
	defer c.t.mu.Unlock()
	return !c.over && start.Account == c.trunk.state.Setting("account_sid") && (c.sid == "" || c.sid == start.Call)
}

func (c *call) socketCame() {
	c.t.mu.Lock()
	first := !c.started
	c.started = true
	if c.noSocket != nil {
		c.noSocket.Stop()
	}
	p := c.pass
	if p != nil && p.failed != nil { // the Dial came to nothing, and here we are again
		c.pass = nil
	} else {
		p = nil
	}
	c.t.mu.Unlock()
	if first {
		close(c.begun)
		c.line.Up()
	}
	if p != nil {
		p.finish(p.failed)
	}
}

func (c *call) socketGone(err error) {
	c.t.mu.Lock()
	lent := c.pass != nil || c.passed
	c.t.mu.Unlock()
	switch {
	case lent: // its socket was taken for the Dial
	case err == nil:
		c.finish(event.Completed, "hangup")
	default:
		c.t.opt.Log.Warn("socket lost", "err", err)
		c.finish(event.NetworkError, "media_lost")
	}
}

// trunkOf finds a connection that is up, nil for none.
func (t *Trunks) trunkOf(id string) *trunk {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.trunks[id]
}

