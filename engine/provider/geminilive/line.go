package geminilive

import (
	"encoding/base64"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"flametree/engine/provider"
	"flametree/engine/provider/realtime"
	"flametree/engine/provider/wire"
	"flametree/engine/provider/wire/speech"
)

// How long what was heard may take, from the pause on.
const (
	settles  = 250 * time.Millisecond // after the last piece
	early    = 600 * time.Millisecond // then the activity is ended to have it
	nothing  = 2400 * time.Millisecond
	maxWords = 64 << 10
)

// line implements realtime.Line.
type line struct {
	sock *wire.Messages
	poke chan struct{} // a Commit came

	mu      sync.Mutex
	names   wire.Names
	open    bool     // an activity
	ended   bool     // the activity was ended before a reply was wanted
	held    []server // what came of that reply
	wanted  bool     // a reply
	begun   bool     // something of it came
	stale   bool     // the model is at a reply that nobody wants
	calls   map[string]string
	answers []answer

	heard   string
	piece   time.Time   // when its last piece came
	commits []time.Time // not settled
	usage   provider.Usage
}

func newLine(s *wire.Messages, seed realtime.Seed) *line {
	return &line{sock: s, poke: make(chan struct{}, 1), names: wire.NamesOf(seed.Brief.Tools), calls: map[string]string{}}
}

// Close implements realtime.Line.
func (l *line) Close() { l.sock.Close() }

// Do implements realtime.Line.
func (l *line) Do(c realtime.Command) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch c := c.(type) {
	case realtime.Hear:
		return l.hear(c.PCM)
	case realtime.Commit:
		l.commits = append(l.commits, time.Now())
		l.poked()
	case realtime.Tell:
		return l.tell(c.Message)
	case realtime.Respond:
		return l.respond(c)
	case realtime.Cancel:
		if l.wanted {
			l.wanted, l.stale = false, true
		}
	case realtime.Update, realtime.Forget, realtime.Truncate: // see Can
	}
	return nil
}

func (l *line) hear(pcm []int16) error {
	if len(pcm) == 0 {
		return nil
	}
	if !l.open {
		l.open = true
		if l.ended { // the caller goes on: the answer that began is to half of it
			l.ended, l.stale = false, !slices.ContainsFunc(l.held, server.over)
		}
		l.held = nil
		if err := l.sock.Write(client{Input: &realIn{Start: &empty{}}}); err != nil {
			return err
		}
	}
	return l.sock.Write(client{Input: &realIn{Audio: &blob{Type: "audio/pcm;rate=16000", Data: base64.StdEncoding.EncodeToString(speech.Bytes(pcm))}}})
}

func (l *line) tell(m provider.Message) error {
	if m.Role == provider.RoleTool {
		if name, ok := l.calls[m.CallID]; ok {
			delete(l.calls, m.CallID)
			a := answer{ID: m.CallID, Name: name}
			a.Response.Result = m.Text
			l.answers = append(l.answers, a)
			return nil
		}
	}
	turns := turnsOf([]provider.Message{m})
	if len(turns) == 0 {
		return nil
	}
	return l.sock.Write(client{Content: &contents{Turns: turns}})
}

// respond has the model answer what was told last.
func (l *line) respond(c realtime.Respond) error {
	l.wanted, l.begun, l.usage = true, false, provider.Usage{}
	if l.ended { // it answers already
		l.ended = false
		l.poked()
		return nil
	}
	var out []client
	know := strings.TrimSpace(c.Knowledge)
	switch {
	case len(l.answers) > 0:
		out = append(out, client{Tools: &answers{Responses: l.answers}})
		l.answers = nil
	case l.open:
		if know != "" {
			out = append(out, client{Input: &realIn{Text: know}})
		}
		l.open = false
		out = append(out, client{Input: &realIn{End: &empty{}}})
	default:
		last := contents{Complete: true}
		if know != "" {
			last.Turns = []turn{{Role: "user", Parts: []part{{Text: know}}}}
		}
		out = append(out, client{Content: &last})
	}
	for _, m := range out {
		if err := l.sock.Write(m); err != nil {
			return err
		}
	}
	return nil
}

func (l *line) poked() {
	select {
	case l.poke <- struct{}{}:
	default:
	}
}

type read struct {
	message server
	err     error
}

// Events implements realtime.Line.
func (l *line) Events() iter.Seq2[realtime.Event, error] {
	return func(yield func(realtime.Event, error) bool) {
		in, done := make(chan read), make(chan struct{})
		var work sync.WaitGroup
		work.Go(func() { l.pump(in, done) })
		defer work.Wait()
		defer l.sock.Close()
		defer close(done)
		timer := time.NewTimer(time.Hour)
		defer timer.Stop()
		for {
			out, left, err := l.due(time.Now())
			if err == nil && len(out) == 0 {
				timer.Reset(left)
				select {
				case r := <-in:
					out, err = l.take(r)
				case <-timer.C:
				case <-l.poke:
				}
			}
			for _, e := range out {
				if !yield(e, nil) {
					return
				}
			}
			if err != nil {
				yield(realtime.Event{}, err)
				return
			}
		}
	}
}

// pump reads until the socket ends.
func (l *line) pump(in chan<- read, done <-chan struct{}) {
	for {
		var r read
		r.err = l.sock.Next(&r.message)
		select {
		case in <- r:
		case <-done:
			return
		}
		if r.err != nil {
			return
		}
	}
}

