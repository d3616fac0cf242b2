package voicescript

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"flametree/engine/event"
	"flametree/engine/scenario"
)

const (
	settling = 8 * time.Second        // for the session to end after its call did
	calm     = 500 * time.Millisecond // and for what is still written then
	most     = 16 << 20               // bytes of a line of the journal
)

// journalLine is what the journal's lines say that matters here.
type journalLine struct {
	Pos     uint64          `json:"pos"`
	Stream  string          `json:"stream"`
	Kind    event.Kind      `json:"kind"`
	Time    time.Time       `json:"time"`
	Session string          `json:"session"`
	Body    json.RawMessage `json:"body"`
}

// position is that of the journal's last line. There is no question for it: from
// a position that is not there yet, the answer is empty, and so it is searched.
func (s *Studio) position(ctx context.Context) (uint64, error) {
	if s.Journal == nil {
		return 0, nil
	}
	there := func(at uint64) (bool, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		body, err := s.Journal(ctx, fmt.Sprintf("/journal?from=%d", at))
		if err != nil {
			return false, err
		}
		defer func() { _ = body.Close() }()
		_, err = body.Read(make([]byte, 1))
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		return true, err
	}
	low, high := uint64(0), uint64(1)
	for ; high < 1<<62; high *= 2 {
		ok, err := there(high)
		if err != nil {
			return 0, err
		}
		if !ok {
			break
		}
		low = high
	}
	for high-low > 1 {
		mid := low + (high-low)/2
		ok, err := there(mid)
		if err != nil {
			return 0, err
		}
		if ok {
			low = mid
		} else {
			high = mid
		}
	}
	return low, nil
}

// witness follows the journal of one call. What it finds belongs to its
// goroutine until that ends.
type witness struct {
	player *player
	id     string // SIP Call-ID
	cancel context.CancelFunc
	lines  chan journalLine
	hungUp chan bool // told once that the call is over, and whether a recording is expected
	done   chan struct{}

	call, session string // streams
	facts         scenario.Facts
	found         bool
	early         []journalLine // of sessions, before it is known which one is ours
	ended, over   bool          // the session, the call
	tools         map[string]int
}

// watch begins to follow the journal from behind a position. end must be called.
func (s *Studio) watch(ctx context.Context, p *player, position uint64) *witness {
	w := &witness{player: p, lines: make(chan journalLine), hungUp: make(chan bool, 1), done: make(chan struct{}), tools: map[string]int{}}
	if s.Journal == nil {
		return w
	}
	w.id = p.call.SIP().CallID()
	ctx, w.cancel = context.WithCancel(ctx)
	go func() {
		defer close(w.lines)
		follow(ctx, s.Journal, position+1, w.lines)
	}()
	go w.collect()
	return w
}

// follow passes lines on until ctx ends.
func follow(ctx context.Context, j Journal, from uint64, to chan<- journalLine) {
	body, err := j(ctx, fmt.Sprintf("/journal?from=%d&follow=1", from))
	if err != nil {
		return
	}
	defer func() { _ = body.Close() }()
	sc := bufio.NewScanner(body)
	sc.Buffer(make([]byte, 64<<10), most)
	for sc.Scan() {
		var l journalLine
		if json.Unmarshal(sc.Bytes(), &l) != nil {
			continue // cut off
		}
		select {
		case to <- l:
		case <-ctx.Done():
			return
		}
	}
}

// collect takes lines until, after the call, the session has ended and nothing
// more is written, or there was no time left to wait for that.
func (w *witness) collect() {
	defer close(w.done)
	hungUp, recorded := w.hungUp, false
	var enough, late <-chan time.Time
	for {
		select {
		case l, ok := <-w.lines:
			if !ok {
				return
			}
			if w.take(l) {
				enough = nil // not calm yet
			}
		case recorded = <-hungUp:
			hungUp, late = nil, time.After(settling)
		case <-enough:
			return
		case <-late:
			return
		}
		if late != nil && enough == nil && w.ended && w.over && (w.facts.Recording || !recorded) {
			enough = time.After(calm)
		}
	}
}

