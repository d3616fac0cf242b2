package crash_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"flametree/test/house"
)

// ledger folds the journal as an outsider sees it and notes whatever must not
// be in one, whatever the clients were told.
type ledger struct {
	mu       sync.Mutex
	lines    []string // by position, from 1
	versions map[string]uint64
	sessions map[string]*session
	calls    map[string]*call
	wrong    []string
	counts   map[string]int // kinds since the round began
	watch    func(kind string, count int)
}

// session is what the journal says of a conversation.
type session struct {
	id, user, call string
	heard          []string          // client ids of messages in order
	texts          map[string]string // by client id
	turns          map[string]uint64 // by client id
	replies        map[uint64]reply
	open           map[uint64]bool // started, neither sent nor spoken nor lost
	lost           int
	ended          string
}

type reply struct{ message, text string }

// call is what the journal says of a call.
type call struct {
	session  string
	answered bool
	ended    string
	cut      bool // its recording
	blob     string
}

func newLedger() *ledger {
	return &ledger{versions: map[string]uint64{}, sessions: map[string]*session{}, calls: map[string]*call{}, counts: map[string]int{}}
}

// take adds an event, or compares it when it is known already.
func (l *ledger) take(e house.Event) {
	l.mu.Lock()
	n := uint64(len(l.lines))
	switch {
	case e.Pos <= n:
		if was := l.lines[e.Pos-1]; was != e.Raw {
			l.complain("position %d has changed:\n  was %s\n  is  %s", e.Pos, was, e.Raw)
		}
		l.mu.Unlock()
		return
	case e.Pos != n+1:
		l.complain("position %d follows %d", e.Pos, n)
	}
	l.lines = append(l.lines, e.Raw)
	if want := l.versions[e.Stream] + 1; e.Version != want {
		l.complain("%s: version %d where %d comes", e.Stream, e.Version, want)
	}
	l.versions[e.Stream] = e.Version
	kind, id, _ := strings.Cut(e.Stream, "/")
	switch kind {
	case "session":
		l.ofSession(id, e)
	case "call":
		l.ofCall(id, e)
	}
	l.counts[e.Kind]++
	count, watch := l.counts[e.Kind], l.watch
	l.mu.Unlock()
	if watch != nil {
		watch(e.Kind, count)
	}
}

func (l *ledger) complain(format string, args ...any) {
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}

// private is a personal field.
type private struct{ Text string }

// body holds the fields of all events that matter here.
type body struct {
	Turn                      uint64
	Message, ExternalID       string
	UserID, Text              private
	Call, Status              string
	Session, Reason, By, Blob string
	Cut                       bool
}

func (l *ledger) ofSession(id string, e house.Event) {
	var b body
	if err := json.Unmarshal(e.Body, &b); err != nil {
		l.complain("position %d: %v", e.Pos, err)
		return
	}
	s := l.sessions[id]
	if e.Kind == "session.created.v1" {
		if s != nil {
			l.complain("session %s is created twice", id)
		}
		l.sessions[id] = &session{
			id: id, user: b.UserID.Text, call: b.Call,
			texts: map[string]string{}, turns: map[string]uint64{}, replies: map[uint64]reply{}, open: map[uint64]bool{},
		}
		return
	}
	if s == nil {
		l.complain("session %s: %s before its creation", id, e.Kind)
		return
	}
	l.inSession(s, e.Kind, b)
}

func (l *ledger) inSession(s *session, kind string, b body) {
	if s.ended != "" && kind != "turn.timed.v1" {
		l.complain("session %s: %s after its end", s.id, kind)
	}
	switch kind {
	case "message.received.v1":
		if _, twice := s.texts[b.ExternalID]; twice {
			l.complain("session %s: message %s is doubled", s.id, b.ExternalID)
		}
		s.heard = append(s.heard, b.ExternalID)
		s.texts[b.ExternalID], s.turns[b.ExternalID] = b.Text.Text, b.Turn
	case "reply.started.v1":
		if len(s.open) > 0 {
			l.complain("session %s: turn %d opens over another", s.id, b.Turn)
		}
		s.open[b.Turn] = true
	case "reply.sent.v1", "reply.spoken.v1":
		if _, twice := s.replies[b.Turn]; twice {
			l.complain("session %s: the reply to turn %d is doubled", s.id, b.Turn)
		}
		if !s.open[b.Turn] && b.Turn > 0 {
			l.complain("session %s: the reply to turn %d was not started", s.id, b.Turn)
		}
		s.replies[b.Turn] = reply{message: b.Message, text: b.Text.Text}
		delete(s.open, b.Turn)
	case "reply.lost.v1":
		s.lost++
		delete(s.open, b.Turn)
	case "session.ended.v1":
		s.ended = b.Status
		clear(s.open)
	}
}

func (l *ledger) ofCall(id string, e house.Event) {
	var b body
	if err := json.Unmarshal(e.Body, &b); err != nil {
		l.complain("position %d: %v", e.Pos, err)
		return
	}
	c := l.calls[id]
	if e.Kind == "call.offered.v1" {
		l.calls[id] = &call{session: b.Session}
		return
	}
	if c == nil {
		l.complain("call %s: %s before it was offered", id, e.Kind)
		return
	}
	switch e.Kind {
	case "call.answered.v1":
		c.answered = true
	case "call.ended.v1":
		if c.ended != "" {
			l.complain("call %s ends twice: %s, %s", id, c.ended, b.Reason)
		}
		c.ended = b.Reason
	case "recording.closed.v1":
		if c.blob != "" {
			l.complain("call %s has two recordings", id)
		}
		c.blob, c.cut = b.Blob, b.Cut
	}
}

// unsettled names what a crash has left open.
func (l *ledger) unsettled() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for id, s := range l.sessions {
		if len(s.open) > 0 {
			out = append(out, "reply in session "+id)
		}
		if s.call != "" && s.ended == "" {
			out = append(out, "session "+id+" of a call")
		}
	}
	for id, c := range l.calls {
		if c.ended == "" {
			out = append(out, "call "+id)
		}
	}
	return out
}

// speaking counts the calls that wait for something when the journal ends here.
func (l *ledger) speaking() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, s := range l.sessions {
		if s.call != "" && s.ended == "" && len(s.open) > 0 {
			n++
		}
	}
	return n
}

// begin starts a round: watch is told of every event with the count of its kind.
func (l *ledger) begin(watch func(kind string, count int)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts, l.watch = map[string]int{}, watch
}

// next is the position that comes.
func (l *ledger) next() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.lines)) + 1
}
