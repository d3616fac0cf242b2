package agent

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/turn"
)

const connected = `name: Shop
type: inbound_text
handoff: {allow: true, conditions: the human is angry}
show_rag_sources: true
require_publish: true
default_operators: [ann@shop.example, bob@shop.example]
copilot_hours: [mon-fri 09:00-18:00, "sat,sun 10:00-24:00"]
push: {url: https://shop.example/hook, secret_env: PUSH_SECRET}
guardrails: |
  - name: no_advice
    kind: GuardrailConfig
knowledge:
  faq_mode: vector
  faqs: [{question: Open?, answer: Always.}]
  files: [prices.pdf]
  websites:
    - https://shop.example
    - {url: https://blog.shop.example/, depth: 2, pages: 50}
  youtube: https://youtube.com/@shop
  sources: [Terms]
catalogs: [Summer, {path: catalog.yaml}]
tool_groups:
  - CRM
  - name: ERP
    path: tools/erp.yaml
    env: {ERP_URL: https://erp.example, ERP_KEY: {value: k-123456, secret: true}}
mcp:
  - name: Weather
    description: forecasts
    code: WEATHER
    endpoint: https://weather.example/mcp
    transport: streamable_http
    auth: {kind: header, header: X-Key, value_env: WEATHER_KEY}
    rename: {prefix: w_, suffix: _x, replace: [{from: get, to: read}]}
    include: [get_forecast]
    exclude: [get_secret]
  - {name: Files, code: FILES, endpoint: python3 server.py, transport: stdio}
openapi:
  - name: Orders
    document: orders.json
    operations: [getOrder, cancelOrder]
    auth: {kind: bearer, value_env: ORDERS_TOKEN}
    base_url: https://api.shop.example
verification: {tool: VerifyPin}
models:
  embedder: hashed
workflow:
  - name: A
    init_state: true
    available_tools: [SendChatMessage, CheckStock]
    init_skills: [Load]
env:
  ORDERS_TOKEN: {value: t-98765432, secret: true}
  LLM_TIMEOUT_MS: {value: 1500}
  RESULTS_EMAIL_TO: sales@shop.example
  OPERATOR_WAIT_SECONDS: 60
`

func TestParseReadsWhatAnAgentIsConnectedTo(t *testing.T) {
	s, warnings, err := Parse([]byte(connected))
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Equal(t, Handoff{Allow: true, Conditions: "the human is angry"}, s.Handoff)
	require.True(t, s.ShowSources)
	require.True(t, s.RequirePublish)
	require.Equal(t, []string{"ann@shop.example", "bob@shop.example"}, s.Operators)
	require.Equal(t, Push{URL: "https://shop.example/hook", SecretEnv: "PUSH_SECRET"}, s.Push)
	require.Equal(t, "no_advice", s.Guardrails.Items[0].Get("name").Text)
	require.Equal(t, 10, s.Guardrails.Items[0].Line, "placed in the file, out of a block")
	require.Equal(t, FAQVector, s.FAQMode)
	require.Equal(t, []string{"prices.pdf"}, s.Files)
	require.Equal(t, []Website{{URL: "https://shop.example"}, {URL: "https://blog.shop.example/", Depth: 2, Pages: 50}}, s.Websites)
	require.Equal(t, []string{"https://youtube.com/@shop"}, s.YouTube)
	require.Equal(t, []string{"Terms"}, s.Library)
	require.Equal(t, []Catalog{{Name: "Summer"}, {Path: "catalog.yaml"}}, s.Catalogs)
	require.Equal(t, []ToolGroup{{Name: "CRM"}, {
		Name: "ERP", Path: "tools/erp.yaml", Secrets: []string{"ERP_KEY"},
		Env: []event.Pair{{Key: "ERP_URL", Value: "https://erp.example"}, {Key: "ERP_KEY", Value: "k-123456"}},
	}}, s.ToolGroups)
	require.Equal(t, []MCPServer{
		{
			Name: "Weather", Description: "forecasts", Code: "WEATHER", Endpoint: "https://weather.example/mcp", Transport: "streamable_http",
			Auth:    Auth{Kind: "header", Header: "X-Key", ValueEnv: "WEATHER_KEY"},
			Rename:  Rename{Prefix: "w_", Suffix: "_x", Replace: []Replacement{{From: "get", To: "read"}}},
			Include: []string{"get_forecast"}, Exclude: []string{"get_secret"},
		},
		{Name: "Files", Code: "FILES", Endpoint: "python3 server.py", Transport: "stdio"},
	}, s.MCP)
	require.Equal(t, []OpenAPI{{
		Name: "Orders", Document: "orders.json", Operations: []string{"getOrder", "cancelOrder"},
		Auth: Auth{Kind: "bearer", ValueEnv: "ORDERS_TOKEN"}, BaseURL: "https://api.shop.example",
	}}, s.OpenAPI)
	require.Equal(t, Model{Provider: "hashed"}, s.Embedder)
	require.Equal(t, []string{"SendChatMessage", "CheckStock", "VerifyPin"}, s.Tools())
	require.Equal(t, []string{"Load"}, s.Skills())
	require.True(t, s.Secret("ORDERS_TOKEN"))
	require.False(t, s.Secret("LLM_TIMEOUT_MS"))
	require.Equal(t, 1500*time.Millisecond, s.Settings.ModelTimeout)
	require.Equal(t, Addresses{"sales@shop.example"}, s.Settings.ResultsEmailTo)
	require.Equal(t, time.Minute, s.Settings.OperatorWait)
	require.NotEmpty(t, s.Settings.OperatorUnavailable)
}

