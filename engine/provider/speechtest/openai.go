package speechtest

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"flametree/engine/provider/sockettest"
)

type obj map[string]any

// OpenAI is a server of OpenAI's speech: transcriptions, speech, and the
// realtime socket with transcription sessions.
func OpenAI() *Server {
	s := newServer()
	s.Mux.HandleFunc("POST /audio/transcriptions", s.openaiTranscribe)
	s.Mux.HandleFunc("POST /audio/speech", s.openaiSpeak)
	s.Mux.HandleFunc("GET /realtime", s.openaiLive)
	return s
}

func (s *Server) openaiTranscribe(w http.ResponseWriter, r *http.Request) {
	t, ok := s.Enter(w, r, "Authorization", "Bearer "+Key, nil)
	if !ok {
		return
	}
	pcm, times, bad := openaiForm(r)
	if bad != "" {
		http.Error(w, s.Refuse("%s", bad), http.StatusBadRequest)
		return
	}
	l := s.listener(16000)
	l.Hear(pcm)
	words := l.words(0, true)
	out := obj{"text": strings.ToUpper(joined(words)) + ".", "usage": obj{"type": "duration", "seconds": 1}}
	if times {
		var timed []obj
		for _, x := range words {
			timed = append(timed, obj{"word": x.text, "start": l.seconds(x.start), "end": l.seconds(x.end)})
		}
		out["words"], out["task"], out["language"], out["duration"] = timed, "transcribe", "english", l.seconds(len(l.text))
	}
	time.Sleep(s.FinalAfter)
	s.answer(w, r, t, out)
}

// openaiForm reads the multipart form and checks every field of it.
func openaiForm(r *http.Request) (pcm []int16, times bool, bad string) {
	if err := r.ParseMultipartForm(32 << 20); err != nil {
		return nil, false, err.Error()
	}
	for name, v := range r.MultipartForm.Value {
		switch name {
		case "model", "language", "prompt":
		case "response_format":
			times = v[0] == "verbose_json"
		case "timestamp_granularities[]":
			if v[0] != "word" || r.FormValue("response_format") != "verbose_json" {
				return nil, false, "timestamps need verbose_json"
			}
		default:
			return nil, false, "unknown field " + name
		}
	}
	f, head, err := r.FormFile("file")
	if err != nil || r.FormValue("model") == "" || !strings.HasSuffix(head.Filename, ".wav") {
		return nil, false, "model and file are required"
	}
	wav, err := io.ReadAll(f)
	if err != nil {
		return nil, false, err.Error()
	}
	pcm, bad = readWAV(wav, 16000)
	if bad == "" && len(pcm) < 1600 {
		bad = "the audio is shorter than 0.1 s"
	}
	return pcm, times, bad
}

// readWAV wants mono 16-bit of a rate.
func readWAV(b []byte, rate int) (pcm []int16, bad string) {
	if len(b) < 44 || string(b[:4]) != "RIFF" || string(b[8:16]) != "WAVEfmt " || string(b[36:40]) != "data" {
		return nil, "no WAV"
	}
	le := binary.LittleEndian
	if le.Uint16(b[20:]) != 1 || le.Uint16(b[22:]) != 1 || int(le.Uint32(b[24:])) != rate || le.Uint16(b[34:]) != 16 {
		return nil, "the WAV is not mono 16-bit of the rate"
	}
	if n := int(le.Uint32(b[40:])); n != len(b)-44 {
		return nil, fmt.Sprintf("the WAV says %d bytes and has %d", n, len(b)-44)
	}
	return samples(b[44:]), ""
}

// answer gives JSON with the trouble of a request.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, t Trouble, v any) {
	data, _ := json.Marshal(v) // our own values
	w.Header().Set("Content-Type", "application/json")
	switch t.Kind {
	case BadJSON:
		data = []byte(`{"text": "` + Key)
	case Huge:
		data = append(data[:len(data)-1], []byte(`,"pad":"`+strings.Repeat("x", 33<<20)+`"}`)...)
	default: // it is the body that has the trouble
	}
	s.body(w, r, t, [][]byte{data[:len(data)/2], data[len(data)/2:]}, 1)
}

// body writes parts with the trouble of a request; Dies and Silent come after
// the given part.
func (s *Server) body(w http.ResponseWriter, r *http.Request, t Trouble, parts [][]byte, after int) {
	flush := http.NewResponseController(w)
	w.Header().Del("Content-Length")
	for i, p := range parts {
		switch {
		case t.Kind == Dies && i >= after:
			panic(http.ErrAbortHandler)
		case t.Kind == Silent && i >= after:
			<-r.Context().Done()
			return
		case t.Kind == Drips, i > 0:
			time.Sleep(time.Millisecond) // a voice takes its time, so that it can be interrupted
		}
		if _, err := w.Write(p); err != nil {
			s.Note(func() { s.stopped++ })
			return
		}
		_ = flush.Flush()
	}
}

