package api

import (
	"encoding/json"
	"maps"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"flametree/engine/event"
	"flametree/gateway/auth"
)

// value is any JSON value, kept byte for byte: large whole numbers survive.
type value json.RawMessage

// MarshalJSON implements json.Marshaler.
func (v value) MarshalJSON() ([]byte, error) { return json.RawMessage(v).MarshalJSON() }

// UnmarshalJSON implements json.Unmarshaler.
func (v *value) UnmarshalJSON(b []byte) error { return (*json.RawMessage)(v).UnmarshalJSON(b) }

// Schema implements huma.SchemaProvider.
func (value) Schema(huma.Registry) *huma.Schema { return &huma.Schema{} }

// object is a JSON object of any values.
type object map[string]json.RawMessage

// Schema implements huma.SchemaProvider.
func (object) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Nullable: true}
}

// userInfo is what a browser says of itself; more keys than the documented ones
// are kept.
type userInfo map[string]json.RawMessage

// Schema implements huma.SchemaProvider.
func (userInfo) Schema(huma.Registry) *huma.Schema {
	long, zero := 1000, 0.0
	text := func() *huma.Schema { return &huma.Schema{Type: huma.TypeString, MaxLength: &long, Nullable: true} }
	size := func() *huma.Schema { return &huma.Schema{Type: huma.TypeInteger, Minimum: &zero, Nullable: true} }
	return &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: true, Nullable: true,
		Properties: map[string]*huma.Schema{
			"userAgent": text(), "language": text(), "platform": text(),
			"screenWidth": size(), "screenHeight": size(),
			"isMobile": {Type: huma.TypeBoolean, Nullable: true},
		},
	}
}

// createBody is POST …/session. Keys we do not know are ignored, because
// clients of the documented API send them.
type createBody struct {
	_        struct{} `json:"-" additionalProperties:"true"`
	UserID   string   `json:"user_id" minLength:"1" maxLength:"256" doc:"Your id of the customer."`
	Name     *string  `json:"name" required:"false" maxLength:"256"`
	Email    *string  `json:"email" required:"false" maxLength:"320"`
	Phone    *string  `json:"phone" required:"false" maxLength:"64"`
	Type     *string  `json:"type" required:"false" default:"web" enum:"web,mobile,telegram,whatsapp,email,sip,facebook,instagram,sms,intercom" doc:"Where the customer is (ext_type)."`
	Language *string  `json:"language" required:"false" maxLength:"35" doc:"BCP 47, such as en or ar-EG."`
	Args     []value  `json:"args" required:"false" maxItems:"100"`
	Kwargs   object   `json:"kwargs" required:"false" doc:"Your own parameters of the session."`
	UserInfo userInfo `json:"user_info" required:"false" doc:"What the browser says of itself."`
}

func (b createBody) session(key string) NewSession {
	n := NewSession{
		UserID: b.UserID, Name: deref(b.Name), Email: deref(b.Email), Phone: deref(b.Phone),
		Type: deref(b.Type), Language: deref(b.Language), Kwargs: b.Kwargs, UserInfo: b.UserInfo, IdempotencyKey: key,
	}
	if n.Type == "" {
		n.Type = "web"
	}
	for _, a := range b.Args {
		n.Args = append(n.Args, json.RawMessage(a))
	}
	return n
}

// updateBody is PUT …/session/{id}; null and absent are unchanged, "" clears.
type updateBody struct {
	_        struct{} `json:"-" additionalProperties:"true"`
	Name     *string  `json:"name" required:"false" maxLength:"256"`
	Email    *string  `json:"email" required:"false" maxLength:"320"`
	Phone    *string  `json:"phone" required:"false" maxLength:"64"`
	Language *string  `json:"language" required:"false" maxLength:"35"`
	Kwargs   object   `json:"kwargs" required:"false" doc:"Replaces values of the same key."`
}

