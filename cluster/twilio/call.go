package twilio

import (
	"context"
	"net/url"
	"strings"
	"time"

	"flametree/actors"
	"flametree/engine/event"
	"flametree/gateway/hooks"
	"flametree/media/twilio"
)

// call is one call at Twilio, from the request to an hour after its end. The
// trunks' mutex guards what changes.
type call struct {
	t     *Trunks
	trunk *trunk
	key   string
	leg   actors.Leg
	run   func(conn twilio.Conn) (name string, serve func() error, err error)
	kind  string // of its socket
	line  *twilio.Line
	begun chan struct{} // closed when a socket serves the call for the first time
	ended chan struct{} // closed when the call is over
	ready chan struct{} // closed when reply is decided; of calls that come in
	turn  chan struct{} // holds one: the socket that serves the call puts it there

	language string // of the agent
	sid      string
	reply    string // TwiML of a call that comes in
	started  bool
	taped    bool // Twilio records it
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

// turnWithin is how long a call's next socket waits for the end of the one before.
const turnWithin = 10 * time.Second

func newCall(t *Trunks, tr *trunk, key string) *call {
	return &call{
		t: t, trunk: tr, key: key, begun: make(chan struct{}), ended: make(chan struct{}), ready: make(chan struct{}),
		turn: make(chan struct{}, 1), seen: make(map[string]bool),
	}
}

// equip gives a call its leg and line: words alone where Twilio hears and
// speaks, sound where speech is ours.
func (c *call) equip() error {
	c.line = twilio.NewLine(c.hangup)
	if c.trunk.state.Setting("speech") != "ours" {
		relay := twilio.NewRelay(c.t.opt.Log)
		c.leg, c.kind, c.run = relay, hookRelay, c.relays(relay)
		return nil
	}
	stream, err := twilio.New(twilio.Options{Log: c.t.opt.Log})
	if err != nil {
		return err
	}
	c.leg, c.kind, c.run = stream, hookMedia, c.streams(stream)
	return nil
}

// streams and relays greet a socket of either kind and say whose call it is of.
func (c *call) streams(s *twilio.Stream) func(twilio.Conn) (string, func() error, error) {
	return func(conn twilio.Conn) (string, func() error, error) {
		start, err := twilio.Greet(conn)
		return start.Account + "/" + start.Call, func() error { return s.Serve(conn, start) }, err
	}
}

func (c *call) relays(r *twilio.Relay) func(twilio.Conn) (string, func() error, error) {
	return func(conn twilio.Conn) (string, func() error, error) {
		setup, err := twilio.GreetRelay(conn)
		return setup.Account + "/" + setup.Call, func() error { return r.Serve(conn) }, err
	}
}

// connect is the TwiML that brings the call's socket here.
func (c *call) connect() string {
	url := c.t.socket(c.trunk, c.kind, c.key)
	if c.kind == hookMedia {
		return hooks.StreamAnswer{URL: url}.TwiML()
	}
	s := &c.trunk.state
	return hooks.RelayAnswer{
		URL: url, Action: c.t.address(c.trunk, hookRelayed, c.key), Language: c.language,
		Voice: s.Setting("voice_model"), Speech: s.Setting("speech_model"),
	}.TwiML()
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
	end, terminal := outcome(status)
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

// outcome reads a status after which nothing follows (www.twilio.com/docs/
// voice/api/call-resource as of 2026-11-22).
func outcome(status string) (end ending, terminal bool) {
	switch status {
	case "busy":
		return ending{event.Busy, "busy"}, true
	case "no-answer":
		return ending{event.NoAnswer, "no_answer"}, true
	case "canceled":
		return ending{event.Canceled, "canceled"}, true
	case "failed", "completed": // completed before anybody was heard
		return ending{event.Failed, "failed"}, true
	}
	return ending{}, false
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
	name, serve, err := c.run(conn)
	if err != nil {
		c.t.opt.Log.Warn("socket refused", "err", err)
		return
	}
	account, sid, _ := strings.Cut(name, "/")
	if !c.mine(account, sid) {
		conn.Close(1008, "not this call's")
		return
	}
	if !c.takeTurn() {
		c.t.opt.Log.Warn("socket refused: the call has one", "call", sid)
		conn.Close(1008, "the call has its socket")
		return
	}
	defer func() { <-c.turn }()
	c.t.name(c, sid)
	c.socketCame()
	c.socketGone(serve())
}

// takeTurn lets one socket at a time serve the call. A socket that comes back
// from a Dial can be here before the end of the one before it was read: it waits
// for that. Any other is a second one.
func (c *call) takeTurn() bool {
	c.t.mu.Lock()
	back := c.pass != nil && c.pass.failed != nil
	c.t.mu.Unlock()
	if !back {
		select {
		case c.turn <- struct{}{}:
			return true
		default:
			return false
		}
	}
	late := time.NewTimer(turnWithin)
	defer late.Stop()
	select {
	case c.turn <- struct{}{}:
		return true
	case <-c.ended:
	case <-late.C:
	}
	return false
}

// mine checks that a socket is of this call and that the call goes on.
func (c *call) mine(account, sid string) bool {
	c.t.mu.Lock()
	defer c.t.mu.Unlock()
	return !c.over && account == c.trunk.state.Setting("account_sid") && (c.sid == "" || c.sid == sid)
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
	case err == nil, c.kind == hookRelay: // a relay ends without a goodbye
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
