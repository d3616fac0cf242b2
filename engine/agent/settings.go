package agent

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"flametree/engine/event"
	"flametree/engine/fault"
)

// Settings is what an agent's variables mean (spec 5, D2). The timers of the
// turn machine stand in Voice; VOICE_LANGUAGE is for both.
type Settings struct {
	System          string // GAC_SYSTEM
	Fillers         bool   // ENABLE_FILLER_PHRASES
	FillersChained  bool   // FILLER_PHRASES_WITH_CHAIN
	Rephrase        string // REPHRASING_IT_TEXT
	StartPhrase     string
	StartAppendix   string
	StartMeta       string // JSON
	SessionTimeout  time.Duration
	SessionMax      time.Duration
	TimeoutMessage  string
	MaxMessage      int // characters
	ToolsPerTurn    int
	ToolsPerSession int
	Temperature     float64
	MaxTokens       int
	FirstToken      time.Duration
	ModelTimeout    time.Duration
	History         int // messages
	TopK            int
	MinScore        float64
	ShowThoughts    bool

	OperatorUnavailable string        // OPERATOR_UNAVAILABLE_TEXT
	OperatorWait        time.Duration // then the agent resumes
	ResultsEmailTo      Addresses     // none = nobody

	Record           bool // VOICE_RECORD
	RecordNotice     string
	TTSVoice         string
	Language         string // BCP 47, "" = English unless the style says otherwise
	NoInputText      string
	NoiseSuppression string // auto on off
	AMD              bool
	VoicemailAction  string // hangup message
	VoicemailMessage string
	TransferTargets  Targets
	TransferMode     string // blind attended warm

	Voice []event.Pair // what engine/turn reads, as written and found valid by it: (*turn.Config).Set takes each
}

// Setting describes one variable for the portal, the documentation and doctor.
type Setting struct {
	Key     string
	Type    string // text, bool, int, number, seconds, milliseconds, json, or its choices joined by |
	Default string
	Meaning string
}

// row is a Setting with its place in Settings and its bounds.
type row struct {
	Setting
	low, high float64
	at        func(*Settings) any // *string *bool *int *float64 *time.Duration *Addresses *Targets
}

// Table lists every variable an agent itself understands, without the turn timers and
// what channels read: Variables has them all.
func Table() []Setting {
	all := rows()
	out := make([]Setting, len(all))
	for i, r := range all {
		out[i] = r.Setting
	}
	return out
}

// Defaults are the settings of an agent that sets nothing.
func Defaults() Settings {
	var s Settings
	for _, r := range rows() {
		if err := r.set(&s, r.Default); err != nil {
			panic("a default is wrong: " + err.Error())
		}
	}
	return s
}

// Set changes one variable. A value of the wrong type or out of bounds is
// fault.Invalid, an unknown variable fault.NotFound.
func (s *Settings) Set(key, value string) error {
	known, err := s.put(key, value)
	if err == nil && !known {
		return fmt.Errorf("set %s: %w", key, fault.NotFound)
	}
	return err
}

func (s *Settings) put(key, value string) (known bool, err error) {
	all := rows()
	i := slices.IndexFunc(all, func(r row) bool { return r.Key == key })
	if i < 0 {
		return false, nil
	}
	return true, all[i].set(s, value)
}

func (r row) set(s *Settings, value string) error {
	switch to := r.at(s).(type) {
	case *string:
		return r.text(to, value)
	case *Addresses:
		return r.addresses(to, value)
	case *Targets:
		v, err := ParseTargets(value)
		if err != nil {
			return fmt.Errorf("%s %w", r.Key, err)
		}
		*to = v
	case *bool:
		v, ok := truth(value)
		if !ok {
			return r.refuse("True or False", value)
		}
		*to = v == "true"
	case *int:
		v, err := strconv.Atoi(value)
		if err != nil || float64(v) < r.low || float64(v) > r.high {
			return r.refuse(fmt.Sprintf("a whole number from %g to %g", r.low, r.high), value)
		}
		*to = v
	case *float64:
		v, err := strconv.ParseFloat(value, 64)
		if err != nil || !(v >= r.low && v <= r.high) { // not a number fails both
			return r.refuse(fmt.Sprintf("a number from %g to %g", r.low, r.high), value)
		}
		*to = v
	case *time.Duration:
		v, err := strconv.ParseFloat(value, 64)
		if err != nil || !(v >= r.low && v <= r.high) {
			return r.refuse(fmt.Sprintf("%s from %.10g to %.10g", r.Type, r.low, r.high), value)
		}
		unit := time.Second
		if r.Type == "milliseconds" {
			unit = time.Millisecond
		}
		*to = time.Duration(v * float64(unit))
	}
	return nil
}

