package elevenlabs

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/wire"
	"flametree/engine/provider/wire/speech"
)

// DefaultURL is ElevenLabs' own address.
const DefaultURL = "https://api.elevenlabs.io"

// Options of a Transcriber and a Synthesizer.
type Options struct {
	speech.Options
	Model      string // of a Transcriber; "" = scribe_v2_realtime
	VoiceModel string // of a Synthesizer; "" = eleven_flash_v2_5
	Voice      string // the id of one, where a call names none; "" = ElevenLabs' sample voice
}

func connect(ctx context.Context, c *wire.Client, o speech.Options, path string) (*wire.Socket, error) {
	out, err := o.Signed(ctx, wire.Outgoing{Path: path}, "xi-api-key", "")
	if err != nil {
		return nil, fmt.Errorf("elevenlabs: %w", err)
	}
	return c.Connect(ctx, out)
}

// Transcriber is a provider.Transcriber.
type Transcriber struct {
	client *wire.Client
	o      Options
}

var _ provider.Transcriber = (*Transcriber)(nil)

// NewTranscriber makes a Transcriber. It asks nothing yet; faults of o are
// fault.Invalid.
func NewTranscriber(o Options) (*Transcriber, error) {
	c, err := o.Client("elevenlabs", DefaultURL, nil)
	if err != nil {
		return nil, err
	}
	o.Model = cmp.Or(o.Model, "scribe_v2_realtime")
	return &Transcriber{client: c, o: o}, nil
}

// Open implements provider.Transcriber. It connects.
func (t *Transcriber) Open(ctx context.Context, f provider.Format) (provider.Transcription, error) {
	if err := speech.Hears("elevenlabs", f); err != nil {
		return nil, err
	}
	q := url.Values{"model_id": {t.o.Model}, "audio_format": {"pcm_16000"}, "commit_strategy": {"manual"}, "include_timestamps": {"true"}}
	if lang := speech.Short(f.Language); lang != "" {
		q.Set("language_code", lang)
	}
	s, err := connect(ctx, t.client, t.o.Options, "/v1/speech-to-text/realtime?"+q.Encode())
	if err != nil {
		return nil, err
	}
	return speech.Hear(ctx, speech.Line{Socket: s, Codec: &scribe{}, Chunk: 1600}, t.o.Options), nil
}

// leastCommit is how much audio a commit must hold: 300 ms.
const leastCommit = 3 * speech.Rate / 10

// scribe is the codec of a realtime stream.
type scribe struct {
	filled time.Duration   // silence that was added so far
	shifts []time.Duration // what was added before each commit that is not answered
}

type audioChunk struct {
	Type   string `json:"message_type"`
	Audio  string `json:"audio_base_64"`
	Commit bool   `json:"commit"`
	Rate   int    `json:"sample_rate"`
}

func chunk(pcm []int16, commit bool) wire.Frame {
	return encode(audioChunk{Type: "input_audio_chunk", Audio: base64.StdEncoding.EncodeToString(speech.Bytes(pcm)), Commit: commit, Rate: speech.Rate})
}

// encode writes one of our messages, which are strings and numbers.
func encode(v any) wire.Frame {
	data, _ := json.Marshal(v) //nolint:errchkjson // it cannot fail on strings
	return wire.Frame{Data: data}
}

// Audio implements speech.Codec.
func (c *scribe) Audio(pcm []int16) []wire.Frame { return []wire.Frame{chunk(pcm, false)} }

// Finalize implements speech.Codec.
func (c *scribe) Finalize(fresh int) []wire.Frame {
	c.shifts = append(c.shifts, c.filled)
	fill := max(0, leastCommit-fresh)
	c.filled += time.Duration(fill) * time.Second / speech.Rate
	return []wire.Frame{chunk(make([]int16, fill), true)}
}

// End implements speech.Codec: closing the socket ends a stream.
func (c *scribe) End() []wire.Frame { return nil }

// transcribed is the union of the messages of a stream that matter here.
type transcribed struct {
	Type  string `json:"message_type"`
	Text  string `json:"text"`
	Words []struct {
		Text       string  `json:"text"`
		Start, End float64 // seconds
		Type       string  `json:"type"`
	} `json:"words"`
}

// Read implements speech.Codec.
func (c *scribe) Read(s *wire.Socket, f wire.Frame) ([]speech.Said, error) {
	var m transcribed
	if f.Binary || json.Unmarshal(f.Data, &m) != nil || m.Type == "" {
		return nil, s.Unreadable()
	}
	switch m.Type {
	case "session_started":
		return []speech.Said{{Ready: true}}, nil
	case "partial_transcript", "committed_transcript":
		return []speech.Said{{Text: m.Text}}, nil
	case "committed_transcript_with_timestamps":
		return []speech.Said{c.committed(m)}, nil
	case "insufficient_audio_activity": // nothing to commit
		return []speech.Said{{Final: true, Answer: true}}, nil
	}
	if k, known := refusals()[m.Type]; known {
		return nil, s.Refused(0, m.Type, k)
	}
	return nil, nil
}

func (c *scribe) committed(m transcribed) speech.Said {
	shift := c.filled
	if len(c.shifts) > 0 {
		shift = c.shifts[0]
	}
	said := speech.Said{Text: m.Text, Final: true, Answer: true}
	for _, w := range m.Words {
		if w.Type != "spacing" {
			said.Words = append(said.Words, provider.Word{Text: w.Text, Start: max(0, speech.Seconds(w.Start)-shift), End: max(0, speech.Seconds(w.End)-shift)})
			said.Until = max(said.Until, speech.Seconds(w.End)-shift)
		}
	}
	if len(c.shifts) > 0 {
		c.shifts = c.shifts[1:]
	}
	return said
}

// refusals are the messages in which ElevenLabs refuses something.
func refusals() map[string]fault.Kind {
	return map[string]fault.Kind{
		"auth_error": fault.Denied, "quota_exceeded": fault.Denied, "unaccepted_terms": fault.Denied,
		"rate_limited": fault.Exhausted, "commit_throttled": fault.Exhausted, "resource_exhausted": fault.Exhausted, "queue_overflow": fault.Exhausted,
		"error": fault.Unavailable, "transcriber_error": fault.Unavailable, "input_error": fault.Unavailable,
		"session_time_limit_exceeded": fault.Unavailable, "chunk_size_exceeded": fault.Unavailable,
	}
}
