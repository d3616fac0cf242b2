package connection

import "strings"

// Twilio is the type of connections to a number at Twilio.
const Twilio = "twilio"

// TwilioFields lists the settings of a Twilio connection, in the order a form
// shows them. Empty region and edge are us1 and ashburn (spec 9).
func TwilioFields() []Field {
	return []Field{
		{Key: "account_sid", Kind: "text", Need: true, Meaning: "the account, AC and 32 digits"},
		{Key: "auth_token", Kind: "secret", Need: true, Meaning: "the account's auth token: it signs what Twilio asks and authorises what we ask"},
		{Key: "phone_number", Kind: "text", Need: true, Meaning: "the number at Twilio, such as +442079460018: it is called, and people who are called see it"},
		{Key: "voice_model", Kind: "text", Meaning: "voice of Twilio's own speech, such as Polly.Salli"},
		{Key: "speech_model", Kind: "text", Meaning: "recogniser of Twilio's own speech, such as googlev2_telephony"},
		{Key: "region", Kind: "us1|ie1|au1|de1|sg1", Default: "us1", Meaning: "where Twilio keeps the calls"},
		{Key: "edge", Kind: "text", Default: "ashburn", Meaning: "where calls and requests enter Twilio, such as ashburn, dublin or tokyo"},
		{Key: "speech", Kind: "twilio|ours", Default: "twilio", Meaning: "who hears and speaks: Twilio, or the agent's own speech models"},
		{Key: "max_calls", Kind: "int", Default: "0", Meaning: "calls at once, both ways; 0 = no limit of its own"},
		{Key: "calls_per_second", Kind: "int", Default: "1", Meaning: "how fast calls are placed"},
		{Key: "country", Kind: "text", Meaning: "region of numbers without a country code, such as GB"},
		{Key: "destinations", Kind: "text", Meaning: "prefixes that may be called, such as +44,+1; empty = any ordinary number"},
		{Key: "premium", Kind: "bool", Default: "false", Meaning: "also call premium-rate, shared-cost and satellite numbers"},
	}
}

// twilio says why a text of this type will not do, "" if it will.
func (f Field) twilio(value string) string {
	switch f.Key {
	case "account_sid":
		if len(value) != 34 || !strings.HasPrefix(value, "AC") || strings.Trim(value[2:], "0123456789abcdef") != "" {
			return "must be AC and 32 digits or letters a-f, as the console shows it"
		}
	case "phone_number":
		if len(value) < 8 || len(value) > 16 || value[0] != '+' || value[1] == '0' || strings.Trim(value[1:], "0123456789") != "" {
			return "must be a number with its country code, such as +442079460018 (E.164)"
		}
	case "edge": // it becomes part of a host's name
		if len(value) > 32 || strings.Trim(value, "abcdefghijklmnopqrstuvwxyz-0123456789") != "" || strings.Trim(value, "-") != value {
			return "must be the name of an edge, such as ashburn, dublin or tokyo"
		}
	case "voice_model", "speech_model":
		if len(value) > 100 || strings.ContainsAny(value, " &'") {
			return "must be the name of a model, without spaces"
		}
	}
	return ""
}
