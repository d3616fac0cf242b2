package sip

import (
	"bytes"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/actors"
)

// What a call remembers of its signalling: the first and the last half of this.
const (
	tracedMessages = 200
	tracedBytes    = 64 << 10
)

// trace is the signalling of one call as it was on the wire. Credentials are
// masked when it is looked at: most calls end without that, and it costs more
// than the rest.
type trace struct {
	mu         sync.Mutex // guards what follows
	head, tail []actors.Signal
	headBytes  int
	tailBytes  int
	dropped    int // between head and tail
}

func (t *trace) add(s actors.Signal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tail == nil && len(t.head) < tracedMessages/2 && t.headBytes+len(s.Text) <= tracedBytes/2 {
		t.head = append(t.head, s)
		t.headBytes += len(s.Text)
		return
	}
	if len(s.Text) > tracedBytes/2 { // one message fills all there is
		s.Text = s.Text[:tracedBytes/2]
	}
	t.tail = append(t.tail, s)
	t.tailBytes += len(s.Text)
	for len(t.tail) > tracedMessages/2 || t.tailBytes > tracedBytes/2 {
		t.tailBytes -= len(t.tail[0].Text)
		t.tail = append(t.tail[:0], t.tail[1:]...)
		t.dropped++
	}
}

func (t *trace) all() []actors.Signal {
	t.mu.Lock()
	out := append(append(make([]actors.Signal, 0, len(t.head)+len(t.tail)), t.head...), t.tail...)
	if t.dropped > 0 && len(t.tail) > 0 {
		out[len(t.head)].Dropped = t.dropped
	}
	t.mu.Unlock()
	for i := range out {
		out[i].Text = masked([]byte(out[i].Text))
	}
	return out
}

// traces finds the traces of calls by their Call-ID: two calls have one when we
// call ourselves. The zero value is ready.
type traces struct {
	mu      sync.Mutex // guards what follows
	calls   map[string][]*trace
	waiting map[string]actors.Signal // INVITEs that are not a call yet
}

// open begins the trace of a call, with the INVITE that made it.
func (b *traces) open(id string) *trace {
	t := new(trace)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.calls == nil {
		b.calls = make(map[string][]*trace)
	}
	b.calls[id] = append(b.calls[id], t)
	if s, ok := b.waiting[id]; ok {
		t.add(s)
	}
	return t
}

func (b *traces) close(id string, t *trace) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var kept []*trace
	for _, other := range b.calls[id] {
		if other != t {
			kept = append(kept, other)
		}
	}
	if b.calls[id] = kept; len(kept) == 0 {
		delete(b.calls, id)
	}
}

// of are the traces of the calls with an id.
func (b *traces) of(id string) []*trace {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]*trace(nil), b.calls[id]...)
}

// offer keeps an INVITE until done is called, for the call it may become.
func (b *traces) offer(id string, s actors.Signal) (done func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting == nil {
		b.waiting = make(map[string]actors.Signal)
	}
	b.waiting[id] = s
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.waiting, id)
	}
}

// heard notes a message that came; done is called when it was dispatched.
func (e *Endpoint) heard(l link, msg sip.Message, raw []byte) (done func()) {
	h := msg.CallID()
	if h == nil {
		return func() {}
	}
	id := h.Value()
	calls := e.traces.of(id)
	req, asked := msg.(*sip.Request)
	opens := asked && req.Method == sip.INVITE && (req.To() == nil || tagOf(req.To().Params) == "")
	if len(calls) == 0 && !opens {
		return func() {}
	}
	s := actors.Signal{At: time.Now(), Transport: strings.ToLower(l.network()), From: l.source(), To: e.own(l), Text: string(raw)}
	for _, t := range calls {
		t.add(s)
	}
	if !opens {
		return func() {}
	}
	return e.traces.offer(id, s)
}

// sent notes a message that goes out.
func (e *Endpoint) sent(l link, raw []byte) {
	calls := e.traces.of(callIDOf(raw))
	if len(calls) == 0 {
		return
	}
	s := actors.Signal{At: time.Now(), Out: true, Transport: strings.ToLower(l.network()), From: e.own(l), To: l.source(), Text: string(raw)}
	for _, t := range calls {
		t.add(s)
	}
}

// own is the address of our end of a link.
func (e *Endpoint) own(l link) netip.AddrPort {
	at := addrPort(l.LocalAddr())
	if at.IsValid() && at.Addr().IsUnspecified() {
		return netip.AddrPortFrom(e.face(l), at.Port())
	}
	return at
}

