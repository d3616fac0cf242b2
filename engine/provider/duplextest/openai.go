package duplextest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"flametree/engine/provider/sockettest"
)

// OpenAI is a server of OpenAI's Realtime API.
func OpenAI() *Server {
	s := newServer()
	s.Mux.HandleFunc("GET /realtime", s.openai)
	return s
}

type openaiItem struct {
	id, role, text string
	samples        int // of its sound
}

// openaiSession is one connection.
type openaiSession struct {
	*conn
	mu       sync.Mutex // of what follows
	ready    bool
	system   string
	tools    []string
	buffer   []int16
	items    []openaiItem
	calls    map[string]bool // not answered
	results  []string
	n        int
	active   string
	canceled chan struct{}
}

func (s *Server) openai(w http.ResponseWriter, r *http.Request) {
	t, ok := s.Enter(w, r, "Authorization", "Bearer "+Key, map[string]bool{"model": true})
	if !ok {
		return
	}
	if r.Header.Get("OpenAI-Beta") != "" {
		http.Error(w, s.Refuse("the header of the beta"), http.StatusBadRequest)
		return
	}
	x := &openaiSession{conn: &conn{Link: sockettest.Link{Trouble: t}}, calls: map[string]bool{}}
	x.Expel = func(status int) any {
		e := obj{"type": "rate_limit_error", "code": "rate_limit_exceeded", "message": "slow down " + Key}
		if status == 401 {
			e["type"], e["code"] = "authentication_error", "invalid_api_key"
		}
		return obj{"type": "error", "event_id": "e", "error": e}
	}
	first := true
	s.serve(w, r, x.conn, func(data []byte) bool {
		if first {
			first = false
			x.Send(obj{"type": "session.created", "event_id": "e", "session": obj{"type": "realtime"}})
		}
		return x.take(data)
	})
}