func TestConnectionsThatCannotBeAreFaults(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"website that is none":      {"knowledge: {websites: [shop]}", `file 2:24: a website needs an http or https address, this is "shop"`},
		"video that is none":        {"knowledge: {youtube: [x]}", `file 2:23: youtube needs the address of a video or channel, this is "x"`},
		"unknown FAQ mode":          {"knowledge: {faq_mode: vektor}", `file 2:23: faq_mode must be one of auto, prompt, vector, this is "vektor", did you mean "vector"?`},
		"catalogue without name":    {"catalogs: [{}]", "file 2:12: a catalogue needs a name or a path"},
		"group without name":        {"tool_groups: [{env: {A: b}}]", "file 2:15: a tool group needs a name or a path"},
		"group twice":               {"tool_groups: [A, A]", `file 2:18: the tool group "A" is listed already`},
		"group's variable, a list":  {"tool_groups: [{name: A, env: {X: [1]}}]", "file 2:34: X must be a text, this is a list"},
		"MCP code with a dash":      {"mcp: [{name: a, code: a-b, endpoint: 'https://x.example', transport: http_sse}]", `file 2:23: code "a-b": letters and digits only`},
		"MCP code twice":            {"mcp:\n  - {name: a, code: A, endpoint: 'https://x.example'}\n  - {name: b, code: a, endpoint: 'https://y.example'}", `file 4:21: code "a" belongs to another MCP server of this agent`},
		"MCP without endpoint":      {"mcp: [{name: a, code: A}]", "file 2:7: an MCP server needs an endpoint"},
		"MCP command, no stdio":     {"mcp: [{name: a, code: A, endpoint: run me}]", "file 2:36: endpoint must be an http or https address; a start command needs transport: stdio"},
		"MCP address, stdio":        {"mcp: [{name: a, code: A, transport: stdio, endpoint: 'https://x.example'}]", "file 2:54: the transport stdio needs a start command, not an address"},
		"auth without its variable": {"openapi: [{name: a, document: d, auth: {kind: bearer}}]", "file 2:40: auth of kind bearer needs value_env: the name of the variable that holds the value"},
		"auth with the value":       {"openapi: [{name: a, document: d, auth: {kind: bearer, value_env: sk-abc}}]", "file 2:66: value_env must name an environment variable: letters, digits and _ only; the key itself does not belong into the file\nfile 2:40: auth of kind bearer needs value_env: the name of the variable that holds the value"},
		"header without a name":     {"openapi: [{name: a, document: d, auth: {kind: header, value_env: K}}]", "file 2:40: auth of kind header needs a header"},
		"header with a line break":  {"openapi: [{name: a, document: d, auth: {kind: header, value_env: K, header: \"X\\r\\nY: z\"}}]", "file 2:77: a header's name has letters, digits and - only"},
		"document missing":          {"openapi: [{name: a}]", `file 2:11: the OpenAPI tools "a" need a document: a path or an address`},
		"too many operations":       {"openapi: [{name: a, document: d, operations: [" + strings.Repeat("x,", 50) + "x]}]", "file 2:46: at most 50 operations of a document become tools, these are 51"},
		"hours that are none":       {"copilot_hours: always", `file 2:16: copilot_hours must be days and a time, like "mon-fri 09:00-18:00", this is "always"`},
		"hours that go backwards":   {"copilot_hours: [mon 18:00-09:00]", `file 2:17: copilot_hours must be days and a time, like "mon-fri 09:00-18:00", this is "mon 18:00-09:00"`},
		"push without address":      {"push: {secret_env: A}", "file 2:7: push needs a url"},
		"too many sites":            {"knowledge: {files: [" + strings.Repeat("x,", MaxListed) + "x]}", "file 2:421: files has 201 entries; 200 are allowed"},
		"condition that is none":    {"workflow:\n  - name: A\n    init_state: true\n    transitions:\n      - {trigger: results_updated, next_state: END, condition: results.A = 1}", `file 6:74: condition: write "==" in place of "="`},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Parse([]byte("name: x\n" + c.text + "\n"))
			require.ErrorIs(t, err, fault.Invalid)
			require.ElementsMatch(t, strings.Split(c.want, "\n"), strings.Split(err.Error(), "\n"))
		})
	}
}

