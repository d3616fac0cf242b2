package duplextest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"flametree/engine/provider/sockettest"
)

// Gemini is a server of the Gemini Live API.
func Gemini() *Server {
	s := newServer()
	s.Mux.HandleFunc("GET /ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent", s.gemini)
	return s
}

type geminiPart struct {
	Text string `json:"text"`
}

type geminiTurn struct {
	Role  string       `json:"role"`
	Parts []geminiPart `json:"parts"`
}

type geminiSetup struct {
	Model      string `json:"model"`
	Generation struct {
		Modalities  []string `json:"responseModalities"`
		Max         int      `json:"maxOutputTokens"`
		Temperature float64  `json:"temperature"`
		Speech      struct {
			Voice struct {
				Prebuilt struct {
					Name string `json:"voiceName"`
				} `json:"prebuiltVoiceConfig"`
			} `json:"voiceConfig"`
		} `json:"speechConfig"`
	} `json:"generationConfig"`
	System *geminiTurn `json:"systemInstruction"`
	Tools  []struct {
		Functions []struct {
			Name        string          `json:"name"`
			Description string          `json:"description"`
			Schema      json.RawMessage `json:"parametersJsonSchema"`
		} `json:"functionDeclarations"`
	} `json:"tools"`
	Input struct {
		Detection struct {
			Disabled bool `json:"disabled"`
		} `json:"automaticActivityDetection"`
		Handling string `json:"activityHandling"`
	} `json:"realtimeInputConfig"`
	Heard       *struct{} `json:"inputAudioTranscription"`
	Said        *struct{} `json:"outputAudioTranscription"`
	Compression struct {
		Sliding struct{} `json:"slidingWindow"`
	} `json:"contextWindowCompression"`
}

type geminiMessage struct {
	Setup   *geminiSetup `json:"setup"`
	Content *struct {
		Turns    []geminiTurn `json:"turns"`
		Complete bool         `json:"turnComplete"`
	} `json:"clientContent"`
	Input *struct {
		Audio *struct {
			Type string `json:"mimeType"`
			Data string `json:"data"`
		} `json:"audio"`
		Text  string    `json:"text"`
		Start *struct{} `json:"activityStart"`
		End   *struct{} `json:"activityEnd"`
	} `json:"realtimeInput"`
	Tools *struct {
		Responses []struct {
			ID       string `json:"id"`
			Name     string `json:"name"`
			Response struct {
				Result string `json:"result"`
			} `json:"response"`
		} `json:"functionResponses"`
	} `json:"toolResponse"`
}

// geminiSession is one connection.
type geminiSession struct {
	*conn
	mu       sync.Mutex // of what follows
	setup    *geminiSetup
	memory   []string
	activity bool
	pcm      []int16
	told     int // samples of the activity that were transcribed
	heard    string
	extra    string
	calls    map[string]string
	n        int
	turn     sync.Mutex // one reply at a time
	canceled chan struct{}
}

func (s *Server) gemini(w http.ResponseWriter, r *http.Request) {
	t, ok := s.Enter(w, r, "X-Goog-Api-Key", Key, nil)
	if !ok {
		return
	}
	x := &geminiSession{conn: &conn{Link: sockettest.Link{Trouble: t, Binary: true}}, calls: map[string]string{}, canceled: make(chan struct{})}
	x.Expel = func(status int) any { return obj{"error": obj{"code": status, "message": "no, " + Key}} }
	s.Note(func() {
		s.leave = func() { x.Send(obj{"goAway": obj{"timeLeft": "10s"}}) }
	})
	s.serve(w, r, x.conn, x.take)
}

// GoAway has the newest connection say that it will end.
func (s *Server) GoAway() {
	var f func()
	s.Note(func() { f = s.leave })
	f()
}

