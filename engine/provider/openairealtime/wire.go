package openairealtime

import (
	"encoding/json"
	"slices"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/realtime"
	"flametree/engine/provider/wire"
	"flametree/engine/provider/wire/speech"
)

// What we send.
type (
	update struct {
		Type    string  `json:"type"`
		Session session `json:"session"`
	}
	session struct {
		Type         string   `json:"type"`
		Modalities   []string `json:"output_modalities,omitempty"`
		Instructions string   `json:"instructions"`
		Tools        []tool   `json:"tools"`
		ToolChoice   string   `json:"tool_choice"`
		MaxTokens    any      `json:"max_output_tokens,omitempty"`
		Audio        *audio   `json:"audio,omitempty"`
	}
	audio struct {
		Input  input  `json:"input"`
		Output output `json:"output"`
	}
	format struct {
		Type string `json:"type"`
		Rate int    `json:"rate"`
	}
	input struct {
		Format        format     `json:"format"`
		Transcription transcribe `json:"transcription"`
		TurnDetection *struct{}  `json:"turn_detection"` // null: turns are ours
	}
	transcribe struct {
		Model    string `json:"model"`
		Language string `json:"language,omitempty"`
	}
	output struct {
		Format format `json:"format"`
		Voice  string `json:"voice"`
	}
	tool struct {
		Type        string          `json:"type"`
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
	}
	appended struct {
		Type  string `json:"type"`
		Audio string `json:"audio"`
	}
	bare struct {
		Type string `json:"type"`
	}
	create struct {
		Type string `json:"type"`
		Item item   `json:"item"`
	}
	item struct {
		Type      string    `json:"type"`
		Role      string    `json:"role,omitempty"`
		Content   []content `json:"content,omitempty"`
		CallID    string    `json:"call_id,omitempty"`
		Name      string    `json:"name,omitempty"`
		Arguments string    `json:"arguments,omitempty"`
		Output    string    `json:"output,omitempty"`
	}
	content struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	truncate struct {
		Type    string `json:"type"`
		ItemID  string `json:"item_id"`
		Content int    `json:"content_index"`
		EndMS   int64  `json:"audio_end_ms"`
	}
	remove struct {
		Type   string `json:"type"`
		ItemID string `json:"item_id"`
	}
	respond struct {
		Type     string    `json:"type"`
		Response *response `json:"response,omitempty"`
	}
	response struct {
		Instructions string `json:"instructions,omitempty"`
	}
)

// message is the union of what the server says and matters here.
type message struct {
	Type       string   `json:"type"`
	ItemID     string   `json:"item_id"`
	ResponseID string   `json:"response_id"`
	Delta      string   `json:"delta"`
	Transcript *string  `json:"transcript"`
	Error      trouble  `json:"error"`
	Item       madeItem `json:"item"`
	Response   struct {
		ID     string `json:"id"`
		Status string `json:"status"`
		Detail struct {
			Reason string  `json:"reason"`
			Error  trouble `json:"error"`
		} `json:"status_details"`
		Usage struct {
			Input  int     `json:"input_tokens"`
			Output int     `json:"output_tokens"`
			In     ofSound `json:"input_token_details"`
			Out    ofSound `json:"output_token_details"`
		} `json:"usage"`
	} `json:"response"`
}

type ofSound struct {
	Audio int `json:"audio_tokens"`
}

type madeItem struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	CallID    string `json:"call_id"`
	Name      string `json:"name"`
	Arguments string `json:"arguments"`
}

type trouble struct {
	Type string `json:"type"`
	Code string `json:"code"`
}

// kind reads what a refusal means; "" = by its code alone.
func (t trouble) kind() fault.Kind {
	switch {
	case t.Type == "authentication_error", t.Code == "invalid_api_key", t.Code == "insufficient_quota":
		return fault.Denied
	case t.Type == "rate_limit_error", t.Code == "rate_limit_exceeded":
		return fault.Exhausted
	case t.Code == "model_not_found":
		return fault.NotFound
	}
	return fault.Unavailable
}

// harmless are refusals of a message that came too late to matter.
func (t trouble) harmless() bool {
	return slices.Contains([]string{"response_cancel_not_active", "item_truncate_invalid_item_id", "item_delete_invalid_item_id", "invalid_item_id", "item_not_found"}, t.Code)
}

// sessionOf is the session for a brief; first sets what does not change later.
func (l *line) sessionOf(b realtime.Brief, first bool) update {
	s := session{Type: "realtime", Instructions: b.System, Tools: toolsOf(b.Tools), ToolChoice: "auto"}
	if b.MaxTokens > 0 {
		s.MaxTokens = min(b.MaxTokens, 4096) // the vendor's bound
	}
	if first {
		s.Modalities = []string{"audio"}
		pcm := format{Type: "audio/pcm", Rate: realtime.SoundHz}
		s.Audio = &audio{
			Input:  input{Format: pcm, Transcription: transcribe{Model: l.transcribe, Language: speech.Short(l.language)}},
			Output: output{Format: pcm, Voice: l.voice},
		}
	}
	l.system, l.names = b.System, wire.NamesOf(b.Tools)
	return update{Type: "session.update", Session: s}
}

func toolsOf(tools []provider.Tool) []tool {
	out := make([]tool, 0, len(tools))
	for _, t := range tools {
		schema, err := wire.Schema(t.Schema)
		if err != nil { // a tool whose parameters nobody can read is not offered
			continue
		}
		out = append(out, tool{Type: "function", Name: wire.Name(t.Name), Description: t.Description, Parameters: schema})
	}
	return out
}

// itemsOf are a message as items of the conversation.
func itemsOf(m provider.Message) []item {
	var out []item
	text := m.Text
	if m.Interrupted {
		text += " " + wire.Interrupted
	}
	switch {
	case m.Role == provider.RoleTool:
		return []item{{Type: "function_call_output", CallID: wire.ID(m.CallID), Output: orEmpty(m.Text)}}
	case m.Role == provider.RoleUser:
		return []item{{Type: "message", Role: "user", Content: []content{{Type: "input_text", Text: orEmpty(text)}}}}
	case text != "":
		out = append(out, item{Type: "message", Role: "assistant", Content: []content{{Type: "output_text", Text: text}}})
	}
	for _, c := range m.Calls {
		out = append(out, item{Type: "function_call", CallID: wire.ID(c.ID), Name: wire.Name(c.Name), Arguments: c.Args})
	}
	return out
}

func orEmpty(s string) string {
	if s == "" {
		return "[empty]"
	}
	return s
}
