package twiliotest

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// Call is one call at the Server.
type Call struct {
	SID, From, To string

	s        *Server
	twiml    string
	callback string
	events   []string
	over     chan struct{} // closed when somebody hung up
	once     sync.Once
	redirect chan string
	streams  chan *Stream
	relays   chan *Relay

	mu       sync.Mutex // guards what follows
	status   string
	sequence int
	heardXML []string
}

// Call has somebody call the account's number, and returns when the webhook has
// answered; the call goes on by itself.
func (s *Server) Call(from string) (*Call, error) {
	c := s.begin(&Call{From: from, To: s.Number})
	_, body, err := s.Post(s.VoiceURL(), c.Voice())
	if err != nil {
		return c, err
	}
	c.set("in-progress")
	s.wg.Go(func() { c.run(body) })
	return c, nil
}

// Voice is the form of the webhook of an incoming call.
func (c *Call) Voice() url.Values { return c.VoiceOf(c.s.Account) }

// VoiceOf is Voice of any account.
func (c *Call) VoiceOf(account string) url.Values {
	return url.Values{
		"CallSid": {c.SID}, "AccountSid": {account}, "From": {c.From}, "To": {c.To}, "CallStatus": {"ringing"},
		"ApiVersion": {"2010-04-01"}, "Direction": {"inbound"}, "CallerName": {""},
	}
}

// Status is how the call stands.
func (c *Call) Status() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

func (c *Call) set(status string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = status
}

// TwiML lists the documents the call has followed.
func (c *Call) TwiML() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.heardXML)
}

// Stream waits for the call's next Media Stream.
func (c *Call) Stream() (*Stream, error) {
	select {
	case t := <-c.streams:
		return t, nil
	case <-c.over:
		return nil, fmt.Errorf("call %s is over: %s", c.SID, c.Status())
	case <-time.After(10 * time.Second):
		return nil, fmt.Errorf("call %s has no stream", c.SID)
	}
}

// Hangup ends the call from outside.
func (c *Call) Hangup() { c.once.Do(func() { close(c.over) }) }

// Over is closed when the call is.
func (c *Call) Over() <-chan struct{} { return c.over }

// ring is the life of a call that was asked for.
func (c *Call) ring(outcome string) {
	c.tell("initiated", "initiated")
	c.tell("ringing", "ringing")
	switch outcome {
	case "", "answered":
		c.tell("answered", "in-progress")
		c.run(c.twiml)
		return
	case "ring":
		<-c.over
		outcome = "canceled"
	}
	c.Hangup()
	c.tell("completed", outcome)
}

// tell calls the status callback for an event.
func (c *Call) tell(event, status string) {
	select {
	case <-c.over:
		if event != "completed" {
			return
		}
	default:
	}
	c.set(status)
	if c.callback == "" || event != "completed" && !slices.Contains(c.events, event) {
		return
	}
	c.mu.Lock()
	n := c.sequence
	c.sequence++
	c.mu.Unlock()
	form := url.Values{
		"CallSid": {c.SID}, "AccountSid": {c.s.Account}, "From": {c.From}, "To": {c.To}, "CallStatus": {status},
		"Direction": {"outbound-api"}, "SequenceNumber": {number(n)}, "CallbackSource": {"call-progress-events"},
	}
	for range c.s.Repeat + 1 {
		if code, body, err := c.s.Post(c.callback, form); err != nil || code >= http.StatusMultipleChoices {
			c.s.fault("status %s: %d %s %v", status, code, body, err)
		}
	}
}

// response is the TwiML that is understood; anything else is a fault.
type response struct {
	XMLName xml.Name `xml:"Response"`
	Verbs   []verb   `xml:",any"`
}

type verb struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Text    string     `xml:",chardata"`
	Nouns   []verb     `xml:",any"`
}

