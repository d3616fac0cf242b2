package azure

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/wire"
	"flametree/engine/provider/wire/speech"
)

// turns is the codec of a stream: a row of turns, one at a time.
type turns struct {
	request string        // of the turn that is open; "" = none
	ending  bool          // its last audio is sent, turn.end is awaited
	begun   time.Duration // where in the stream it began
	sent    time.Duration // audio given away so far
	held    []held        // what waits for turn.end
	ready   []wire.Frame  // what may be sent since it came
	told    []string      // messages of the turn, for the telemetry that it ends with
}

// held is a stretch of audio or, without any, the end of a turn.
type held struct{ pcm []int16 }

// stamp is the X-Timestamp of now.
func stamp() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z") }

func headers(path, request, kind string) string {
	h := "Path: " + path + "\r\nX-Timestamp: " + stamp() + "\r\n"
	if request != "" {
		h += "X-RequestId: " + request + "\r\n"
	}
	if kind != "" {
		h += "Content-Type: " + kind + "\r\n"
	}
	return h
}

func text(path, request, body string) wire.Frame {
	return wire.Frame{Data: []byte(headers(path, request, "application/json; charset=utf-8") + "\r\n" + body)}
}

// config is the message that begins a connection.
func config() wire.Frame {
	return text("speech.config", "", `{"context":{"system":{"version":"1.0"},"os":{"platform":"Linux","name":"Linux","version":"1"},"device":{"manufacturer":"any","model":"any","version":"1"}}}`)
}

// sound is one binary message: the length of the headers, the headers, the bytes.
func sound(request string, body []byte) wire.Frame {
	h := headers("audio", request, "audio/x-wav")
	out := binary.BigEndian.AppendUint16(nil, uint16(len(h)))
	return wire.Frame{Binary: true, Data: append(append(out, h...), body...)}
}

// Audio implements speech.Codec.
func (t *turns) Audio(pcm []int16) []wire.Frame {
	if t.ending {
		t.held = append(t.held, held{pcm: append([]int16(nil), pcm...)})
		return nil
	}
	var out []wire.Frame
	if t.request == "" {
		t.request, t.begun, t.told = id(), t.sent, nil
		out = append(out, sound(t.request, speech.WAV(speech.Rate, 0))) // of a length that nobody knows yet
	}
	t.sent += time.Duration(len(pcm)) * time.Second / speech.Rate
	return append(out, sound(t.request, speech.Bytes(pcm)))
}

// Finalize implements speech.Codec.
func (t *turns) Finalize(int) []wire.Frame {
	if t.ending {
		t.held = append(t.held, held{})
		return nil
	}
	var out []wire.Frame
	if t.request == "" { // the vendor ended the turn by itself, just now
		out = t.Audio(make([]int16, speech.Rate/10))
	}
	t.ending = true
	return append(out, sound(t.request, nil))
}

// End implements speech.Codec: closing the socket ends a stream.
func (t *turns) End() []wire.Frame { return nil }

// Waited implements speech.Waiter.
func (t *turns) Waited() []wire.Frame {
	out := t.ready
	t.ready = nil
	return out
}

// over ends the turn and sends what waited for it.
func (t *turns) over() {
	told, _ := json.Marshal(t.told) //nolint:errchkjson // strings
	t.ready = append(t.ready, text("telemetry", t.request, `{"ReceivedMessages":`+string(told)+`,"Metrics":[]}`))
	t.request, t.ending = "", false
	for len(t.held) > 0 && !t.ending {
		h := t.held[0]
		t.held = t.held[1:]
		if h.pcm == nil {
			t.ready = append(t.ready, t.Finalize(0)...)
		} else {
			t.ready = append(t.ready, t.Audio(h.pcm)...)
		}
	}
}

// phrase is speech.hypothesis and speech.phrase in one.
type phrase struct {
	Status   string `json:"RecognitionStatus"`
	Text     string `json:"Text"`
	Display  string `json:"DisplayText"`
	Offset   int64  `json:"Offset"` // ticks of 100 ns
	Duration int64  `json:"Duration"`
	Best     []struct {
		Lexical string `json:"Lexical"`
		Words   []struct {
			Word             string `json:"Word"`
			Offset, Duration int64
		} `json:"Words"`
	} `json:"NBest"`
}

// ticks bounds what a vendor may say: a day.
func ticks(n int64) time.Duration {
	return time.Duration(max(0, min(n, 864_000_000_000))) * 100
}

// Read implements speech.Codec.
func (t *turns) Read(s *wire.Socket, f wire.Frame) ([]speech.Said, error) {
	head, body, ok := bytes.Cut(f.Data, []byte("\r\n\r\n"))
	path, request := fields(string(head))
	if f.Binary || !ok || path == "" {
		return nil, s.Unreadable()
	}
	if request != t.request || t.request == "" { // of a turn before
		return []speech.Said{{Ready: true}}, nil
	}
	if len(t.told) < 100 {
		t.told = append(t.told, path)
	}
	var p phrase
	switch path {
	case "speech.hypothesis", "speech.fragment":
		if json.Unmarshal(body, &p) != nil {
			return nil, s.Unreadable()
		}
		return []speech.Said{{Text: p.Text}}, nil
	case "speech.phrase":
		if json.Unmarshal(body, &p) != nil {
			return nil, s.Unreadable()
		}
		return t.settled(p)
	case "turn.end":
		asked := t.ending
		t.over()
		return []speech.Said{{Final: asked, Answer: asked}}, nil
	}
	return nil, nil // turn.start, speech.startDetected, speech.endDetected
}

// fields reads the two headers that matter.
func fields(head string) (path, request string) {
	for line := range strings.SplitSeq(head, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "path":
			path = strings.ToLower(strings.TrimSpace(value))
		case "x-requestid":
			request = strings.ToLower(strings.TrimSpace(value))
		}
	}
	return path, request
}

func (t *turns) settled(p phrase) ([]speech.Said, error) {
	switch p.Status {
	case "Success":
	case "Error":
		return nil, fmt.Errorf("azure: the recogniser gave up the turn: %w", fault.Unavailable)
	default: // NoMatch, InitialSilenceTimeout, BabbleTimeout, EndOfDictation
		return []speech.Said{{Final: true}}, nil
	}
	said := speech.Said{Text: p.Display, Final: true, Until: t.begun + ticks(p.Offset) + ticks(p.Duration), EndOfTurn: !t.ending}
	if len(p.Best) > 0 {
		if p.Best[0].Lexical != "" {
			said.Text = p.Best[0].Lexical
		}
		for _, w := range p.Best[0].Words {
			at := t.begun + ticks(w.Offset)
			said.Words = append(said.Words, provider.Word{Text: w.Word, Start: at, End: at + ticks(w.Duration)})
		}
	}
	return []speech.Said{said}, nil
}
