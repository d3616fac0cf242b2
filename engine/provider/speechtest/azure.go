package speechtest

import (
	"encoding/binary"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// Azure is a server of the recogniser's socket and of the voice's REST.
func Azure() *Server {
	s := newServer()
	s.Endpoint = 40
	s.Mux.HandleFunc("GET /speech/recognition/conversation/cognitiveservices/v1", s.azureHear)
	s.Mux.HandleFunc("POST /cognitiveservices/v1", s.azureSpeak)
	return s
}

// azureEar is one connection and the turn that is open on it.
type azureEar struct {
	c       *conn
	config  bool
	request string // "" = no turn
	l       *Listener
	from    int
	shown   int
	unread  int // turns whose end was not acknowledged by telemetry
}

var hex32 = regexp.MustCompile(`^[0-9a-f]{32}$`)

func (s *Server) azureHear(w http.ResponseWriter, r *http.Request) {
	t, ok := s.Enter(w, r, "Ocp-Apim-Subscription-Key", Key, map[string]bool{"language": true, "format": false, "wordLevelTimestamps": false})
	if !ok {
		return
	}
	if q := r.URL.Query(); !strings.Contains(q.Get("language"), "-") || q.Get("format") != "detailed" || !hex32.MatchString(r.Header.Get("X-ConnectionId")) {
		http.Error(w, s.Refuse("recognition with %v and connection %q", q, r.Header.Get("X-ConnectionId")), http.StatusBadRequest)
		return
	}
	s.upgrade(w, r, t, nil, func(c *conn) {
		x := &azureEar{c: c}
		for f, ok := c.next(); ok; f, ok = c.next() {
			x.message(f)
		}
	})
}

// azureParts takes a message apart.
func azureParts(f frame) (path, request, kind string, body []byte, ok bool) {
	head := ""
	if f.binary {
		if len(f.data) < 2 {
			return
		}
		n := int(binary.BigEndian.Uint16(f.data))
		if len(f.data) < 2+n {
			return
		}
		head, body = string(f.data[2:2+n]), f.data[2+n:]
	} else {
		var b string
		if head, b, ok = strings.Cut(string(f.data), "\r\n\r\n"); !ok {
			return
		}
		body = []byte(b)
	}
	stamped := false
	for line := range strings.SplitSeq(strings.TrimSuffix(head, "\r\n"), "\r\n") {
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "Path":
			path = value
		case "X-RequestId":
			request = value
		case "X-Timestamp":
			stamped = strings.HasSuffix(value, "Z")
		case "Content-Type":
			kind = value
		default:
			return "", "", "", nil, false
		}
	}
	return path, request, kind, body, stamped && path != ""
}

func (x *azureEar) message(f frame) {
	path, request, kind, body, ok := azureParts(f)
	switch {
	case !ok:
		x.c.Refuse("a message of %d bytes without its headers", len(f.data))
	case path == "speech.config" && !x.config && !f.binary && request == "":
		var v map[string]any
		if json.Unmarshal(body, &v) != nil || v["context"] == nil {
			x.c.Refuse("config %s", body)
			return
		}
		x.config = true
	case !x.config:
		x.c.Refuse("%s before speech.config", path)
	case path == "telemetry" && !f.binary:
		x.unread--
	case path == "audio" && f.binary && hex32.MatchString(request) && kind == "audio/x-wav":
		x.audio(request, body)
	default:
		x.c.Refuse("unknown message %q", path)
	}
}

func (x *azureEar) audio(request string, body []byte) {
	switch {
	case x.request == "":
		if _, bad := readWAV(append(append([]byte(nil), body...), make([]byte, 0)...), 16000); bad != "" {
			x.c.Refuse("a turn begins with %d bytes: %s", len(body), bad)
			return
		}
		if x.unread > 0 {
			x.c.Refuse("a turn without the telemetry of the one before")
			return
		}
		x.request, x.l, x.from, x.shown = request, x.c.s.listener(16000), 0, 0
		x.say("turn.start", obj{"context": obj{"serviceTag": "t"}})
	case request != x.request:
		x.c.Refuse("a second turn before turn.end")
	case len(body) == 0:
		x.settle()
		x.say("speech.endDetected", obj{"Offset": x.ticks(len(x.l.text))})
		x.say("turn.end", obj{})
		x.request, x.unread = "", x.unread+1
	case len(body)%2 != 0:
		x.c.Refuse("%d bytes of audio", len(body))
	default:
		x.hear(body)
	}
}