// The value of a secret stands in a wrong place, has a wrong type, or belongs
// to a variable nobody knows: no message repeats it.
func TestSecretsAreInNoMessage(t *testing.T) {
	const canary = "hunter2-canary"
	for _, text := range []string{
		"env: {LLM_TIMEOUT_MS: {value: " + canary + ", secret: true}}",
		"env: {VOICE_EOT_MS: {value: " + canary + ", secret: true}}",
		"env: {VOICE_TRANSFER_MODE: {secret: true, value: " + canary + "}}",
		"env: {SOME_KEY: {value: " + canary + ", secret: true}}",
		"env: {SOME_KEY: {value: x, secret: " + canary + "}}",
		"env: {SOME_KEY: {value: [" + canary + "], secret: true}}",
		"env: {SOME_KEY: {value: {a: " + canary + "}, secret: true}}",
		"env: {SOME_KEY: {vale: " + canary + ", secret: true}}",
		"tool_groups: [{name: A, env: {K: {value: " + canary + ", secret: tru}}}]",
		"tool_groups: [{name: A, env: {K: {value: [" + canary + "], secret: true}}}]",
		"models: {llm: {provider: p, key_env: " + canary + "}}",
		"mcp: [{name: a, code: A, endpoint: 'https://x.example', auth: {kind: bearer, value_env: " + canary + "}}]",
	} {
		_, warnings, err := Parse([]byte("name: x\n" + text + "\n"))
		for _, w := range warnings {
			require.NotContains(t, w.String(), canary, text)
		}
		if err != nil {
			require.NotContains(t, err.Error(), canary, text)
		}
	}
}

