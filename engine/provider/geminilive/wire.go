package geminilive

import (
	"encoding/json"

	"flametree/engine/provider"
	"flametree/engine/provider/realtime"
	"flametree/engine/provider/wire"
)

// What we send: exactly one field is set.
type client struct {
	Setup   *setup    `json:"setup,omitempty"`
	Content *contents `json:"clientContent,omitempty"`
	Input   *realIn   `json:"realtimeInput,omitempty"`
	Tools   *answers  `json:"toolResponse,omitempty"`
}

type empty struct{}

type (
	setup struct {
		Model       string     `json:"model"`
		Generation  generation `json:"generationConfig"`
		System      *turn      `json:"systemInstruction,omitempty"`
		Tools       []toolset  `json:"tools,omitempty"`
		Input       inputRules `json:"realtimeInputConfig"`
		HeardText   empty      `json:"inputAudioTranscription"`
		SaidText    empty      `json:"outputAudioTranscription"`
		Compression struct {
			Sliding empty `json:"slidingWindow"`
		} `json:"contextWindowCompression"`
	}
	generation struct {
		Modalities  []string `json:"responseModalities"`
		MaxTokens   int      `json:"maxOutputTokens,omitempty"`
		Temperature *float64 `json:"temperature,omitempty"`
		Speech      *voice   `json:"speechConfig,omitempty"`
	}
	voice struct {
		Config struct {
			Prebuilt struct {
				Name string `json:"voiceName"`
			} `json:"prebuiltVoiceConfig"`
		} `json:"voiceConfig"`
	}
	inputRules struct {
		Detection struct {
			Disabled bool `json:"disabled"`
		} `json:"automaticActivityDetection"`
		Handling string `json:"activityHandling"`
	}
	toolset struct {
		Functions []function `json:"functionDeclarations"`
	}
	function struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Schema      json.RawMessage `json:"parametersJsonSchema"`
	}
	contents struct {
		Turns    []turn `json:"turns,omitempty"`
		Complete bool   `json:"turnComplete"`
	}
	turn struct {
		Role  string `json:"role,omitempty"`
		Parts []part `json:"parts"`
	}
	part struct {
		Text string `json:"text"`
	}
	realIn struct {
		Audio *blob  `json:"audio,omitempty"`
		Text  string `json:"text,omitempty"`
		Start *empty `json:"activityStart,omitempty"`
		End   *empty `json:"activityEnd,omitempty"`
	}
	blob struct {
		Type string `json:"mimeType"`
		Data string `json:"data"`
	}
	answers struct {
		Responses []answer `json:"functionResponses"`
	}
	answer struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Response struct {
			Result string `json:"result"`
		} `json:"response"`
	}
)

// server is what the vendor says: any of the fields, several at once.
type server struct {
	SetupComplete *empty `json:"setupComplete"`
	Content       *struct {
		Turn *struct {
			Parts []struct {
				Inline *blob `json:"inlineData"`
			} `json:"parts"`
		} `json:"modelTurn"`
		Heard       *part `json:"inputTranscription"`
		Said        *part `json:"outputTranscription"`
		Interrupted bool  `json:"interrupted"`
		Complete    bool  `json:"turnComplete"`
	} `json:"serverContent"`
	ToolCall *struct {
		Calls []struct {
			ID   string          `json:"id"`
			Name string          `json:"name"`
			Args json.RawMessage `json:"args"`
		} `json:"functionCalls"`
	} `json:"toolCall"`
	Cancelled *struct {
		IDs []string `json:"ids"`
	} `json:"toolCallCancellation"`
	GoAway *struct{} `json:"goAway"`
	Usage  *struct {
		Prompt   int      `json:"promptTokenCount"`
		Response int      `json:"responseTokenCount"`
		In       []counts `json:"promptTokensDetails"`
		Out      []counts `json:"responseTokensDetails"`
	} `json:"usageMetadata"`
}

// counts are the tokens of one modality.
type counts struct {
	Modality string `json:"modality"`
	Tokens   int    `json:"tokenCount"`
}

// ofSound is how many tokens were sound.
func ofSound(all []counts) (n int) {
	for _, c := range all {
		if c.Modality == "AUDIO" {
			n += c.Tokens
		}
	}
	return n
}

func (m *Model) setup(s realtime.Seed) setup {
	out := setup{Model: "models/" + m.o.Model}
	out.Generation.Modalities = []string{"AUDIO"}
	out.Generation.MaxTokens = s.Brief.MaxTokens
	if s.Brief.Temperature >= 0 {
		out.Generation.Temperature = &s.Brief.Temperature
	}
	if m.o.Voice != "" {
		v := &voice{}
		v.Config.Prebuilt.Name = m.o.Voice
		out.Generation.Speech = v
	}
	if s.Brief.System != "" {
		out.System = &turn{Parts: []part{{Text: s.Brief.System}}}
	}
	var set toolset
	for _, t := range s.Brief.Tools {
		schema, err := wire.Schema(t.Schema)
		if err != nil { // a tool whose parameters nobody can read is not offered
			continue
		}
		set.Functions = append(set.Functions, function{Name: wire.Name(t.Name), Description: t.Description, Schema: schema})
	}
	if len(set.Functions) > 0 {
		out.Tools = []toolset{set}
	}
	out.Input.Detection.Disabled, out.Input.Handling = true, "NO_INTERRUPTION"
	return out
}

// turnsOf is a conversation as text. Calls of tools are told by their answers: a
// call of another connection has no name that this one knows.
func turnsOf(messages []provider.Message) []turn {
	var out []turn
	for _, m := range messages {
		role, text := "user", m.Text
		switch m.Role {
		case provider.RoleAssistant:
			role = "model"
			if m.Interrupted {
				text += " " + wire.Interrupted
			}
		case provider.RoleTool:
			text = wire.Data(text, "title", "answer of a tool")
		case provider.RoleUser:
		}
		if text == "" {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Role == role {
			out[n-1].Parts = append(out[n-1].Parts, part{Text: text})
			continue
		}
		out = append(out, turn{Role: role, Parts: []part{{Text: text}}})
	}
	return out
}
