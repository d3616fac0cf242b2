package speechtest

import (
	"encoding/base64"
	"net/http"
	"strings"

	"flametree/engine/provider/sockettest"
)

// ElevenLabs is a server of realtime speech to text and of multi-stream-input.
func ElevenLabs() *Server {
	s := newServer()
	s.Mux.HandleFunc("GET /v1/speech-to-text/realtime", s.elevenHear)
	s.Mux.HandleFunc("GET /v1/text-to-speech/{voice}/multi-stream-input", s.elevenSpeak)
	return s
}

// elevenEar is one realtime stream.
type elevenEar struct {
	c     *conn
	l     *Listener
	from  int // letter after the last commit
	shown int
	fresh int // samples since then
}

func (s *Server) elevenHear(w http.ResponseWriter, r *http.Request) {
	t, ok := s.Enter(w, r, "xi-api-key", Key, map[string]bool{
		"model_id": true, "audio_format": true, "commit_strategy": true, "include_timestamps": false, "language_code": false,
	})
	if !ok {
		return
	}
	if q := r.URL.Query(); q.Get("audio_format") != "pcm_16000" || q.Get("commit_strategy") != "manual" {
		http.Error(w, s.Refuse("realtime with %v", q), http.StatusBadRequest)
		return
	}
	expel := func(status int) any {
		return obj{"message_type": map[int]string{401: "auth_error", 429: "rate_limited"}[status], "error": "no, " + Key}
	}
	s.upgrade(w, r, t, expel, func(c *conn) {
		c.Send(obj{"message_type": "session_started", "session_id": "s", "config": obj{"sample_rate": 16000}})
		x := &elevenEar{c: c, l: s.listener(16000)}
		for f, ok := c.next(); ok; f, ok = c.next() {
			x.message(f)
		}
	})
}

func (x *elevenEar) message(f frame) {
	var m struct {
		Type   string `json:"message_type"`
		Audio  string `json:"audio_base_64"`
		Commit *bool  `json:"commit"`
		Rate   int    `json:"sample_rate"`
	}
	err := sockettest.Strict(f.data, &m)
	pcm, bad := base64.StdEncoding.DecodeString(m.Audio)
	if err != nil || bad != nil || f.binary || m.Type != "input_audio_chunk" || m.Commit == nil || m.Rate != 16000 || len(pcm)%2 != 0 {
		x.c.Refuse("a chunk: %v, %v", err, bad)
		return
	}
	x.l.Hear(samples(pcm))
	x.fresh += len(pcm) / 2
	if words := x.l.words(x.from, false); len(words) > x.shown {
		x.shown = len(words)
		x.c.Send(obj{"message_type": "partial_transcript", "text": joined(words)})
	}
	if *m.Commit {
		x.commit()
	}
}

func (x *elevenEar) commit() {
	if x.fresh < 4800 {
		x.c.Refuse("a commit of %d samples", x.fresh)
		return
	}
	var timed []obj
	words := x.l.words(x.from, true)
	for i, w := range words {
		if i > 0 {
			timed = append(timed, obj{"text": " ", "start": x.l.seconds(words[i-1].end), "end": x.l.seconds(w.start), "type": "spacing"})
		}
		timed = append(timed, obj{"text": w.text, "start": x.l.seconds(w.start), "end": x.l.seconds(w.end), "type": "word", "logprob": 0})
	}
	text := joined(words)
	x.c.Send(obj{"message_type": "committed_transcript", "text": text})
	x.c.final(obj{"message_type": "committed_transcript_with_timestamps", "text": text, "language_code": "en", "words": timed})
	x.from, x.shown, x.fresh = len(x.l.text), 0, 0
}

func (s *Server) elevenSpeak(w http.ResponseWriter, r *http.Request) {
	t, ok := s.Enter(w, r, "xi-api-key", Key, map[string]bool{
		"model_id": true, "output_format": true, "auto_mode": false, "sync_alignment": false, "inactivity_timeout": false, "language_code": false,
	})
	if !ok {
		return
	}
	if r.URL.Query().Get("output_format") != "pcm_16000" || r.PathValue("voice") == "" {
		http.Error(w, s.Refuse("speak with %v", r.URL), http.StatusBadRequest)
		return
	}
	expel := func(status int) any {
		return obj{"message": "no, " + Key, "error": map[int]string{401: "auth_error", 429: "rate_limited"}[status], "code": 1008}
	}
	s.upgrade(w, r, t, expel, func(c *conn) {
		x := &elevenMouth{c: c, open: map[string]string{}}
		for f, ok := c.next(); ok; f, ok = c.next() {
			if !x.message(f) {
				return
			}
		}
	})
}

// elevenMouth is one socket with its contexts.
type elevenMouth struct {
	c    *conn
	open map[string]string // contexts, and the text that is not rendered yet
}

func (x *elevenMouth) message(f frame) (more bool) {
	var m struct {
		Text     *string `json:"text"`
		Context  string  `json:"context_id"`
		Settings *struct {
			Speed float64 `json:"speed"`
		} `json:"voice_settings"`
		Flush bool `json:"flush"`
		Close bool `json:"close_context"`
		Bye   bool `json:"close_socket"`
	}
	if err := sockettest.Strict(f.data, &m); err != nil || f.binary {
		x.c.Refuse("%s: %v", f.data, err)
		return false
	}
	text, known := x.open[m.Context]
	switch {
	case m.Bye:
		x.c.Close(1000)
		return false
	case m.Context == "":
		x.c.Refuse("no context_id")
		return false
	case m.Close:
		if !known {
			x.c.Refuse("context %s is not open", m.Context)
			return false
		}
		delete(x.open, m.Context)
		x.c.Send(obj{"isFinal": true, "contextId": m.Context})
	case m.Text == nil || !strings.HasSuffix(*m.Text, " "):
		x.c.Refuse("a text must end in a space")
		return false
	case !known && *m.Text != " ":
		x.c.Refuse("a context begins with a space")
		return false
	default:
		x.open[m.Context] = text + *m.Text
		if m.Flush {
			x.flush(m.Context)
		}
	}
	if len(x.open) > 5 {
		x.c.Refuse("more than 5 contexts")
		return false
	}
	return true
}

func (x *elevenMouth) flush(id string) {
	text := strings.TrimSpace(x.open[id])
	x.open[id] = ""
	x.c.s.Note(func() { x.c.s.said = append(x.c.s.said, text) })
	rate := 16000
	if x.c.Trouble.Kind == WrongRate {
		rate = 48000
	}
	letter := rate * 60 / 1000 * 2 // bytes
	x.c.render(text, rate, func(at int, p []byte) {
		var chars []string
		var starts, lasts []float64
		for i := (at + letter - 1) / letter; i*letter < at+len(p) && i < len(text); i++ {
			chars = append(chars, text[i:i+1])
			starts = append(starts, float64(i*60)-float64(60*((at+letter-1)/letter))) // from the first of the message
			lasts = append(lasts, 60)
		}
		a := obj{"chars": chars, "charStartTimesMs": starts, "charDurationsMs": lasts}
		x.c.Send(obj{"audio": base64.StdEncoding.EncodeToString(p), "isFinal": nil, "contextId": id, "alignment": a, "normalizedAlignment": a})
	}, func(frame) bool { return false })
}