func TestHours(t *testing.T) {
	s, _, err := Parse([]byte(connected))
	require.NoError(t, err)
	at := func(day, hour, minute int) bool { // 2026-11-23 is a Monday
		for _, h := range s.Copilot {
			if h.Covers(time.Date(2026, 11, 22+day, hour, minute, 59, 0, time.UTC)) {
				return true
			}
		}
		return false
	}
	require.True(t, at(1, 9, 0))
	require.False(t, at(1, 8, 59))
	require.True(t, at(5, 17, 59))
	require.False(t, at(5, 18, 0))
	require.True(t, at(6, 23, 59))
	require.False(t, at(7, 9, 0))
	wrapped, ok := parseHours("Saturday-mon 00:00-24:00")
	require.True(t, ok)
	require.Equal(t, []time.Weekday{time.Saturday, time.Sunday, time.Monday}, wrapped.Days)
}

// The names of the documentation, from spec 5, D2, D7, D26, D28 and D31.
func TestEveryDocumentedVariableIsInTheTable(t *testing.T) {
	known := map[string]Variable{}
	for _, v := range Variables() {
		require.NotContains(t, known, v.Key, "once")
		require.NotEmpty(t, v.Type, v.Key)
		require.NotEmpty(t, v.Meaning, v.Key)
		require.NotEmpty(t, v.On, v.Key)
		known[v.Key] = v
	}
	for key, def := range map[string]string{
		"GAC_SYSTEM": "", "ENABLE_FILLER_PHRASES": "False", "FILLER_PHRASES_WITH_CHAIN": "False", "START_PHRASE": "", "START_PHRASE_APPENDIX": "", "START_META": "",
		"SESSION_TIMEOUT": "259200", "SESSION_MAX_DURATION": "0", "TIMEOUT_MESSAGE": "", "MAX_MESSAGE_CHARS": "8000", "MAX_TOOL_CALLS_PER_TURN": "5",
		"MAX_TOOL_CALLS_PER_SESSION": "50", "LLM_TEMPERATURE": "0.3", "LLM_MAX_TOKENS": "1024", "LLM_FIRST_TOKEN_TIMEOUT_MS": "2500", "LLM_TIMEOUT_MS": "20000",
		"HISTORY_MAX_MESSAGES": "60", "RAG_TOP_K": "6", "RAG_MIN_SCORE": "0.25", "SHOW_THOUGHTS": "False", "RESULTS_EMAIL_TO": "", "OPERATOR_WAIT_SECONDS": "600",
		"VOICE_RECORD": "False", "VOICE_AMD": "True", "VOICE_TRANSFER_MODE": "blind", "VOICE_VOICEMAIL_ACTION": "hangup",
		"IMAP_MAILBOX": "INBOX", "SMTP_ATTEMPTS": "5", "SMTP_DELAY": "5", "EMAIL_NAME": "", "FULL_EMAIL_ADDRESS": "", "FROM_TEMPLATE": "{} <{}>", "MESSAGE_CONTENT_TYPE": "text/plain",
		"CHECK_INTERVAL": "15", "EMAIL_RETRY_LIMIT": "3", "EMAIL_MAX_ATTACHMENT_BYTES": "10485760", "FB_REGISTRATION_DELAY": "5.0", "FB_REGISTRATION_COUNT": "20",
		"WA_REGISTRATION_DELAY": "5.0", "WA_REGISTRATION_COUNT": "20", "LOG_WEBHOOK_MESSAGES": "False", "WEBHOOK_MESSAGES_LOGS_DIR": "", "SHOW_VOICE_TRANSCRIPTION": "True",
		"TELEGRAM_SHOW_KEYBOARD_REPLY": "True", "TELEGRAM_ACCEPT_DOCUMENTS": "False", "INFOBIP_SHORT_DOMAIN": "go.flm3.com", "BIRD_TEMPLATE_LOCALE": "", "BIRD_SESSION_TIMEOUT": "86400",
		"IS_OUTBOUND_ONLY": "false", "BIRD_CRON_SUBSCRIPTION_RENEWAL": "0 0 * * *", "BIRD_SENDER_NAME": "AI Agent", "BIRD_WEBHOOK_ADDRESS": "", "FLAMETREE_CALLBACK_URL": "",
		"FLAMETREE_CALLBACK_PORT": "", "EMAIL_SENDER_CHECK": "warn",
	} {
		require.Contains(t, known, key)
		require.Equal(t, def, known[key].Default, key)
	}
	for _, key := range []string{"REPHRASING_IT_TEXT", "OPERATOR_UNAVAILABLE_TEXT", "VOICE_NO_INPUT_TEXT", "BIRD_OUTBOUND_SESSION_IS_ENDED_MESSAGE"} {
		require.NotEmpty(t, known[key].Default, key)
	}
	for name := range strings.FieldsSeq("VAD_START_MS VAD_STOP_MS PREROLL_MS EOT_FINISHED_MS EOT_MS EOT_UNFINISHED_MS EOT_CAP_MS EOT_LEARN EOT_FLOOR_MS EOT_CEILING_MS BARGE_IN DUCK_MS DUCK_DB PAUSE_MS YIELD_MS YIELD_WORDS BACKCHANNEL_MS BACKCHANNEL_WORDS FALSE_INTERRUPTION_MS ECHO_GUARD_MS SPECULATE SPECULATE_STABLE_MS SPECULATE_MAX FILLER_AFTER_MS FILLER_REPEAT_MS FILLER_OFF_BELOW_MS STT_TIMEOUT_MS TTS_FIRST_BYTE_MS WATCHDOG_MS NO_INPUT_TIMEOUT NO_INPUT_PROMPTS NO_INPUT_TEXT MAX_CALL_SECONDS RING_TIMEOUT MEDIA_START_SECONDS MEDIA_LOST_SECONDS AMD AMD_HUMAN_MS AMD_CAP_MS VOICEMAIL_ACTION VOICEMAIL_MESSAGE DTMF DTMF_TERMINATOR DTMF_GAP_MS DTMF_MAX TRANSFER_TARGETS TRANSFER_MODE TRANSFER_TIMEOUT RECORD RECORD_NOTICE TTS_VOICE LANGUAGE") {
		require.Contains(t, known, "VOICE_"+name)
	}
	require.Greater(t, len(known), len(turn.Timers()))
}

