package openairealtime

import (
	"encoding/base64"
	"iter"
	"slices"
	"strings"
	"sync"

	"flametree/engine/provider"
	"flametree/engine/provider/realtime"
	"flametree/engine/provider/wire"
	"flametree/engine/provider/wire/speech"
)

// The bounds of a line.
const (
	leastCommit = realtime.HearHz / 10 // samples: the vendor refuses less than 100 ms
	maxWords    = 64 << 10             // bytes of the words of one item
)

// line implements realtime.Line.
type line struct {
	sock                        *wire.Messages
	voice, transcribe, language string

	mu     sync.Mutex
	system string
	names  wire.Names
	up     speech.Upsampler
	fresh  int // samples since the last commit
	// A response is wanted, asked for or active; of a cancelled one nothing is told.
	busy     bool // one was asked for and is not done
	active   string
	canceled bool
	next     *realtime.Respond // waits for the end of the cancelled one
	ids      map[string]string // of calls: as the vendor wrote them, by our spelling

	order []string          // committed items that were not told yet
	texts map[string]string // of items, so far
	done  map[string]bool
	odd   []byte // half a sample
}

func newLine(s *wire.Messages, o Options, seed realtime.Seed) *line {
	return &line{
		sock: s, voice: o.Voice, transcribe: o.Transcribe, language: seed.Language,
		texts: map[string]string{}, done: map[string]bool{}, ids: map[string]string{},
	}
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
		if l.fresh < leastCommit {
			if err := l.hear(make([]int16, leastCommit-l.fresh)); err != nil {
				return err
			}
		}
		l.fresh = 0
		return l.sock.Write(bare{"input_audio_buffer.commit"})
	case realtime.Update:
		return l.sock.Write(l.sessionOf(c.Brief, false))
	case realtime.Tell:
		return l.tell(c.Message)
	case realtime.Forget:
		return l.sock.Write(remove{Type: "conversation.item.delete", ItemID: c.Item})
	case realtime.Truncate:
		return l.sock.Write(truncate{Type: "conversation.item.truncate", ItemID: c.Item, EndMS: c.At.Milliseconds()})
	case realtime.Respond:
		if l.busy {
			l.next = &c
			return nil
		}
		return l.respond(c)
	case realtime.Cancel:
		return l.cancel()
	}
	return nil
}

func (l *line) hear(pcm []int16) error {
	if len(pcm) == 0 {
		return nil
	}
	l.fresh += len(pcm)
	return l.sock.Write(appended{Type: "input_audio_buffer.append", Audio: base64.StdEncoding.EncodeToString(speech.Bytes(l.up.Process(pcm)))})
}

func (l *line) tell(m provider.Message) error {
	for _, i := range itemsOf(m) {
		if real, ok := l.ids[i.CallID]; ok {
			i.CallID = real
		}
		if err := l.sock.Write(create{Type: "conversation.item.create", Item: i}); err != nil {
			return err
		}
	}
	return nil
}

func (l *line) respond(c realtime.Respond) error {
	l.busy, l.canceled, l.active, l.odd = true, false, "", nil
	r := respond{Type: "response.create"}
	if c.Knowledge != "" {
		r.Response = &response{Instructions: strings.TrimSpace(l.system + "\n\n" + c.Knowledge)}
	}
	return l.sock.Write(r)
}

// cancel ends the response that is wanted.
func (l *line) cancel() error {
	l.next = nil
	if !l.busy || l.canceled {
		return nil
	}
	l.canceled = true
	return l.sock.Write(bare{"response.cancel"})
}