func (x *openaiSession) take(data []byte) bool {
	var m struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(data, &m) != nil {
		return x.refuse("no JSON")
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.ready && m.Type != "session.update" {
		return x.refuse("%s before the session", m.Type)
	}
	if m.Type != "input_audio_buffer.append" {
		x.s.logf("%s", m.Type)
	}
	switch m.Type {
	case "session.update":
		return x.update(data)
	case "input_audio_buffer.append":
		return x.append(data)
	case "input_audio_buffer.commit":
		return x.commit()
	case "conversation.item.create":
		return x.create(data)
	case "conversation.item.delete":
		return x.remove(data)
	case "conversation.item.truncate":
		return x.truncate(data)
	case "response.create":
		return x.respond(data)
	case "response.cancel":
		return x.cancel()
	}
	return x.refuse("unknown message %s", m.Type)
}

type openaiFormat struct {
	Type string `json:"type"`
	Rate int    `json:"rate"`
}

func (x *openaiSession) update(data []byte) bool {
	var m struct {
		Type    string `json:"type"`
		Session struct {
			Type         string   `json:"type"`
			Modalities   []string `json:"output_modalities"`
			Instructions string   `json:"instructions"`
			Tools        []struct {
				Type        string          `json:"type"`
				Name        string          `json:"name"`
				Description string          `json:"description"`
				Parameters  json.RawMessage `json:"parameters"`
			} `json:"tools"`
			Choice string `json:"tool_choice"`
			Max    int    `json:"max_output_tokens"`
			Audio  *struct {
				Input struct {
					Format        openaiFormat `json:"format"`
					Transcription struct {
						Model    string `json:"model"`
						Language string `json:"language"`
					} `json:"transcription"`
					Detection *struct{} `json:"turn_detection"`
				} `json:"input"`
				Output struct {
					Format openaiFormat `json:"format"`
					Voice  string       `json:"voice"`
				} `json:"output"`
			} `json:"audio"`
		} `json:"session"`
	}
	err := sockettest.Strict(data, &m)
	s, pcm := m.Session, openaiFormat{"audio/pcm", 24000}
	switch {
	case err != nil || s.Type != "realtime" || s.Max > 4096:
		return x.refuse("session %v", err)
	case !x.ready && (s.Audio == nil || !slices.Equal(s.Modalities, []string{"audio"})):
		return x.refuse("a session without audio")
	case s.Audio != nil && (s.Audio.Input.Format != pcm || s.Audio.Output.Format != pcm || s.Audio.Output.Voice == "" ||
		s.Audio.Input.Transcription.Model == "" || s.Audio.Input.Detection != nil || !strings.Contains(string(data), `"turn_detection":null`)):
		return x.refuse("the session's audio is wrong")
	case x.ready && s.Audio != nil:
		return x.refuse("the voice cannot change")
	}
	x.ready, x.system, x.tools = true, s.Instructions, nil
	for _, t := range s.Tools {
		if t.Type != "function" || t.Name == "" || !strings.Contains(string(t.Parameters), `"object"`) {
			return x.refuse("tool %q", t.Name)
		}
		x.tools = append(x.tools, t.Name)
	}
	x.Send(obj{"type": "session.updated", "event_id": "e", "session": m.Session})
	return true
}

func (x *openaiSession) append(data []byte) bool {
	var m struct {
		Type  string `json:"type"`
		Audio string `json:"audio"`
	}
	err := sockettest.Strict(data, &m)
	raw, bad := base64.StdEncoding.DecodeString(m.Audio)
	if err != nil || bad != nil || len(raw)%2 != 0 {
		return x.refuse("append: %v %v", err, bad)
	}
	x.buffer = append(x.buffer, samples(raw)...)
	return true
}

func (x *openaiSession) id(kind string) string {
	x.n++
	return fmt.Sprintf("%s_%d", kind, x.n)
}

func (x *openaiSession) add(i openaiItem) {
	x.items = append(x.items, i)
	x.tellMemory()
}

func (x *openaiSession) tellMemory() {
	var all []string
	for _, i := range x.items {
		all = append(all, i.role+": "+i.text)
	}
	x.s.Note(func() { x.s.memory = all })
}

func (x *openaiSession) commit() bool {
	if len(x.buffer) < 2398 { // 100 ms, less a filter's delay
		return x.refuse("a commit of %d samples", len(x.buffer))
	}
	pcm := x.buffer
	x.buffer = nil
	id := x.id("item")
	text := x.s.listen(pcm, 24000)
	x.add(openaiItem{id: id, role: "user", text: text, samples: len(pcm)})
	x.Send(obj{"type": "input_audio_buffer.committed", "event_id": "e", "item_id": id, "previous_item_id": nil})
	x.Send(obj{"type": "conversation.item.added", "event_id": "e", "item": obj{"id": id, "type": "message", "role": "user"}})
	event := func(kind, field, value string) obj {
		return obj{"type": "conversation.item.input_audio_transcription." + kind, "event_id": "e", "item_id": id, "content_index": 0, field: value}
	}
	if first, _, more := strings.Cut(text, " "); more {
		x.Send(event("delta", "delta", first))
	}
	x.Send(event("completed", "transcript", text))
	return true
}

func (x *openaiSession) create(data []byte) bool {
	var m struct {
		Type string `json:"type"`
		Item struct {
			Type    string `json:"type"`
			Role    string `json:"role"`
			Content []struct {
				Type string `json:"type"`
				Text string `json:"text"`
			} `json:"content"`
			CallID    string `json:"call_id"`
			Name      string `json:"name"`
			Arguments string `json:"arguments"`
			Output    string `json:"output"`
		} `json:"item"`
	}
	if err := sockettest.Strict(data, &m); err != nil {
		return x.refuse("item: %v", err)
	}
	i := m.Item
	switch i.Type {
	case "message":
		kind := map[string]string{"user": "input_text", "assistant": "output_text"}[i.Role]
		if len(i.Content) != 1 || kind == "" || i.Content[0].Type != kind || i.Content[0].Text == "" {
			return x.refuse("message %s", data)
		}
		x.add(openaiItem{id: x.id("item"), role: i.Role, text: i.Content[0].Text})
	case "function_call":
		x.calls[i.CallID] = true
		x.add(openaiItem{id: x.id("item"), role: "call", text: i.Name + i.Arguments})
	case "function_call_output":
		if !x.calls[i.CallID] {
			return x.refuse("an output without a call: %s", i.CallID)
		}
		delete(x.calls, i.CallID)
		x.results = append(x.results, i.Output)
		x.add(openaiItem{id: x.id("item"), role: "output", text: i.Output})
	default:
		return x.refuse("item %s", i.Type)
	}
	return true
}

func (x *openaiSession) find(id string) int {
	return slices.IndexFunc(x.items, func(i openaiItem) bool { return i.id == id })
}

func (x *openaiSession) remove(data []byte) bool {
	var m struct {
		Type string `json:"type"`
		Item string `json:"item_id"`
	}
	err := sockettest.Strict(data, &m)
	i := x.find(m.Item)
	if err != nil || i < 0 {
		return x.refuse("delete %s", data)
	}
	x.items = slices.Delete(x.items, i, i+1)
	x.tellMemory()
	x.Send(obj{"type": "conversation.item.deleted", "event_id": "e", "item_id": m.Item})
	return true
}

func (x *openaiSession) truncate(data []byte) bool {
	var m struct {
		Type    string `json:"type"`
		Item    string `json:"item_id"`
		Content int    `json:"content_index"`
		End     int    `json:"audio_end_ms"`
	}
	err := sockettest.Strict(data, &m)
	i := x.find(m.Item)
	if err != nil || i < 0 || x.items[i].role != "assistant" || m.End > x.items[i].samples/24 || m.End < 0 {
		return x.refuse("truncate %s", data)
	}
	x.s.logf("truncated at %d of %d", m.End, x.items[i].samples/24)
	x.items[i].samples = m.End * 24
	x.items[i].text = "[cut]"
	x.tellMemory()
	x.Send(obj{"type": "conversation.item.truncated", "event_id": "e", "item_id": m.Item, "content_index": 0, "audio_end_ms": m.End})
	return true
}

func (x *openaiSession) cancel() bool {
	if x.active == "" {
		x.Send(obj{"type": "error", "event_id": "e", "error": obj{"type": "invalid_request_error", "code": "response_cancel_not_active"}})
		return true
	}
	close(x.canceled)
	return true
}

func (x *openaiSession) respond(data []byte) bool {
	var m struct {
		Type     string `json:"type"`
		Response struct {
			Instructions string `json:"instructions"`
		} `json:"response"`
	}
	err := sockettest.Strict(data, &m)
	if err != nil || x.active != "" || len(x.calls) > 0 {
		return x.refuse("response.create while %q is active and %d calls wait: %v", x.active, len(x.calls), err)
	}
	a := Asked{System: x.system, Tools: slices.Clone(x.tools), Results: x.results, Extra: m.Response.Instructions}
	x.results = nil
	for _, i := range x.items {
		a.Memory = append(a.Memory, i.role+": "+i.text)
		if i.role == "user" {
			a.Heard = i.text
		}
	}
	id, item := x.id("resp"), x.id("item")
	x.active, x.canceled = id, make(chan struct{})
	canceled := x.canceled
	x.work.Go(func() { x.reply(id, item, x.s.answer(a), canceled) })
	return true
}

// reply sends one response.
func (x *openaiSession) reply(id, item string, r Reply, canceled chan struct{}) {
	event := func(kind string, more obj) {
		more["type"], more["event_id"], more["response_id"] = kind, "e", id
		x.Send(more)
	}
	x.Send(obj{"type": "response.created", "event_id": "e", "response": obj{"id": id, "status": "in_progress"}})
	whole := true
	if r.Text != "" {
		x.mu.Lock()
		x.add(openaiItem{id: item, role: "assistant", text: r.Text})
		x.mu.Unlock()
		event("response.output_item.added", obj{"output_index": 0, "item": obj{"id": item, "type": "message"}})
		whole = x.say(r.Text, canceled, func(w string) {
			event("response.output_audio_transcript.delta", obj{"item_id": item, "output_index": 0, "content_index": 0, "delta": w})
		}, func(pcm []int16) {
			x.mu.Lock()
			if i := x.find(item); i >= 0 {
				x.items[i].samples += len(pcm)
			}
			x.mu.Unlock()
			event("response.output_audio.delta", obj{"item_id": item, "output_index": 0, "content_index": 0, "delta": base64.StdEncoding.EncodeToString(bytesOf(pcm))})
		})
		event("response.output_audio.done", obj{"item_id": item})
	}
	if r.Wish != nil && whole {
		x.mu.Lock()
		call := x.id("call")
		x.calls[call] = true
		x.mu.Unlock()
		event("response.function_call_arguments.delta", obj{"item_id": call + "i", "call_id": call, "delta": r.Wish.Args})
		event("response.output_item.done", obj{"item": obj{"id": call + "i", "type": "function_call", "status": "completed", "call_id": call, "name": r.Wish.Name, "arguments": r.Wish.Args}})
	}
	if x.s.Speed < 0 { // it stays at it until it is cancelled
		select {
		case <-canceled:
			whole = false
		case <-x.gone:
		case <-time.After(5 * time.Second):
		}
	}
	x.mu.Lock()
	x.active = ""
	x.mu.Unlock()
	status := "completed"
	if !whole {
		status = "cancelled"
	}
	x.Send(obj{"type": "response.done", "event_id": "e", "response": obj{"id": id, "status": status, "usage": obj{
		"input_tokens": 7, "output_tokens": 9,
		"input_token_details": obj{"text_tokens": 3, "audio_tokens": 4}, "output_token_details": obj{"text_tokens": 1, "audio_tokens": 8},
	}}})
}