// endBody is the optional body of DELETE …/session/{id}.
type endBody struct {
	Status *string `json:"status" required:"false" doc:"How the session ended; completed when absent."`
}

// TransformSchema writes the statuses into the schema from the one list of them.
func (endBody) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	for _, st := range event.Statuses() {
		s.Properties["status"].Enum = append(s.Properties["status"].Enum, string(st))
	}
	s.Properties["status"].Default = string(event.Completed)
	s.PrecomputeMessages()
	return s
}

// sessionBody is a session as it is answered: unset is null.
type sessionBody struct {
	SessionID      string   `json:"session_id"`
	SessionType    string   `json:"session_type" doc:"Always custom_stateful."`
	Mode           string   `json:"mode" enum:"REGULAR,OPERATOR,COPILOT"`
	ConversationID *string  `json:"conversation_id"`
	ExtType        *string  `json:"ext_type"`
	UserID         *string  `json:"user_id"`
	Name           *string  `json:"name"`
	Email          *string  `json:"email"`
	Phone          *string  `json:"phone"`
	ChannelID      *string  `json:"channel_id"`
	Timeout        *float64 `json:"timeout" doc:"Seconds without a message until the session closes itself."`
	GreetingText   *string  `json:"greeting_text"`
	InboundPhrase  *string  `json:"inbound_phrase"`
	StartPhrase    *string  `json:"start_phrase"`
	Language       *string  `json:"language"`
	LLMBackend     *string  `json:"llm_backend"`
	ShowThoughts   bool     `json:"show_thoughts"`
	Results        object   `json:"conversation_result"`
	OperatorID     *string  `json:"operator_id"`
	OperatorName   *string  `json:"operator_name"`
	EnvInfo        envInfo  `json:"env_info"`
	Kwargs         object   `json:"kwargs" doc:"As given, with tenant_id added."`
	CloseTime      *float64 `json:"close_time" doc:"Seconds since 1970, with fractions."`
	VoiceName      *string  `json:"voice_name"`
}

type envInfo struct {
	CurrentDate string `json:"current_date" doc:"Such as 2025-06-26 Thu."`
	TenantID    string `json:"tenant_id"`
}

func render(a auth.Agent, s Session) sessionBody {
	b := sessionBody{
		SessionID: s.ID, SessionType: "custom_stateful", Mode: s.Mode, ConversationID: null(s.ConversationID),
		ExtType: null(s.ExtType), UserID: null(s.UserID), Name: null(s.Name), Email: null(s.Email), Phone: null(s.Phone),
		ChannelID: null(s.ChannelID), GreetingText: null(s.Greeting), InboundPhrase: null(s.InboundPhrase),
		StartPhrase: null(s.StartPhrase), Language: null(s.Language), LLMBackend: null(s.LLMBackend),
		ShowThoughts: s.ShowThoughts, Results: s.Results, OperatorID: null(s.OperatorID), OperatorName: null(s.OperatorName),
		EnvInfo: envInfo{CurrentDate: s.Created.Format("2006-01-02 Mon"), TenantID: a.Tenant.String()},
		Kwargs:  object{}, VoiceName: null(s.Voice),
	}
	maps.Copy(b.Kwargs, s.Kwargs)
	b.Kwargs["tenant_id"] = json.RawMessage(`"` + a.Tenant.String() + `"`)
	if s.Timeout > 0 {
		t := s.Timeout.Seconds()
		b.Timeout = &t
	}
	if !s.Closes.IsZero() {
		t := float64(s.Closes.UnixMicro()) / float64(time.Second/time.Microsecond)
		b.CloseTime = &t
	}
	return b
}

// replyBody is the answer of run_v2.
type replyBody struct {
	Response string    `json:"response"`
	Metadata replyMeta `json:"metadata"`
}

type replyMeta struct {
	Mode    string   `json:"mode" enum:"REGULAR,OPERATOR,COPILOT"`
	Options []string `json:"options,omitempty" nullable:"false" doc:"Buttons the agent offers, when it does."`
}

func null(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