// due is what has become due: held messages, words that are settled, an activity
// that must end to have words; left is when it will be.
func (l *line) due(now time.Time) (out []realtime.Event, left time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.wanted && len(l.held) > 0 {
		m := l.held[0]
		l.held = l.held[1:]
		out = append(out, l.spoken(m)...)
	}
	if len(l.commits) == 0 || len(out) > 0 {
		return out, time.Hour, nil
	}
	at := l.commits[0].Add(settles)
	switch {
	case l.heard != "":
		if last := l.piece.Add(settles); last.After(at) {
			at = last
		}
	case l.open:
		at = l.commits[0].Add(early)
	default:
		at = l.commits[0].Add(nothing)
	}
	if left = at.Sub(now); left > 0 {
		return nil, left, nil
	}
	if l.heard == "" && l.open {
		l.open, l.ended = false, true
		return nil, time.Millisecond, l.sock.Write(client{Input: &realIn{End: &empty{}}})
	}
	text := l.heard
	l.heard = ""
	for range l.commits { // one answer for all: what belongs to which is not told
		out = append(out, realtime.Event{Kind: realtime.Settled, Text: text})
		text = ""
	}
	l.commits = nil
	return out, time.Hour, nil
}

// take reads one message.
func (l *line) take(r read) ([]realtime.Event, error) {
	if r.err != nil {
		return nil, r.err
	}
	m := r.message
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []realtime.Event
	if m.GoAway != nil {
		out = append(out, realtime.Event{Kind: realtime.Leaving})
	}
	if m.Cancelled != nil {
		for _, id := range m.Cancelled.IDs {
			delete(l.calls, id)
		}
	}
	if m.Content != nil && m.Content.Heard != nil {
		if l.heard += m.Content.Heard.Text; len(l.heard) > maxWords {
			return nil, l.sock.Unreadable()
		}
		l.piece = time.Now()
		if text := strings.TrimSpace(l.heard); text != "" {
			out = append(out, realtime.Event{Kind: realtime.Heard, Text: text})
		}
	}
	if m.bad() {
		return nil, l.sock.Unreadable()
	}
	if l.ended && !l.stale {
		l.held = append(l.held, m)
		return out, nil
	}
	return append(out, l.spoken(m)...), nil
}

// over reports whether a reply ends with a message.
func (m server) over() bool {
	return m.ToolCall != nil || m.Content != nil && (m.Content.Complete || m.Content.Interrupted)
}

// bad reports sound or calls that cannot be read.
func (m server) bad() bool {
	if m.ToolCall != nil {
		for _, c := range m.ToolCall.Calls {
			if c.ID == "" || c.Name == "" {
				return true
			}
		}
	}
	if m.Content == nil || m.Content.Turn == nil {
		return false
	}
	for _, p := range m.Content.Turn.Parts {
		if p.Inline == nil {
			continue
		}
		if _, err := base64.StdEncoding.DecodeString(p.Inline.Data); err != nil || !strings.HasPrefix(p.Inline.Type, "audio/pcm") ||
			strings.Contains(p.Inline.Type, "rate=") && !strings.HasSuffix(p.Inline.Type, "rate=24000") {
			return true
		}
	}
	return false
}

// spoken is what a message says about the reply that is wanted; mu is held.
func (l *line) spoken(m server) []realtime.Event {
	if m.Usage != nil {
		l.usage = provider.Usage{Input: m.Usage.Prompt, Output: m.Usage.Response, SoundIn: ofSound(m.Usage.In), SoundOut: ofSound(m.Usage.Out)}
	}
	var out []realtime.Event
	if c := m.Content; c != nil && l.wanted && !l.stale {
		out = l.content(m)
	}
	if m.ToolCall != nil {
		out = append(out, l.wishes(m)...)
	}
	if c := m.Content; c != nil && (c.Complete || c.Interrupted) {
		switch {
		case l.stale:
			l.stale = false
		case l.wanted && l.begun:
			l.wanted = false
			out = append(out, realtime.Event{Kind: realtime.Done, Usage: l.usage})
		}
	}
	return out
}

func (l *line) content(m server) (out []realtime.Event) {
	c := m.Content
	if c.Said != nil && c.Said.Text != "" {
		out = append(out, realtime.Event{Kind: realtime.Text, Text: c.Said.Text})
	}
	if c.Turn != nil {
		for _, p := range c.Turn.Parts {
			if p.Inline == nil {
				continue
			}
			raw, _ := base64.StdEncoding.DecodeString(p.Inline.Data) // bad has looked
			pcm, _ := speech.Samples(raw)
			out = append(out, realtime.Event{Kind: realtime.Sound, PCM: pcm})
		}
	}
	l.begun = l.begun || len(out) > 0
	return out
}

// wishes are calls of tools; with them a reply is complete for now.
func (l *line) wishes(m server) (out []realtime.Event) {
	if l.stale || !l.wanted { // it waits for answers that nobody will give
		return []realtime.Event{{Kind: realtime.Leaving}}
	}
	for _, c := range m.ToolCall.Calls {
		args := string(c.Args)
		if args == "" {
			args = "{}"
		}
		l.calls[c.ID] = c.Name
		out = append(out, realtime.Event{Kind: realtime.Wish, Call: provider.ToolCall{ID: c.ID, Name: l.names.Real(c.Name), Args: args}})
	}
	l.wanted = false
	return append(out, realtime.Event{Kind: realtime.Done, Usage: l.usage})
}
