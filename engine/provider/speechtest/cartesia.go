package speechtest

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"flametree/engine/provider/sockettest"
)

// Cartesia is a server of /stt/websocket and /tts/websocket.
func Cartesia() *Server {
	s := newServer()
	s.Mux.HandleFunc("GET /stt/websocket", s.cartesiaHear)
	s.Mux.HandleFunc("GET /tts/websocket", s.cartesiaSpeak)
	return s
}

func cartesiaExpels(status int) any {
	return obj{
		"type": "error", "title": "no", "message": "no, " + Key, "error_code": map[int]string{401: "unauthorized", 429: "rate_limited"}[status],
		"status_code": status, "request_id": "r", "done": true,
	}
}

func (s *Server) cartesiaVersion(w http.ResponseWriter, r *http.Request) bool {
	if r.Header.Get("Cartesia-Version") == "2026-03-01" {
		return true
	}
	http.Error(w, s.Refuse("version %q", r.Header.Get("Cartesia-Version")), http.StatusBadRequest)
	return false
}

// cartesiaEar is one stream.
type cartesiaEar struct {
	c     *conn
	l     *Listener
	from  int // letter after the last settled word
	shown int
	first bool // of the words since the last finalize
}

func (s *Server) cartesiaHear(w http.ResponseWriter, r *http.Request) {
	t, ok := s.Enter(w, r, "X-Api-Key", Key, map[string]bool{"model": true, "encoding": true, "sample_rate": true, "language": false})
	if !ok || !s.cartesiaVersion(w, r) {
		return
	}
	if q := r.URL.Query(); q.Get("encoding") != "pcm_s16le" || q.Get("sample_rate") != "16000" || q.Get("model") == "ink-2" && q.Get("language") != "en" && q.Has("language") {
		http.Error(w, s.Refuse("stt with %v", q), http.StatusBadRequest)
		return
	}
	s.upgrade(w, r, t, cartesiaExpels, func(c *conn) {
		x := &cartesiaEar{c: c, l: s.listener(16000), first: true}
		for f, ok := c.next(); ok; f, ok = c.next() {
			if !x.message(f) {
				return
			}
		}
	})
}

func (x *cartesiaEar) message(f frame) (more bool) {
	switch {
	case f.binary && len(f.data)%2 == 0:
		x.l.Hear(samples(f.data))
		words := x.l.words(x.from, false)
		if len(words) > 3 { // it settles words while it listens
			x.settle(words[:3])
			x.from, x.shown, words = words[2].end, 0, words[3:]
		}
		if len(words) > x.shown {
			x.shown = len(words)
			x.transcript(words, false)
		}
	case string(f.data) == "finalize":
		time.Sleep(x.c.s.FinalAfter)
		x.settle(x.l.words(x.from, true))
		x.from, x.shown, x.first = len(x.l.text), 0, true
		x.c.Send(obj{"type": "flush_done", "request_id": "r"})
	case string(f.data) == "close":
		x.c.Send(obj{"type": "done", "request_id": "r"})
		x.c.Close(1000)
		return false
	default:
		x.c.Refuse("unknown message of %d bytes", len(f.data))
		return false
	}
	return true
}

func (x *cartesiaEar) settle(words []timedWord) {
	if len(words) > 0 {
		x.transcript(words, true)
		x.first = false
	}
}

// transcript tells words; a piece that follows another begins with the space
// between them.
func (x *cartesiaEar) transcript(words []timedWord, final bool) {
	var timed []obj
	for _, w := range words {
		timed = append(timed, obj{"word": w.text, "start": x.l.seconds(w.start), "end": x.l.seconds(w.end)})
	}
	text := joined(words)
	if !x.first {
		text = " " + text
	}
	m := obj{"type": "transcript", "is_final": final, "request_id": "r", "text": text, "duration": 1.0, "language": "en", "words": timed}
	if final {
		x.c.settled(m)
	} else {
		x.c.Send(m)
	}
}

type cartesiaAsk struct {
	Model      string `json:"model_id"`
	Transcript string `json:"transcript"`
	Voice      struct {
		Mode string `json:"mode"`
		ID   string `json:"id"`
	} `json:"voice"`
	Language string `json:"language"`
	Context  string `json:"context_id"`
	Output   struct {
		Container string `json:"container"`
		Encoding  string `json:"encoding"`
		Rate      int    `json:"sample_rate"`
	} `json:"output_format"`
	Timestamps bool `json:"add_timestamps"`
	Continue   bool `json:"continue"`
	Config     *struct {
		Speed float64 `json:"speed"`
	} `json:"generation_config"`
	Cancel bool `json:"cancel"`
}

func (s *Server) cartesiaSpeak(w http.ResponseWriter, r *http.Request) {
	t, ok := s.Enter(w, r, "X-Api-Key", Key, nil)
	if !ok || !s.cartesiaVersion(w, r) {
		return
	}
	s.upgrade(w, r, t, cartesiaExpels, func(c *conn) {
		used := map[string]bool{}
		for f, ok := c.next(); ok; f, ok = c.next() {
			var m cartesiaAsk
			if err := sockettest.Strict(f.data, &m); err != nil || f.binary || m.Context == "" {
				c.Refuse("%s: %v", f.data, err)
				return
			}
			if m.Cancel {
				continue // it has ended by now
			}
			if m.Model == "" || m.Transcript == "" || m.Voice.Mode != "id" || m.Voice.ID == "" || m.Continue || used[m.Context] ||
				m.Output.Container != "raw" || m.Output.Encoding != "pcm_s16le" {
				c.Refuse("a generation with %s", f.data)
				return
			}
			used[m.Context] = true
			c.cartesiaRender(m)
		}
	})
}

func (c *conn) cartesiaRender(m cartesiaAsk) {
	c.s.Note(func() { c.s.said = append(c.s.said, m.Transcript) })
	words, start, end := spokenWords(m.Transcript)
	timed := func(from, to int) {
		c.Send(obj{"type": "timestamps", "done": false, "status_code": 206, "context_id": m.Context, "word_timestamps": obj{
			"words": words[from:to], "start": start[from:to], "end": end[from:to],
		}})
	}
	if c.Trouble.Kind != Mute {
		timed(0, len(words)/2)
	}
	rate := m.Output.Rate
	if c.Trouble.Kind == WrongRate {
		rate *= 3
	}
	whole := c.render(m.Transcript, rate, func(_ int, p []byte) {
		c.Send(obj{"type": "chunk", "data": base64.StdEncoding.EncodeToString(p), "done": false, "status_code": 206, "step_time": 1, "context_id": m.Context})
	}, func(f frame) bool {
		return strings.Contains(string(f.data), `"cancel":true`) && strings.Contains(string(f.data), strconv.Quote(m.Context))
	})
	if !whole { // a little still comes
		c.Send(obj{"type": "chunk", "data": base64.StdEncoding.EncodeToString(bytesOf(Sound("zz", 16000, Voiced))), "done": false, "status_code": 206, "context_id": m.Context})
	} else if c.Trouble.Kind != Mute {
		timed(len(words)/2, len(words))
	}
	c.Send(obj{"type": "done", "done": true, "status_code": 200, "context_id": m.Context})
}