func (x *geminiSession) take(data []byte) bool {
	var m geminiMessage
	if err := sockettest.Strict(data, &m); err != nil {
		return x.refuse("message: %v", err)
	}
	set := 0
	for _, is := range []bool{m.Setup != nil, m.Content != nil, m.Input != nil, m.Tools != nil} {
		if is {
			set++
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case set != 1:
		return x.refuse("a message with %d fields", set)
	case (x.setup == nil) != (m.Setup != nil):
		return x.refuse("the setup is not first, or comes twice")
	case m.Setup != nil:
		return x.begin(m.Setup)
	case m.Content != nil:
		return x.content(m.Content.Turns, m.Content.Complete)
	case m.Input != nil:
		return x.input(m)
	}
	return x.tools(m)
}

func (x *geminiSession) begin(s *geminiSetup) bool {
	x.s.logf("setup")
	if !strings.HasPrefix(s.Model, "models/") || !slices.Equal(s.Generation.Modalities, []string{"AUDIO"}) || !s.Input.Detection.Disabled ||
		s.Input.Handling != "NO_INTERRUPTION" || s.Heard == nil || s.Said == nil || s.System == nil || len(s.System.Parts) != 1 {
		return x.refuse("setup %+v", *s)
	}
	x.setup = s
	x.Send(obj{"setupComplete": obj{}})
	return true
}

func (x *geminiSession) remember(line string) {
	x.memory = append(x.memory, line)
	all := slices.Clone(x.memory)
	x.s.Note(func() { x.s.memory = all })
}

func (x *geminiSession) content(turns []geminiTurn, complete bool) bool {
	x.s.logf("clientContent %v", complete)
	for _, t := range turns {
		if t.Role != "user" && t.Role != "model" || len(t.Parts) == 0 {
			return x.refuse("a turn of %q", t.Role)
		}
		for _, p := range t.Parts {
			x.remember(t.Role + ": " + p.Text)
			switch {
			case strings.HasPrefix(p.Text, "# "): // a part of a prompt
				x.extra = p.Text
			case t.Role == "user":
				x.heard = p.Text
			}
		}
	}
	if complete {
		x.respond()
	}
	return true
}

func (x *geminiSession) input(m geminiMessage) bool {
	in := m.Input
	switch {
	case in.Start != nil:
		x.s.logf("activityStart")
		if x.activity {
			return x.refuse("an activity in an activity")
		}
		x.activity, x.pcm, x.heard, x.extra, x.told = true, nil, "", "", 0
	case in.End != nil:
		x.s.logf("activityEnd")
		if !x.activity {
			return x.refuse("an end without an activity")
		}
		x.activity = false
		x.transcribe(true)
		x.remember("user: " + x.heard)
		x.respond()
	case in.Text != "":
		x.extra = in.Text
	case in.Audio != nil:
		raw, err := base64.StdEncoding.DecodeString(in.Audio.Data)
		if err != nil || !x.activity || in.Audio.Type != "audio/pcm;rate=16000" {
			return x.refuse("audio outside of an activity, or not of 16 kHz: %v", err)
		}
		x.pcm = append(x.pcm, samples(raw)...)
		if quiet(x.pcm) {
			x.transcribe(false)
		}
	}
	return true
}

// quiet reports whether sound has ended for 200 ms.
func quiet(pcm []int16) bool {
	if len(pcm) < 3200 {
		return false
	}
	for _, v := range pcm[len(pcm)-3200:] {
		if v > 200 || v < -200 {
			return false
		}
	}
	return true
}

// transcribe tells what was said since the last time, in two pieces as it may come.
func (x *geminiSession) transcribe(over bool) {
	if x.Trouble.Kind == LateWords && !over {
		return
	}
	fresh := x.pcm[x.told:]
	if !slices.ContainsFunc(fresh, func(v int16) bool { return v > 500 || v < -500 }) {
		return
	}
	x.told = len(x.pcm)
	text := x.s.listen(fresh, 16000)
	x.heard = strings.TrimSpace(x.heard + " " + text)
	for _, w := range strings.SplitAfter(" "+text, " ") {
		if w != "" {
			x.Send(obj{"serverContent": obj{"inputTranscription": obj{"text": w}}})
		}
	}
}

func (x *geminiSession) tools(m geminiMessage) bool {
	x.s.logf("toolResponse")
	var results []string
	for _, r := range m.Tools.Responses {
		if x.calls[r.ID] != r.Name || r.Name == "" {
			return x.refuse("an answer to no call: %s", r.ID)
		}
		delete(x.calls, r.ID)
		results = append(results, r.Response.Result)
		x.remember("output: " + r.Response.Result)
	}
	if len(x.calls) > 0 {
		return x.refuse("%d calls are not answered", len(x.calls))
	}
	x.respond(results...)
	return true
}

func (x *geminiSession) respond(results ...string) {
	a := Asked{Heard: x.heard, Results: results, System: x.setup.System.Parts[0].Text, Memory: slices.Clone(x.memory), Extra: x.extra}
	for _, t := range x.setup.Tools {
		for _, f := range t.Functions {
			a.Tools = append(a.Tools, f.Name)
		}
	}
	x.work.Go(func() {
		x.turn.Lock()
		defer x.turn.Unlock()
		x.reply(x.s.answer(a))
	})
}

func (x *geminiSession) reply(r Reply) {
	whole := true
	if r.Text != "" {
		whole = x.say(r.Text, x.canceled, func(w string) {
			x.Send(obj{"serverContent": obj{"outputTranscription": obj{"text": w}}})
		}, func(pcm []int16) {
			x.Send(obj{"serverContent": obj{"modelTurn": obj{"role": "model", "parts": []obj{{"inlineData": obj{
				"mimeType": "audio/pcm;rate=24000", "data": base64.StdEncoding.EncodeToString(bytesOf(pcm)),
			}}}}}})
		})
	}
	if !whole {
		return
	}
	x.mu.Lock()
	if r.Text != "" {
		x.remember("model: " + r.Text)
	}
	id := ""
	if r.Wish != nil {
		x.n++
		id = fmt.Sprintf("function-call-%d", x.n)
		x.calls[id] = r.Wish.Name
	}
	x.mu.Unlock()
	if r.Wish != nil {
		x.Send(obj{"toolCall": obj{"functionCalls": []obj{{"id": id, "name": r.Wish.Name, "args": json.RawMessage(r.Wish.Args)}}}})
		return
	}
	x.Send(obj{"serverContent": obj{"generationComplete": true}})
	x.Send(obj{"serverContent": obj{"turnComplete": true}, "usageMetadata": obj{
		"promptTokenCount": 7, "responseTokenCount": 9,
		"promptTokensDetails":   []obj{{"modality": "TEXT", "tokenCount": 3}, {"modality": "AUDIO", "tokenCount": 4}},
		"responseTokensDetails": []obj{{"modality": "TEXT", "tokenCount": 1}, {"modality": "AUDIO", "tokenCount": 8}},
	}})
}