// callIDOf finds the Call-ID in a message of our own making.
func callIDOf(raw []byte) string {
	const name = "\r\nCall-ID: "
	_, rest, ok := bytes.Cut(raw, []byte(name))
	if !ok {
		return ""
	}
	id, _, _ := bytes.Cut(rest, []byte("\r\n"))
	return string(id)
}

// seenSocket is a UDP socket whose messages are noted.
type seenSocket struct {
	datagrams
	e *Endpoint
}

// WriteToUDPAddrPort implements datagrams.
func (s seenSocket) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	s.e.sent(&udpLink{socket: s.datagrams, from: to, to: to}, b)
	return s.datagrams.WriteToUDPAddrPort(b, to)
}

// Signals implements actors.Signalling: what was said on the call so far, at
// most 200 messages and 64 kB; of more the middle is dropped, which Dropped of
// the message behind it tells.
func (c *Call) Signals() []actors.Signal { return c.trace.all() }

var _ actors.Signalling = (*Call)(nil)

// undialled is why a call of ours came to nothing, and what was said about it.
type undialled struct {
	error
	signals []actors.Signal
}

// Unwrap gives the reason.
func (u *undialled) Unwrap() error { return u.error }

// Signals implements actors.Signalling.
func (u *undialled) Signals() []actors.Signal { return u.signals }

const mask = "[masked]"

// masked is a message without what would let a reader call in somebody's name,
// open sealed packets, or see which keys a caller pressed.
func masked(raw []byte) string {
	head, body, whole := strings.Cut(string(raw), "\r\n\r\n")
	var out []string
	secret, keys := false, false
	for i, line := range strings.Split(head, "\r\n") {
		if i > 0 && (strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")) && secret {
			continue // a folded header goes with its first line
		}
		field, value, _ := strings.Cut(line, ":")
		name := strings.ToLower(strings.TrimSpace(field))
		secret = i > 0 && (name == "authorization" || name == "proxy-authorization")
		switch {
		case secret:
			scheme, _, _ := strings.Cut(strings.TrimSpace(value), " ")
			line = field + ": " + scheme + " " + mask
		case i > 0 && (name == "content-type" || name == "c"):
			kind := strings.ToLower(value)
			keys = strings.Contains(kind, "dtmf") || strings.Contains(kind, "kpml") || strings.Contains(kind, "multipart")
		}
		if passwordIn(line) {
			line = passwordOf().ReplaceAllString(line, "${1}"+mask+"@")
		}
		out = append(out, line)
	}
	text := strings.Join(out, "\r\n")
	switch {
	case !whole:
	case keys && body != "":
		text += "\r\n\r\n" + mask
	default:
		text += "\r\n\r\n" + maskedBody(body)
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// passwordOf finds the password in a SIP URI (RFC 3261 19.1.1).
var passwordOf = sync.OnceValue( //nolint:gochecknoglobals // made once, never changed
	func() *regexp.Regexp { return regexp.MustCompile(`(?i)(sips?:[^\s:@<>;"]+:)[^\s@<>"]+@`) })

// passwordIn says whether passwordOf could find something in a line. Hardly any
// line is one for it, and asking it is dear: 5 % of a call's set-up (bench sip).
// Two colons stand in one word before an at sign where there is a password.
func passwordIn(line string) bool {
	colons := 0
	for i := range len(line) {
		switch line[i] {
		case '@':
			if colons > 1 {
				return true
			}
			colons = 0
		case ' ', '\t', '\n', '\f', '\r', '<', '>', '"': // all that passwordOf takes for the end of a word
			colons = 0
		case ':':
			colons++
		}
	}
	return false
}

// maskedBody takes the keys out of a session description (RFC 4568, RFC 8839).
func maskedBody(body string) string {
	lines := strings.SplitAfter(body, "\n")
	for i, line := range lines {
		text := strings.TrimRight(line, "\r\n")
		low, end := strings.ToLower(text), line[len(text):]
		switch {
		case strings.HasPrefix(low, "a=crypto:"):
			cut := strings.Index(low, "inline:")
			if cut < 0 {
				cut = len("a=crypto:") - len("inline:")
			}
			lines[i] = text[:cut+len("inline:")] + mask + end
		case strings.HasPrefix(low, "a=key-mgmt:"), strings.HasPrefix(low, "a=ice-pwd:"):
			lines[i] = text[:strings.Index(text, ":")+1] + mask + end
		case strings.HasPrefix(low, "k="), strings.HasPrefix(low, "signal="):
			lines[i] = text[:strings.Index(text, "=")+1] + mask + end
		}
	}
	return strings.Join(lines, "")
}
