package speechtest

import (
	"net/http"
	"strings"
	"time"

	"flametree/engine/provider/sockettest"
)

// Deepgram is a server of /v1/listen and /v1/speak.
func Deepgram() *Server {
	s := newServer()
	s.Endpoint = 40
	s.Mux.HandleFunc("GET /v1/listen", s.deepgramListen)
	s.Mux.HandleFunc("GET /v1/speak", s.deepgramSpeak)
	return s
}

func deepgramExpels(status int) any {
	code := map[int]string{401: "INVALID_AUTH", 429: "TOO_MANY_REQUESTS"}[status]
	return obj{"type": "Error", "description": "no, " + Key, "message": Key, "code": code}
}

// deepgramEar is one stream of /v1/listen.
type deepgramEar struct {
	c     *conn
	l     *Listener
	from  int // letter after the last final
	shown int // words told of this stretch
}

func (s *Server) deepgramListen(w http.ResponseWriter, r *http.Request) {
	t, ok := s.Enter(w, r, "Authorization", "Token "+Key, map[string]bool{
		"model": true, "encoding": true, "sample_rate": true, "channels": false, "interim_results": false,
		"endpointing": false, "language": false, "keyterm": false, "keywords": false,
	})
	if !ok {
		return
	}
	if q := r.URL.Query(); q.Get("encoding") != "linear16" || q.Get("sample_rate") != "16000" || q.Has("keyterm") && !strings.HasPrefix(q.Get("model"), "nova-3") {
		http.Error(w, s.Refuse("listen with %v", q), http.StatusBadRequest)
		return
	}
	s.upgrade(w, r, t, deepgramExpels, func(c *conn) {
		x := &deepgramEar{c: c, l: s.listener(16000)}
		for f, ok := c.next(); ok; f, ok = c.next() {
			if !x.message(f) {
				return
			}
		}
	})
}

func (x *deepgramEar) message(f frame) (more bool) {
	if f.binary {
		if len(f.data)%2 != 0 || len(f.data) == 0 {
			x.c.Refuse("%d bytes of audio", len(f.data)) // an empty message ends a stream at Deepgram
			return false
		}
		x.l.Hear(samples(f.data))
		x.interim()
		return true
	}
	var m struct {
		Type string `json:"type"`
	}
	if err := sockettest.Strict(f.data, &m); err != nil {
		x.c.Refuse("%s: %v", f.data, err)
		return false
	}
	switch m.Type {
	case "KeepAlive":
	case "Finalize":
		x.result(true, false, true)
	case "CloseStream":
		x.result(true, false, false)
		x.c.Send(obj{"type": "Metadata", "request_id": "r", "duration": x.l.seconds(len(x.l.text)), "channels": 1})
		x.c.Close(1000)
		return false
	default:
		x.c.Refuse("unknown message %q", m.Type)
		return false
	}
	return true
}

// interim tells new words, and settles them by itself after a silence.
func (x *deepgramEar) interim() {
	words := x.l.words(x.from, false)
	if len(words) > x.shown {
		x.result(false, false, false)
		x.shown = len(words)
	}
	if n := x.c.s.Endpoint; n > 0 && len(words) > 0 && len(x.l.text)-words[len(words)-1].end >= n {
		x.result(true, true, false)
	}
}

func (x *deepgramEar) result(final, speechFinal, fromFinalize bool) {
	words := x.l.words(x.from, final)
	var timed []obj
	for _, w := range words {
		timed = append(timed, obj{"word": w.text, "start": x.l.seconds(w.start), "end": x.l.seconds(w.end), "confidence": 0.99})
	}
	m := obj{
		"type": "Results", "channel_index": []int{0, 1}, "start": x.l.seconds(x.from), "duration": x.l.seconds(len(x.l.text) - x.from),
		"is_final": final, "speech_final": speechFinal, "from_finalize": fromFinalize, "metadata": obj{"request_id": "r"},
		"channel": obj{"alternatives": []obj{{"transcript": joined(words), "confidence": 0.99, "words": timed}}},
	}
	if !final {
		x.c.Send(m)
		return
	}
	x.c.final(m)
	x.from, x.shown = len(x.l.text), 0
}