func (s *Server) openaiSpeak(w http.ResponseWriter, r *http.Request) {
	t, ok := s.Enter(w, r, "Authorization", "Bearer "+Key, nil)
	if !ok {
		return
	}
	var ask struct {
		Model  string  `json:"model"`
		Input  string  `json:"input"`
		Voice  string  `json:"voice"`
		Format string  `json:"response_format"`
		Speed  float64 `json:"speed"`
	}
	body, _ := io.ReadAll(r.Body)
	if err := sockettest.Strict(body, &ask); err != nil || ask.Model == "" || ask.Input == "" || ask.Voice == "" || ask.Format != "pcm" {
		http.Error(w, s.Refuse("speech %s: %v", body, err), http.StatusBadRequest)
		return
	}
	rate := 24000
	if t.Kind == WrongRate {
		rate = 16000
	}
	s.sound(w, r, t, ask.Input, rate, fmt.Sprintf("audio/pcm; rate=%d", rate))
}

// sound answers with the sound of a text.
func (s *Server) sound(w http.ResponseWriter, r *http.Request, t Trouble, text string, rate int, kind string) {
	s.Note(func() { s.said = append(s.said, text) })
	w.Header().Set("Content-Type", kind)
	if t.Kind == Mute {
		return
	}
	time.Sleep(s.SoundAfter)
	s.body(w, r, t, pieces(bytesOf(s.rendered(text, rate))), t.Seed)
}

// openaiSession is one transcription session.
type openaiSession struct {
	c      *conn
	l      *Listener
	ready  bool
	from   int // letter after the last commit
	shown  int // words told of this item
	item   int
	length int // samples since the last commit
}

func (s *Server) openaiLive(w http.ResponseWriter, r *http.Request) {
	t, ok := s.Enter(w, r, "Authorization", "Bearer "+Key, map[string]bool{"intent": true})
	if !ok {
		return
	}
	expel := func(status int) any {
		e := obj{"type": "rate_limit_error", "code": "rate_limit_exceeded", "message": "slow down " + Key, "param": nil, "event_id": nil}
		if status == 401 {
			e["type"], e["code"] = "authentication_error", "invalid_api_key"
		}
		return obj{"type": "error", "event_id": "event_1", "error": e}
	}
	s.upgrade(w, r, t, expel, func(c *conn) {
		x := &openaiSession{c: c, l: s.listener(24000), item: 1}
		c.Send(obj{"type": "session.created", "event_id": "event_0", "session": obj{"type": "transcription"}})
		for f, ok := c.next(); ok; f, ok = c.next() {
			x.message(f)
		}
	})
}

func (x *openaiSession) message(f frame) {
	var kind struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal(f.data, &kind) // a wrong one is refused below
	switch {
	case f.binary:
		x.c.Refuse("a binary message")
	case kind.Type == "session.update":
		x.update(f.data)
	case !x.ready:
		x.c.Refuse("%s before session.update", kind.Type)
	case kind.Type == "input_audio_buffer.append":
		x.append(f.data)
	case kind.Type == "input_audio_buffer.commit":
		x.commit()
	default:
		x.c.Refuse("unknown event %q", kind.Type)
	}
}

func (x *openaiSession) update(data []byte) {
	var m struct {
		Type    string `json:"type"`
		Session struct {
			Type  string `json:"type"`
			Audio struct {
				Input struct {
					Format struct {
						Type string `json:"type"`
						Rate int    `json:"rate"`
					} `json:"format"`
					Transcription struct {
						Model    string `json:"model"`
						Language string `json:"language"`
					} `json:"transcription"`
					TurnDetection *struct{} `json:"turn_detection"`
				} `json:"input"`
			} `json:"audio"`
		} `json:"session"`
	}
	err := sockettest.Strict(data, &m)
	in := m.Session.Audio.Input
	if err != nil || m.Session.Type != "transcription" || in.Format.Type != "audio/pcm" || in.Format.Rate != 24000 ||
		in.Transcription.Model == "" || in.TurnDetection != nil {
		x.c.Refuse("session %s: %v", data, err)
		return
	}
	x.ready = true
	x.c.Send(obj{"type": "session.updated", "event_id": "event_2", "session": m.Session})
}

func (x *openaiSession) append(data []byte) {
	var m struct {
		Type  string `json:"type"`
		Audio string `json:"audio"`
	}
	err := sockettest.Strict(data, &m)
	pcm, bad := base64.StdEncoding.DecodeString(m.Audio)
	if err != nil || bad != nil || len(pcm)%2 != 0 {
		x.c.Refuse("append: %v, %v", err, bad)
		return
	}
	x.l.Hear(samples(pcm))
	x.length += len(pcm) / 2
	words := x.l.words(x.from, false)
	for ; x.shown < len(words); x.shown++ {
		x.c.Send(x.event("delta", "delta", words[x.shown].text+" "))
	}
}

func (x *openaiSession) event(kind, field, text string) obj {
	return obj{
		"type": "conversation.item.input_audio_transcription." + kind, "event_id": "event_3", "content_index": 0,
		"item_id": fmt.Sprintf("item_%d", x.item), field: text,
	}
}

func (x *openaiSession) commit() {
	if x.length < 2398 { // 100 ms, less the filter's delay
		x.c.Refuse("a commit of %d samples", x.length)
		return
	}
	x.c.Send(obj{"type": "input_audio_buffer.committed", "event_id": "event_4", "item_id": fmt.Sprintf("item_%d", x.item), "previous_item_id": nil})
	text := joined(x.l.words(x.from, true))
	if text != "" {
		text = strings.ToUpper(text[:1]) + text[1:] + "."
	}
	x.c.final(x.event("completed", "transcript", text))
	x.item++
	x.from, x.shown, x.length = len(x.l.text), 0, 0
}
