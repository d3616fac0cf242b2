package openai

import (
	"encoding/base64"
	"encoding/json"
	"slices"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/wire"
	"flametree/engine/provider/wire/speech"
)

// session is the session.update that begins a transcription.
type session struct {
	Type    string      `json:"type"`
	Session sessionBody `json:"session"`
}

type sessionBody struct {
	Type  string `json:"type"`
	Audio struct {
		Input sessionInput `json:"input"`
	} `json:"audio"`
}

type sessionInput struct {
	Format struct {
		Type string `json:"type"`
		Rate int    `json:"rate"`
	} `json:"format"`
	Transcription struct {
		Model    string `json:"model"`
		Language string `json:"language,omitempty"`
	} `json:"transcription"`
	// Turns are ours to decide: null, and every utterance is committed by us.
	TurnDetection *struct{} `json:"turn_detection"`
}

func sessionOf(model string, f provider.Format) session {
	s := session{Type: "session.update", Session: sessionBody{Type: "transcription"}}
	in := &s.Session.Audio.Input
	in.Format.Type, in.Format.Rate = "audio/pcm", 24000
	in.Transcription.Model, in.Transcription.Language = model, speech.Short(f.Language)
	return s
}

// leastCommit is how much audio a commit must hold: 100 ms.
const leastCommit = speech.Rate / 10

// live is the codec of the realtime socket. Utterances are items there; they
// may be completed out of order and are told in the order of their commits.
type live struct {
	up    speech.Upsampler
	order []string          // items that were committed and not told yet
	texts map[string]string // of items, so far
	done  map[string]bool   // items that are completed
	past  []string          // items that were told, the last few
}

type appended struct {
	Type  string `json:"type"`
	Audio string `json:"audio"`
}

// Audio implements speech.Codec.
func (l *live) Audio(pcm []int16) []wire.Frame {
	return []wire.Frame{encode(appended{Type: "input_audio_buffer.append", Audio: base64.StdEncoding.EncodeToString(speech.Bytes(l.up.Process(pcm)))})}
}

// encode writes one of our messages, which are strings and numbers.
func encode(v any) wire.Frame {
	data, _ := json.Marshal(v) //nolint:errchkjson // it cannot fail on strings
	return wire.Frame{Data: data}
}

// Finalize implements speech.Codec. A commit of too little is refused there, so
// it is filled up with silence.
func (l *live) Finalize(fresh int) []wire.Frame {
	var out []wire.Frame
	if fresh < leastCommit {
		out = l.Audio(make([]int16, leastCommit-fresh))
	}
	return append(out, wire.Frame{Data: []byte(`{"type":"input_audio_buffer.commit"}`)})
}

// End implements speech.Codec: closing the socket ends a session.
func (l *live) End() []wire.Frame { return nil }

// heard is the union of the messages of a session that matter here.
type heard struct {
	Type       string  `json:"type"`
	ItemID     string  `json:"item_id"`
	Delta      string  `json:"delta"`
	Transcript *string `json:"transcript"`
	Error      struct {
		Type string `json:"type"`
		Code string `json:"code"`
	} `json:"error"`
}

const itemEvent = "conversation.item.input_audio_transcription."

// Read implements speech.Codec.
func (l *live) Read(s *wire.Socket, f wire.Frame) ([]speech.Said, error) {
	var m heard
	if f.Binary || json.Unmarshal(f.Data, &m) != nil || m.Type == "" {
		return nil, s.Unreadable()
	}
	switch m.Type {
	case "session.created", "session.updated", "rate_limits.updated":
		return []speech.Said{{Ready: true}}, nil
	case "input_audio_buffer.committed":
		l.commit(m.ItemID)
	case itemEvent + "delta":
		l.texts[m.ItemID] += m.Delta
		if len(l.texts[m.ItemID]) > maxTranscript {
			return nil, s.Unreadable()
		}
		if len(l.order) == 0 || l.order[0] == m.ItemID {
			return []speech.Said{{Text: l.texts[m.ItemID]}}, nil
		}
	case itemEvent + "completed":
		if m.Transcript == nil {
			return nil, s.Unreadable()
		}
		if slices.Contains(l.past, m.ItemID) { // it repeats itself
			return nil, nil
		}
		l.commit(m.ItemID)
		l.texts[m.ItemID], l.done[m.ItemID] = *m.Transcript, true
		return l.tell(), nil
	case itemEvent + "failed":
		return nil, s.Refused(0, m.Error.Code, fault.Unavailable)
	case "error":
		if m.Error.Code == "input_audio_buffer_commit_empty" {
			return []speech.Said{{Final: true, Answer: true}}, nil
		}
		return nil, s.Refused(0, m.Error.Code, refusedKind(m.Error.Type, m.Error.Code))
	}
	return nil, nil
}

func (l *live) commit(id string) {
	if !slices.Contains(l.order, id) && !slices.Contains(l.past, id) {
		l.order = append(l.order, id)
	}
}

// tell gives the items that are completed and have their turn.
func (l *live) tell() []speech.Said {
	var out []speech.Said
	for len(l.order) > 0 && l.done[l.order[0]] {
		id := l.order[0]
		out = append(out, speech.Said{Text: l.texts[id], Final: true, Answer: true})
		delete(l.texts, id)
		delete(l.done, id)
		if l.order, l.past = l.order[1:], append(l.past, id); len(l.past) > 16 {
			l.past = l.past[1:]
		}
	}
	return out
}

// refusedKind reads what an error event means; "" = by its code alone.
func refusedKind(kind, code string) fault.Kind {
	switch {
	case kind == "authentication_error", code == "invalid_api_key", code == "insufficient_quota":
		return fault.Denied
	case kind == "rate_limit_error", code == "rate_limit_exceeded":
		return fault.Exhausted
	}
	return ""
}