func (v verb) attr(name string) string {
	for _, a := range v.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// allowed are the attributes of an element.
func allowed(element string) (attributes []string, ok bool) {
	switch element {
	case "Hangup":
		return nil, true
	case "Connect":
		return []string{"action"}, true
	case "Stream":
		return []string{"url"}, true
	case "Parameter":
		return []string{"name", "value"}, true
	case "Reject":
		return []string{"reason"}, true
	case "Dial":
		return []string{"action", "callerId", "timeout", "answerOnBridge"}, true
	case "Number":
		return []string{"statusCallback", "statusCallbackEvent"}, true
	case "ConversationRelay":
		return []string{
			"url", "language", "ttsProvider", "voice", "transcriptionProvider", "speechModel", "interruptible", "dtmfDetection",
		}, true
	}
	return nil, false
}

func (v verb) check() error {
	names, ok := allowed(v.XMLName.Local)
	if !ok {
		return fmt.Errorf("no element %s", v.XMLName.Local)
	}
	for _, a := range v.Attrs {
		if !slices.Contains(names, a.Name.Local) {
			return fmt.Errorf("element %s has no attribute %s", v.XMLName.Local, a.Name.Local)
		}
	}
	for _, n := range v.Nouns {
		if err := n.check(); err != nil {
			return err
		}
	}
	return nil
}

// run follows TwiML to its end; then the call is over.
func (c *Call) run(twiml string) {
	for twiml != "" {
		twiml = c.follow(twiml)
	}
	c.Hangup()
	c.tell("completed", "completed")
}

// follow does what a document says and gives the next one.
func (c *Call) follow(twiml string) (next string) {
	c.mu.Lock()
	c.heardXML = append(c.heardXML, twiml)
	c.mu.Unlock()
	var r response
	if err := xml.Unmarshal([]byte(twiml), &r); err != nil {
		c.s.fault("TwiML: %v: %s", err, twiml)
		return ""
	}
	for _, v := range r.Verbs {
		if err := v.check(); err != nil {
			c.s.fault("TwiML: %v", err)
			return ""
		}
		switch {
		case v.XMLName.Local == "Connect" && len(v.Nouns) == 1 && v.Nouns[0].XMLName.Local == "Stream":
			if next = c.stream(v.Nouns[0]); next != "" {
				return next
			}
		case v.XMLName.Local == "Connect" && len(v.Nouns) == 1 && v.Nouns[0].XMLName.Local == "ConversationRelay":
			return c.relay(v)
		case v.XMLName.Local == "Dial" && len(v.Nouns) == 1:
			return c.dial(v)
		case v.XMLName.Local == "Reject":
			c.set("busy")
			return ""
		default:
			return ""
		}
	}
	return ""
}

// stream connects the call until one of them ends, or other TwiML comes.
func (c *Call) stream(v verb) (next string) {
	params := map[string]string{}
	for _, p := range v.Nouns {
		params[p.attr("name")] = p.attr("value")
	}
	sock, _, err := c.s.Open(v.attr("url"), "")
	if err != nil {
		c.s.fault("socket %s: %v", v.attr("url"), err)
		return ""
	}
	t := Streams(sock, StreamOptions{Stream: "MZ" + c.SID[2:], Account: c.s.Account, Call: c.SID, Parameters: params})
	c.streams <- t
	ended := make(chan struct{})
	c.s.wg.Go(func() {
		defer close(ended)
		_ = t.Wait()
	})
	select {
	case <-c.over:
	case next = <-c.redirect:
	case <-ended:
	}
	if err := t.Stop(); err != nil {
		c.s.fault("stream: %v", err)
	}
	<-ended
	return next
}

// relay connects the call to ConversationRelay until one of them ends.
func (c *Call) relay(v verb) (next string) {
	sock, _, err := c.s.Open(v.Nouns[0].attr("url"), "")
	if err != nil {
		c.s.fault("socket: %v", err)
		return ""
	}
	r := Relays(sock, RelayOptions{Session: "VX" + c.SID[2:], Account: c.s.Account, Call: c.SID, From: c.From, To: c.To})
	c.relays <- r
	ended := make(chan struct{})
	c.s.wg.Go(func() {
		defer close(ended)
		_ = r.Wait()
	})
	select {
	case <-c.over:
	case next = <-c.redirect:
	case <-ended:
	}
	if err := r.Hangup(); err != nil {
		c.s.fault("relay: %v", err)
	}
	<-ended
	if r.Ended() && next == "" {
		form := url.Values{"CallSid": {c.SID}, "AccountSid": {c.s.Account}, "CallStatus": {"in-progress"}, "HandoffData": {"{}"}}
		if _, next, err = c.s.Post(v.attr("action"), form); err != nil {
			c.s.fault("relay action: %v", err)
		}
	}
	return next
}

// Relay waits for the call's next session of ConversationRelay.
func (c *Call) Relay() (*Relay, error) {
	select {
	case r := <-c.relays:
		return r, nil
	case <-time.After(10 * time.Second):
		return nil, fmt.Errorf("call %s has no relay", c.SID)
	}
}

// dial passes the call on, as Server.Answers says.
func (c *Call) dial(v verb) (next string) {
	n := v.Nouns[0]
	outcome := c.s.Answers[n.Text]
	tell := func(status string) {
		form := url.Values{"CallSid": {"CA" + strings.Repeat("f", 32)}, "ParentCallSid": {c.SID}, "AccountSid": {c.s.Account}, "CallStatus": {status}}
		if code, body, err := c.s.Post(n.attr("statusCallback"), form); err != nil || code >= http.StatusMultipleChoices {
			c.s.fault("dial status %s: %d %s %v", status, code, body, err)
		}
	}
	tell("initiated")
	tell("ringing")
	switch outcome {
	case "", "answered":
		tell("in-progress")
		<-c.over // both hang up together
		outcome = "completed"
	case "ring":
		select {
		case <-c.over:
			return ""
		case next = <-c.redirect:
			return next
		}
	}
	form := url.Values{"CallSid": {c.SID}, "AccountSid": {c.s.Account}, "CallStatus": {"in-progress"}, "DialCallStatus": {outcome}}
	_, body, err := c.s.Post(v.attr("action"), form)
	if err != nil {
		c.s.fault("dial action: %v", err)
	}
	return body
}

func readAll(r *http.Response) string {
	b, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return ""
	}
	return string(b)
}