// text sets a text; an empty one means the default, so that no reply the
// engine falls back on can be without words.
func (r row) text(to *string, value string) error {
	if value == "" {
		value = r.Default
	}
	if c := utf8.RuneCountInString(value); c > MaxText {
		return fmt.Errorf("%s has %d characters, %d are allowed: %w", r.Key, c, MaxText, fault.Invalid)
	}
	if choices := strings.Split(r.Type, "|"); len(choices) > 1 && !slices.Contains(choices, value) {
		return r.refuse("one of "+strings.Join(choices, ", "), value)
	}
	if r.Type == "json" && value != "" && !json.Valid([]byte(value)) {
		return r.refuse("JSON", value)
	}
	if r.high > 0 && float64(utf8.RuneCountInString(value)) > r.high {
		return r.refuse(fmt.Sprintf("a text of at most %g characters", r.high), value)
	}
	*to = value
	return nil
}

// addresses sets e-mail addresses, within the bounds of their text.
func (r row) addresses(to *Addresses, value string) error {
	var text string
	if err := r.text(&text, value); err != nil {
		return err
	}
	all, err := ParseAddresses(text)
	if err != nil {
		return fmt.Errorf("%s: %w", r.Key, err)
	}
	*to = all
	return nil
}

func (r row) refuse(wanted, value string) error {
	return fmt.Errorf("%s must be %s, this is %q: %w", r.Key, wanted, clip(value), fault.Invalid)
}

func rows() []row { return append(agentRows(), voiceRows()...) }

func agentRows() []row {
	const year = 366 * 24 * 3600
	return []row{
		{Setting{"GAC_SYSTEM", "text", "", "Instructions put before all others. Empty: reply in English unless the customer writes another language."}, 0, 0, func(s *Settings) any { return &s.System }},
		{Setting{"ENABLE_FILLER_PHRASES", "bool", "False", "Say a short phrase while the model takes long."}, 0, 0, func(s *Settings) any { return &s.Fillers }},
		{Setting{"FILLER_PHRASES_WITH_CHAIN", "bool", "False", "Make filler phrases with the model instead of from a list."}, 0, 0, func(s *Settings) any { return &s.FillersChained }},
		{Setting{"REPHRASING_IT_TEXT", "text", "Sorry, I did not get that. Could you put it in other words?", "What the agent says when no valid reply could be made."}, 0, 0, func(s *Settings) any { return &s.Rephrase }},
		{Setting{"START_PHRASE", "text", "", "Greeting in place of the welcome message."}, 0, 0, func(s *Settings) any { return &s.StartPhrase }},
		{Setting{"START_PHRASE_APPENDIX", "text", "", "Added to the greeting."}, 0, 0, func(s *Settings) any { return &s.StartAppendix }},
		{Setting{"START_META", "json", "", "Metadata of the greeting, such as buttons."}, 0, 0, func(s *Settings) any { return &s.StartMeta }},
		{Setting{"SESSION_TIMEOUT", "seconds", "259200", "Without a word from the customer the session ends as user_timeout. 0: never. Calls follow the no-input rule instead."}, 0, year, func(s *Settings) any { return &s.SessionTimeout }},
		{Setting{"SESSION_MAX_DURATION", "seconds", "0", "The session ends as timeout. 0: never."}, 0, year, func(s *Settings) any { return &s.SessionMax }},
		{Setting{"TIMEOUT_MESSAGE", "text", "", "Said when a session times out."}, 0, 0, func(s *Settings) any { return &s.TimeoutMessage }},
		{Setting{"MAX_MESSAGE_CHARS", "int", "8000", "Longer messages are refused."}, 1, 100_000, func(s *Settings) any { return &s.MaxMessage }},
		{Setting{"MAX_TOOL_CALLS_PER_TURN", "int", "5", "Further calls of one turn are refused."}, 0, 100, func(s *Settings) any { return &s.ToolsPerTurn }},
		{Setting{"MAX_TOOL_CALLS_PER_SESSION", "int", "50", "Further calls of one session are refused."}, 0, 10_000, func(s *Settings) any { return &s.ToolsPerSession }},
		{Setting{"LLM_TEMPERATURE", "number", "0.3", "How freely the model chooses its words."}, 0, 2, func(s *Settings) any { return &s.Temperature }},
		{Setting{"LLM_MAX_TOKENS", "int", "1024", "Longest reply of the model."}, 1, 200_000, func(s *Settings) any { return &s.MaxTokens }},
		{Setting{"LLM_FIRST_TOKEN_TIMEOUT_MS", "milliseconds", "2500", "Then the fallback model is asked."}, 1, 600_000, func(s *Settings) any { return &s.FirstToken }},
		{Setting{"LLM_TIMEOUT_MS", "milliseconds", "20000", "Longest time of one answer of the model."}, 1, 600_000, func(s *Settings) any { return &s.ModelTimeout }},
		{Setting{"HISTORY_MAX_MESSAGES", "int", "60", "How many of the newest messages the model sees."}, 1, 1000, func(s *Settings) any { return &s.History }},
		{Setting{"RAG_TOP_K", "int", "6", "Passages of knowledge shown to the model."}, 0, 50, func(s *Settings) any { return &s.TopK }},
		{Setting{"RAG_MIN_SCORE", "number", "0.25", "Passages that fit worse are not shown."}, 0, 1, func(s *Settings) any { return &s.MinScore }},
		{Setting{"OPERATOR_WAIT_SECONDS", "seconds", "600", "No operator took the session: the agent resumes."}, 0, year, func(s *Settings) any { return &s.OperatorWait }},
		{Setting{"RESULTS_EMAIL_TO", "text", "", "Where the conversation results are sent once at the close, an e-mail address or several between commas. Empty: nowhere."}, 0, 2000, func(s *Settings) any { return &s.ResultsEmailTo }},
		{Setting{"OPERATOR_UNAVAILABLE_TEXT", "text", "All of my colleagues are busy right now. Somebody will answer you here as soon as possible.", "Said after a hand-over while no operator is on duty."}, 0, 0, func(s *Settings) any { return &s.OperatorUnavailable }},
		{Setting{"SHOW_THOUGHTS", "bool", "False", "Show the customer what the agent does meanwhile."}, 0, 0, func(s *Settings) any { return &s.ShowThoughts }},
	}
}