func (s *Server) deepgramSpeak(w http.ResponseWriter, r *http.Request) {
	t, ok := s.Enter(w, r, "Authorization", "Token "+Key, map[string]bool{"model": true, "encoding": true, "sample_rate": true, "speed": false})
	if !ok {
		return
	}
	if q := r.URL.Query(); q.Get("encoding") != "linear16" || q.Get("sample_rate") != "24000" {
		http.Error(w, s.Refuse("speak with %v", q), http.StatusBadRequest)
		return
	}
	s.upgrade(w, r, t, deepgramExpels, func(c *conn) {
		c.Send(obj{"type": "Metadata", "request_id": "r", "model_name": "aura"})
		x := &deepgramMouth{c: c}
		for f, ok := c.next(); ok; f, ok = c.next() {
			if !x.message(f) {
				return
			}
		}
	})
}

// deepgramMouth is one voice of /v1/speak.
type deepgramMouth struct {
	c       *conn
	text    string
	flushes int
}

func (x *deepgramMouth) message(f frame) (more bool) {
	var m struct {
		Type string  `json:"type"`
		Text *string `json:"text"`
	}
	err := sockettest.Strict(f.data, &m)
	if err != nil || f.binary || (m.Type == "Speak") != (m.Text != nil) {
		x.c.Refuse("%s: %v", f.data, err)
		return false
	}
	switch m.Type {
	case "Speak":
		if len(*m.Text) > 2000 || *m.Text == "" {
			x.c.Refuse("a text of %d bytes", len(*m.Text))
			return false
		}
		x.text += *m.Text
	case "Flush":
		x.flush()
	case "Clear":
		x.text = ""
		x.c.Send(obj{"type": "Cleared", "sequence_id": x.flushes})
	case "Close":
		x.c.Close(1000)
		return false
	default:
		x.c.Refuse("unknown message %q", m.Type)
		return false
	}
	return true
}

func (x *deepgramMouth) flush() {
	if x.flushes++; x.flushes > 20 { // the tests are quicker than the 60 s
		x.c.Send(obj{"type": "Warning", "description": "no more flushes", "code": "EXCESSIVE_FLUSH"})
		return
	}
	text := x.text
	x.text = ""
	x.c.s.Note(func() { x.c.s.said = append(x.c.s.said, text) })
	if x.c.render(text, 24000, func(_ int, p []byte) { x.c.Send(p) }, func(f frame) bool {
		return !f.binary && strings.Contains(string(f.data), `"Clear"`)
	}) {
		x.c.Send(obj{"type": "Flushed", "sequence_id": x.flushes - 1})
	} else {
		x.c.Send(bytesOf(Sound("zz", 24000, Voiced))) // what was on its way
		x.c.Send(obj{"type": "Cleared", "sequence_id": x.flushes - 1})
	}
}

// render gives the sound of a text in pieces until a message stops it, and
// reports whether it is whole. What else arrives is kept.
func (c *conn) render(text string, rate int, give func(at int, piece []byte), stops func(f frame) bool) bool {
	if c.Trouble.Kind == Mute {
		return true
	}
	at := 0
	time.Sleep(c.s.SoundAfter)
	for _, p := range pieces(bytesOf(c.s.rendered(text, rate))) {
		select {
		case f, ok := <-c.in:
			if !ok {
				c.Leave()
				return false
			}
			if stops(f) {
				c.s.Note(func() { c.s.stopped++ })
				return false
			}
			c.kept = append(c.kept, f)
		default:
		}
		if c.Dead() {
			return false
		}
		give(at, p)
		at += len(p)
		time.Sleep(time.Millisecond) // a voice takes its time, so that it can be interrupted
	}
	return true
}

// spokenWords are the words of a text and their times in its sound, in seconds.
func spokenWords(text string) (words []string, start, end []float64) {
	l := NewListener(16000, Voiced)
	l.Hear(Sound(text, 16000, Voiced))
	for _, w := range l.words(0, true) {
		words, start, end = append(words, w.text), append(start, l.seconds(w.start)), append(end, l.seconds(w.end))
	}
	return words, start, end
}
