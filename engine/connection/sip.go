package connection

// SIP is the type of telephone connections.
const SIP = "sip"

// SIPFields lists the settings of a SIP connection, in the order a form shows them.
func SIPFields() []Field {
	return []Field{
		{Key: "domain", Kind: "text", Need: true, Meaning: "host of the PBX or provider, with :port where it is not the usual one"},
		{Key: "user", Kind: "text", Need: true, Meaning: "the account's user, or the number"},
		{Key: "password", Kind: "secret", Meaning: "the account's password; needed to register"},
		{Key: "login", Kind: "text", Meaning: "name to log in with, where it differs from the user"},
		{Key: "caller_id", Kind: "text", Meaning: "number or name that people who are called see"},
		{Key: "register", Kind: "bool", Default: "true", Meaning: "register with the provider; off for trunks that know our address"},
		{Key: "expires", Kind: "int", Default: "300", Meaning: "seconds a registration is asked for"},
		{Key: "proxy", Kind: "text", Meaning: "host:port that all requests go through"},
		{Key: "transport", Kind: "udp|tcp|tls", Default: "udp", Meaning: "how SIP travels"},
		{Key: "srtp", Kind: "off|optional|required", Default: "off", Meaning: "whether sound is encrypted"},
		{Key: "codecs", Kind: "text", Meaning: "codecs in the order they are offered, such as opus,G722,PCMA"},
		{Key: "sources", Kind: "text", Meaning: "addresses or networks calls of a trunk come from, between commas"},
		{Key: "max_calls", Kind: "int", Default: "0", Meaning: "calls at once, both ways; 0 = no limit of its own"},
		{Key: "calls_per_second", Kind: "int", Default: "5", Meaning: "how fast calls are placed"},
		{Key: "country", Kind: "text", Meaning: "region of numbers without a country code, such as GB"},
		{Key: "destinations", Kind: "text", Meaning: "prefixes that may be called, such as +44,+1; empty = any ordinary number"},
		{Key: "refer", Kind: "bool", Default: "false", Meaning: "let who is on a call have us call somebody in his place (REFER)"},
		{Key: "premium", Kind: "bool", Default: "false", Meaning: "also call premium-rate, shared-cost and satellite numbers"},
	}
}