func (x *azureEar) ticks(letters int) int64 { return int64(Letter) / 100 * int64(letters) }

func (x *azureEar) say(path string, v any) {
	body, _ := json.Marshal(v) // our own values
	text := "X-RequestId: " + x.request + "\r\nPath: " + path + "\r\nContent-Type: application/json; charset=utf-8\r\n\r\n" + string(body)
	if path == "speech.phrase" {
		x.c.final(text)
		return
	}
	x.c.Send(text)
}

func (x *azureEar) hear(body []byte) {
	x.l.Hear(samples(body))
	words := x.l.words(x.from, false)
	if len(words) > x.shown {
		if x.shown = len(words); x.shown == 1 {
			x.say("speech.startDetected", obj{"Offset": x.ticks(words[0].start)})
		}
		x.say("speech.hypothesis", obj{"Text": joined(words), "Offset": x.ticks(words[0].start), "Duration": x.ticks(words[len(words)-1].end - words[0].start)})
	}
	if n := x.c.s.Endpoint; n > 0 && len(words) > 0 && len(x.l.text)-words[len(words)-1].end >= n {
		x.settle()
	}
}

// settle tells a phrase.
func (x *azureEar) settle() {
	words := x.l.words(x.from, true)
	from := x.from
	x.from, x.shown = len(x.l.text), 0
	if len(words) == 0 {
		x.say("speech.phrase", obj{"RecognitionStatus": "InitialSilenceTimeout", "Offset": x.ticks(from), "Duration": 0})
		return
	}
	var timed []obj
	for _, w := range words {
		timed = append(timed, obj{"Word": w.text, "Offset": x.ticks(w.start), "Duration": x.ticks(w.end - w.start)})
	}
	text := joined(words)
	x.say("speech.phrase", obj{
		"RecognitionStatus": "Success", "Offset": x.ticks(words[0].start), "Duration": x.ticks(words[len(words)-1].end - words[0].start),
		"DisplayText": strings.ToUpper(text[:1]) + text[1:] + ".",
		"NBest":       []obj{{"Confidence": 0.9, "Lexical": text, "ITN": text, "MaskedITN": text, "Display": text + ".", "Words": timed}},
	})
}

func (s *Server) azureSpeak(w http.ResponseWriter, r *http.Request) {
	t, ok := s.Enter(w, r, "Ocp-Apim-Subscription-Key", Key, nil)
	if !ok {
		return
	}
	var ask struct {
		XMLName xml.Name `xml:"http://www.w3.org/2001/10/synthesis speak"`
		Version string   `xml:"version,attr"`
		Lang    string   `xml:"http://www.w3.org/XML/1998/namespace lang,attr"`
		Voice   struct {
			Name    string `xml:"name,attr"`
			Text    string `xml:",chardata"`
			Prosody *struct {
				Rate string `xml:"rate,attr"`
				Text string `xml:",chardata"`
			} `xml:"prosody"`
		} `xml:"voice"`
	}
	body, _ := io.ReadAll(r.Body)
	err := xml.Unmarshal(body, &ask)
	text := ask.Voice.Text
	if ask.Voice.Prosody != nil {
		text = ask.Voice.Prosody.Text
	}
	if err != nil || ask.Version != "1.0" || ask.Lang == "" || ask.Voice.Name == "" || text == "" ||
		r.Header.Get("X-Microsoft-OutputFormat") != "raw-24khz-16bit-mono-pcm" || r.Header.Get("Content-Type") != "application/ssml+xml" || r.Header.Get("User-Agent") == "" {
		http.Error(w, s.Refuse("%s: %v", body, err), http.StatusBadRequest)
		return
	}
	s.sound(w, r, t, text, 24000, "audio/basic")
}