// end waits until the session is over and gives the facts, nil when nobody can
// look. recorded says that a recording is expected, which is closed last.
func (w *witness) end(recorded bool) *scenario.Facts {
	if w.cancel == nil {
		return nil
	}
	w.hungUp <- recorded
	<-w.done
	w.cancel()
	for range w.lines { // until follow has ended
	}
	if !w.found {
		return nil
	}
	return &w.facts
}

// take notes what a line says, and reports whether it is of this call.
func (w *witness) take(l journalLine) bool {
	if !w.found {
		w.born(l)
		return false
	}
	at := w.player.offset(l.Time)
	switch {
	case l.Stream == w.call:
		w.ofCall(l)
	case l.Stream == w.session:
		w.ofSession(l, at)
	default:
		return false
	}
	return true
}

// born finds the call by its SIP Call-ID.
func (w *witness) born(l journalLine) {
	var b event.CallOffered
	if strings.HasPrefix(l.Stream, "session/") {
		// A session may be written before its call.
		const enough = 1000
		w.early = append(w.early, l)
		w.early = w.early[max(0, len(w.early)-enough):]
	}
	if l.Kind != b.Kind() || json.Unmarshal(l.Body, &b) != nil || b.SIPCallID != w.id {
		return
	}
	w.found, w.call, w.session, w.facts.Session = true, l.Stream, "session/"+b.Session, b.Session
	for _, l := range w.early {
		w.take(l)
	}
	w.early = nil
}

func (w *witness) ofCall(l journalLine) {
	switch l.Kind {
	case event.CallEnded{}.Kind():
		w.over = true
	case event.RecordingClosed{}.Kind():
		w.facts.Recording = true
	}
}

// read decodes a body; what cannot be read is left out.
func read[T any](l journalLine) (T, bool) {
	var b T
	err := json.Unmarshal(l.Body, &b)
	return b, err == nil
}

func (w *witness) ofSession(l journalLine, at time.Duration) {
	f := &w.facts
	switch l.Kind {
	case event.SessionEnded{}.Kind():
		if b, ok := read[event.SessionEnded](l); ok {
			w.ended, f.Status = true, string(b.Status)
		}
	case event.StateEntered{}.Kind():
		if b, ok := read[event.StateEntered](l); ok {
			f.States = append(f.States, scenario.Fact{At: at, Text: b.State})
			w.player.tell("state %s", b.State)
		}
	case event.ResultSet{}.Kind():
		if b, ok := read[event.ResultSet](l); ok {
			f.Results = append(f.Results, scenario.Fact{At: at, Name: b.Field, Text: b.Value.Text})
			w.player.tell("result %s = %s", b.Field, b.Value.Text)
		}
	case event.UtteranceHeard{}.Kind():
		if b, ok := read[event.UtteranceHeard](l); ok {
			f.Heard = append(f.Heard, scenario.Fact{At: at, Text: b.Text.Text})
			w.player.tell("understood: %s", first(b.Text.Text, "(no words)"))
		}
	case event.ReplySpoken{}.Kind():
		if b, ok := read[event.ReplySpoken](l); ok {
			said := scenario.Fact{At: at, Text: b.Text.Text}
			if b.Interrupted {
				said.Fault = "interrupted"
			}
			f.Said = append(f.Said, said)
			w.player.tell("%s", strings.TrimSpace("agent said: "+b.Text.Text+" "+said.Fault))
		}
	default:
		w.ofTools(l, at)
	}
}

// ofTools notes calls of tools: those that were refused, and how the others went.
func (w *witness) ofTools(l journalLine, at time.Duration) {
	f := &w.facts
	switch l.Kind {
	case event.ToolCalled{}.Kind():
		if b, ok := read[event.ToolCalled](l); ok {
			call := scenario.Fact{At: at, Name: b.Call.Name}
			if b.Refused != "" {
				call.Fault = "refused: " + b.Refused
			}
			w.tools[b.Call.ID] = len(f.Calls)
			f.Calls = append(f.Calls, call)
			w.player.tell("tool %s %s", call.Name, call.Fault)
		}
	case event.ToolAnswered{}.Kind():
		if b, ok := read[event.ToolAnswered](l); ok && b.Fault != "" {
			if i, known := w.tools[b.CallID]; known && f.Calls[i].Fault == "" {
				f.Calls[i].Fault = "failed: " + b.Fault
			}
		}
	}
}