func voiceRows() []row {
	return []row{
		{Setting{"VOICE_RECORD", "bool", "False", "Record calls, stereo."}, 0, 0, func(s *Settings) any { return &s.Record }},
		{Setting{"VOICE_RECORD_NOTICE", "text", "", "Spoken before the greeting when calls are recorded."}, 0, 0, func(s *Settings) any { return &s.RecordNotice }},
		{Setting{"VOICE_TTS_VOICE", "text", "", "Name of the voice. Empty: the provider's own."}, 0, 0, func(s *Settings) any { return &s.TTSVoice }},
		{Setting{"VOICE_LANGUAGE", "text", "", "Language of the conversation, as a tag such as en or de-AT."}, 0, 35, func(s *Settings) any { return &s.Language }},
		{Setting{"VOICE_NO_INPUT_TEXT", "text", "Are you still there?", "Said when the caller is silent."}, 0, 0, func(s *Settings) any { return &s.NoInputText }},
		{Setting{"VOICE_NOISE_SUPPRESSION", "auto|on|off", "auto", "Take steady noise from the line before the recogniser hears it. auto: for the built-in one."}, 0, 0, func(s *Settings) any { return &s.NoiseSuppression }},
		{Setting{"VOICE_AMD", "bool", "True", "Outbound calls: tell answering machines from people."}, 0, 0, func(s *Settings) any { return &s.AMD }},
		{Setting{"VOICE_VOICEMAIL_ACTION", "hangup|message", "hangup", "What to do with an answering machine."}, 0, 0, func(s *Settings) any { return &s.VoicemailAction }},
		{Setting{"VOICE_VOICEMAIL_MESSAGE", "text", "", "Spoken to an answering machine."}, 0, 0, func(s *Settings) any { return &s.VoicemailMessage }},
		{Setting{"VOICE_TRANSFER_TARGETS", "json", "", "Where calls may be transferred: name to number or SIP URI."}, 0, 0, func(s *Settings) any { return &s.TransferTargets }},
		{Setting{"VOICE_TRANSFER_MODE", "blind|attended|warm", "blind", "How calls are transferred: blind lets the other end dial, attended dials first, warm tells the person what it is about and stays in between."}, 0, 0, func(s *Settings) any { return &s.TransferMode }},
	}
}
