package hooks

import (
	"encoding/xml"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The answers, in TwiML (www.twilio.com/docs/voice/twiml as of 2026-11-22).

// StreamAnswer connects a call to Media Streams, both ways.
type StreamAnswer struct {
	URL        string            // wss://…
	Parameters map[string]string // come back with the start
}

// TwiML writes the answer. When the stream ends the call does: nothing follows.
func (s StreamAnswer) TwiML() string {
	var w writer
	w.open("Connect")
	w.open("Stream", "url", s.URL)
	w.parameters(s.Parameters)
	w.close("Stream", "Connect")
	return w.String()
}

// RelayAnswer connects a call to ConversationRelay. "" leaves an attribute out.
type RelayAnswer struct {
	URL, Action             string
	Language, Voice, Speech string // voice and speech model
	Parameters              map[string]string
}

// TwiML writes the answer. We say the greeting ourselves, so that it is in the
// journal; keys are passed on, and any speech of the caller interrupts.
func (r RelayAnswer) TwiML() string {
	var w writer
	speaks, voice := voiceOf(r.Voice)
	hears, model := modelOf(r.Speech)
	w.open("Connect", "action", r.Action)
	w.open("ConversationRelay", "url", r.URL, "language", r.Language, "ttsProvider", speaks, "voice", voice,
		"transcriptionProvider", hears, "speechModel", model, "interruptible", "any", "dtmfDetection", "true")
	w.parameters(r.Parameters)
	w.close("ConversationRelay", "Connect")
	return w.String()
}

// DialAnswer passes a call on to a number.
type DialAnswer struct {
	Number, From string
	Action       string        // what follows is asked there when it is over
	Status       string        // told of initiated, ringing, answered and completed
	Ring         time.Duration // how long it may ring; 0 = Twilio's 30 s
}

// TwiML writes the answer.
func (d DialAnswer) TwiML() string {
	var w writer
	seconds := ""
	if d.Ring > 0 {
		seconds = strconv.Itoa(max(1, int(d.Ring/time.Second)))
	}
	w.open("Dial", "action", d.Action, "callerId", d.From, "timeout", seconds, "answerOnBridge", "true")
	w.open("Number", "statusCallback", d.Status, "statusCallbackEvent", "initiated ringing answered completed")
	w.text(d.Number)
	w.close("Number", "Dial")
	return w.String()
}

// Reject refuses a call before it is answered; the caller hears the tone of
// busy, or that the number is not in service.
func Reject(busy bool) string {
	reason := "rejected"
	if busy {
		reason = "busy"
	}
	var w writer
	w.open("Reject", "reason", reason)
	w.close("Reject")
	return w.String()
}

// Hangup ends a call.
func Hangup() string {
	var w writer
	w.open("Hangup")
	w.close("Hangup")
	return w.String()
}

// writer writes elements with their attributes in pairs; one without a value is
// left out.
type writer struct{ strings.Builder }

func (w *writer) open(name string, attributes ...string) {
	w.WriteString("<" + name)
	for i := 0; i+1 < len(attributes); i += 2 {
		if attributes[i+1] == "" {
			continue
		}
		w.WriteString(" " + attributes[i] + `="`)
		w.text(attributes[i+1])
		w.WriteString(`"`)
	}
	w.WriteString(">")
}

func (w *writer) close(names ...string) {
	for _, n := range names {
		w.WriteString("</" + n + ">")
	}
}

// text writes what XML cannot misread; what it cannot hold at all is replaced.
func (w *writer) text(s string) { _ = xml.EscapeText(&w.Builder, []byte(s)) }

func (w *writer) parameters(all map[string]string) {
	names := make([]string, 0, len(all))
	for n := range all {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		w.open("Parameter", "name", n, "value", all[n])
		w.close("Parameter")
	}
}

// String is the whole document.
func (w *writer) String() string {
	return `<?xml version="1.0" encoding="UTF-8"?>` + "<Response>" + w.Builder.String() + "</Response>"
}

// voiceOf tells a voice's provider from its name, which the settings hold as the
// verb Say has it: Polly.Salli is Amazon's Salli. A name without a known prefix
// is left to Twilio.
func voiceOf(name string) (provider, voice string) {
	for prefix, provider := range map[string]string{"Polly.": "Amazon", "Google.": "Google", "ElevenLabs.": "ElevenLabs"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return provider, rest
		}
	}
	return "", name
}

// modelOf tells a recogniser's provider from its name, which the settings hold
// as the verb Gather has it: googlev2_telephony is Google's telephony.
func modelOf(name string) (provider, model string) {
	for prefix, provider := range map[string]string{"googlev2_": "Google", "deepgram_": "Deepgram"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return provider, rest
		}
	}
	return "", name
}