// Events implements realtime.Line.
func (l *line) Events() iter.Seq2[realtime.Event, error] {
	return func(yield func(realtime.Event, error) bool) {
		for {
			out, err := l.take()
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

// take waits for the next message.
func (l *line) take() ([]realtime.Event, error) {
	m, err := l.message()
	if err != nil {
		return nil, err
	}
	return l.read(m)
}

func (l *line) message() (m message, err error) {
	if err = l.sock.Next(&m); err == nil && m.Type == "" {
		err = l.sock.Unreadable()
	}
	return m, err
}

const transcription = "conversation.item.input_audio_transcription."

func (l *line) read(m message) ([]realtime.Event, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch m.Type {
	case "input_audio_buffer.committed":
		l.commit(m.ItemID)
	case transcription + "delta":
		return l.heardMore(m)
	case transcription + "completed":
		if m.Transcript == nil {
			return nil, l.sock.Unreadable()
		}
		return l.heardAll(m.ItemID, *m.Transcript), nil
	case transcription + "failed": // its words are lost, not the audio
		return l.heardAll(m.ItemID, ""), nil
	case "error":
		return l.trouble(m.Error)
	}
	return l.reply(m)
}

func (l *line) commit(id string) {
	if id != "" && !slices.Contains(l.order, id) {
		l.order = append(l.order, id)
	}
}

func (l *line) heardMore(m message) ([]realtime.Event, error) {
	if !slices.Contains(l.order, m.ItemID) {
		return nil, nil // it was told already, or nobody committed it
	}
	if l.texts[m.ItemID] += m.Delta; len(l.texts[m.ItemID]) > maxWords {
		return nil, l.sock.Unreadable()
	}
	if l.order[0] != m.ItemID {
		return nil, nil
	}
	return []realtime.Event{{Kind: realtime.Heard, Text: l.texts[m.ItemID]}}, nil
}

// heardAll settles an item; items are told in the order of their commits, and once.
func (l *line) heardAll(id, text string) []realtime.Event {
	if !slices.Contains(l.order, id) {
		return nil
	}
	l.texts[id], l.done[id] = text, true
	var out []realtime.Event
	for len(l.order) > 0 && l.done[l.order[0]] {
		first := l.order[0]
		out = append(out, realtime.Event{Kind: realtime.Settled, Text: l.texts[first]})
		delete(l.texts, first)
		delete(l.done, first)
		l.order = l.order[1:]
	}
	return out
}

func (l *line) trouble(t trouble) ([]realtime.Event, error) {
	switch {
	case t.harmless():
		return nil, nil
	case t.Code == "input_audio_buffer_commit_empty":
		return []realtime.Event{{Kind: realtime.Settled}}, nil
	}
	return nil, l.sock.Refused(0, t.Code, t.kind())
}

// reply reads what belongs to a response.
func (l *line) reply(m message) ([]realtime.Event, error) {
	switch m.Type {
	case "response.created":
		l.active = m.Response.ID
		return nil, nil
	case "response.done":
		return l.over(m)
	}
	if l.canceled || m.ResponseID == "" || m.ResponseID != l.active {
		return nil, nil
	}
	switch m.Type {
	case "response.output_audio.delta", "response.audio.delta":
		raw, err := base64.StdEncoding.DecodeString(m.Delta)
		if err != nil {
			return nil, l.sock.Unreadable()
		}
		pcm, rest := speech.Samples(append(l.odd, raw...))
		l.odd = slices.Clone(rest)
		return []realtime.Event{{Kind: realtime.Sound, Item: m.ItemID, PCM: pcm}}, nil
	case "response.output_audio_transcript.delta", "response.audio_transcript.delta":
		return []realtime.Event{{Kind: realtime.Text, Item: m.ItemID, Text: m.Delta}}, nil
	case "response.output_item.done":
		if m.Item.Type != "function_call" {
			return nil, nil
		}
		id := m.Item.CallID
		if id == "" {
			return nil, l.sock.Unreadable()
		}
		l.ids[wire.ID(id)] = id
		return []realtime.Event{{Kind: realtime.Wish, Call: provider.ToolCall{ID: id, Name: l.names.Real(m.Item.Name), Args: m.Item.Arguments}}}, nil
	}
	return nil, nil
}

// over takes in the end of a response, and begins the one that waited for it.
func (l *line) over(m message) (out []realtime.Event, err error) {
	if !l.busy || l.active != "" && m.Response.ID != l.active {
		return nil, nil
	}
	told := !l.canceled
	l.busy, l.active = false, ""
	d := m.Response.Detail
	switch {
	case !told:
	case m.Response.Status == "failed":
		return nil, l.sock.Refused(0, d.Error.Code, d.Error.kind())
	default:
		u := m.Response.Usage
		out = []realtime.Event{{
			Kind: realtime.Done, Limit: m.Response.Status == "incomplete",
			Usage: provider.Usage{Input: u.Input, Output: u.Output, SoundIn: u.In.Audio, SoundOut: u.Out.Audio},
		}}
	}
	if next := l.next; next != nil {
		l.next = nil
		err = l.respond(*next)
	}
	return out, err
}
