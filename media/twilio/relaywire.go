package twilio

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"flametree/engine/fault"
)

// Setup is what the beginning of a ConversationRelay session tells of its call.
type Setup struct {
	Session, Account, Call string
	From, To, Direction    string
	Parameters             map[string]string
}

// relayFrame is any message of ConversationRelay that comes in.
type relayFrame struct {
	Type       string            `json:"type"`
	Session    string            `json:"sessionId"`
	Account    string            `json:"accountSid"`
	Call       string            `json:"callSid"`
	From       string            `json:"from"`
	To         string            `json:"to"`
	Direction  string            `json:"direction"`
	Parameters map[string]string `json:"customParameters"`
	Prompt     string            `json:"voicePrompt"`
	Last       *bool             `json:"last"`
	Until      string            `json:"utteranceUntilInterrupt"`
	After      json.RawMessage   `json:"durationUntilInterruptMs"` // a number, or a number in a string
	Digit      string            `json:"digit"`
	Failure    string            `json:"description"`
}

// said is what the caller said, as far as it is known.
type said struct {
	text string
	last bool
}

// cut is where the caller interrupted what was being spoken.
type cut struct {
	until string
	after time.Duration // 0 = not told
}

// relayed is one frame, read. Exactly one of its fields is set.
type relayed struct {
	setup  *Setup
	prompt *said
	cut    *cut
	digit  byte
	failed string
	other  bool
}

// parseRelay reads a frame of ConversationRelay; what is wrong is fault.Invalid.
func parseRelay(b []byte) (relayed, error) {
	var f relayFrame
	if err := json.Unmarshal(b, &f); err != nil {
		return relayed{}, fmt.Errorf("relay frame of %d bytes: want a JSON object as ConversationRelay sends it: %w", len(b), fault.Invalid)
	}
	m := relayed{}
	switch f.Type {
	case "setup":
		for _, sid := range []string{f.Session, f.Account, f.Call} {
			if !isSID(sid) {
				return m, invalid("setup", "sessionId, accountSid and callSid of letters and digits")
			}
		}
		if len(f.Parameters) > maxParameters {
			return m, invalid("setup.customParameters", "at most 32 parameters")
		}
		m.setup = &Setup{f.Session, f.Account, f.Call, f.From, f.To, f.Direction, f.Parameters}
	case "prompt":
		if !utf8.ValidString(f.Prompt) {
			return m, invalid("voicePrompt", "UTF-8")
		}
		m.prompt = &said{text: strings.Join(strings.Fields(f.Prompt), " "), last: f.Last == nil || *f.Last}
	case "interrupt":
		after, err := milliseconds(f.After)
		if err != nil {
			return m, err
		}
		m.cut = &cut{until: f.Until, after: after}
	case "dtmf":
		if !isDigit(f.Digit) {
			return m, invalid("digit", "one of 0-9 * # A-D")
		}
		m.digit = f.Digit[0]
	case "error":
		m.failed = "error"
		if f.Failure != "" {
			m.failed = strings.ToValidUTF8(f.Failure[:min(len(f.Failure), 200)], "")
		}
	case "":
		return m, invalid("type", "setup, prompt, interrupt, dtmf or error")
	default:
		m.other = true
	}
	return m, nil
}

func milliseconds(raw json.RawMessage) (time.Duration, error) {
	text := strings.Trim(string(raw), `"`)
	if text == "" || text == "null" {
		return 0, nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || n < 0 || n > 1e9 {
		return 0, invalid("durationUntilInterruptMs", "milliseconds")
	}
	return time.Duration(n) * time.Millisecond, nil
}

// The frames that go out.

// textFrame may be preempted: what is still being spoken of an older reply gives
// way to the next one.
func textFrame(token string, last bool) []byte {
	return encode(struct {
		Type        string `json:"type"`
		Token       string `json:"token"`
		Last        bool   `json:"last"`
		Preemptible bool   `json:"preemptible"`
	}{"text", token, last, true})
}

func digitsFrame(digits string) []byte {
	return encode(struct {
		Type   string `json:"type"`
		Digits string `json:"digits"`
	}{"sendDigits", digits})
}

func endFrame() []byte {
	return encode(struct {
		Type    string `json:"type"`
		Handoff string `json:"handoffData"`
	}{"end", "{}"})
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("twilio: strings and booleans encode: " + err.Error())
	}
	return b
}