func TestAPromptOfTenMegabytesIsRefusedInOneLine(t *testing.T) {
	_, _, err := Parse([]byte("name: x\ntask: " + strings.Repeat("a", 10<<20)))
	require.EqualError(t, err, "file 1:1: an agent file has at most 8 MB, this one has 10")
	_, _, err = Parse([]byte("name: x\ntask: " + strings.Repeat("a", 1<<20)))
	require.ErrorContains(t, err, "file 2:7: task has 1048576 characters; 50000 are allowed")
	require.Less(t, len(err.Error()), 200)
}

// The fragment of the documentation, indented as YAML must be.
func TestTheDocumentsResultsAreRead(t *testing.T) {
	s, warnings, err := Parse([]byte(`name: x
type: inbound_text
knowledge: {core: c}
conversation_result: |
  - field_description: The name of the human
    field_name: HumanFullName
    field_title: Name
    field_type: str
    kind: FormInfoField
  - field_description: Human's contact phone number
    field_name: HumanPhoneNumber
    field_title: Phone
    kind: FormInfoField
  - field_description: The main subject or theme of the conversation, for example, 'product return', 'pricing inquiry', 'technical support'
    field_name: Topic
    field_title: Topic
    kind: FormInfoField
  - field_name: Budget
    field_description: When human speaks about budget
    field_type: Literal['500', '1000', '2000'] # This value type is for the cases when agent is set to search for specific values
    kind: FormInfoField
  - field_name: InterestInDebitCards
    kind: FormInfoField
    field_description: Indicates whether the customer showed interest in debit card tariffs.
`))
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Len(t, s.Results, 5)
	require.Equal(t, []string{"500", "1000", "2000"}, s.Results[3].Options)
}
