package connection

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"flametree/engine/event"
	"flametree/engine/fault"
)

// SIP is the type of telephone connections.
const SIP = "sip"

// Field describes one setting for commands, the API and the portal.
type Field struct {
	Key     string
	Kind    string // text secret bool int, or its choices joined by |
	Need    bool
	Default string
	Meaning string
}

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
		{Key: "premium", Kind: "bool", Default: "false", Meaning: "also call premium-rate, shared-cost and satellite numbers"},
	}
}

// checkSIP completes settings with their defaults and finds what is wrong with
// them, all of it at once.
func checkSIP(saved *event.ConnectionSaved) error {
	var wrong []string
	fields := SIPFields()
	for _, p := range saved.Settings {
		if !slices.ContainsFunc(fields, func(f Field) bool { return f.Key == p.Key && f.Kind != "secret" }) {
			wrong = append(wrong, p.Key+": there is no such setting")
		}
	}
	for _, p := range saved.Secrets {
		if !slices.ContainsFunc(fields, func(f Field) bool { return f.Key == p.Key && f.Kind == "secret" }) {
			wrong = append(wrong, p.Key+": there is no such secret")
		}
		if strings.ContainsAny(p.Value.Text, "\r\n\x00") || len(p.Value.Text) > 255 {
			wrong = append(wrong, p.Key+": at most 255 characters on one line")
		}
	}
	var all []event.Pair
	for _, f := range fields {
		if f.Kind == "secret" {
			continue
		}
		value := strings.TrimSpace(find(saved.Settings, f.Key))
		if value == "" {
			value = f.Default
		}
		if why := f.refuse(value); why != "" {
			wrong = append(wrong, f.Key+": "+why)
		}
		all = append(all, event.Pair{Key: f.Key, Value: value})
	}
	if find(all, "register") == "true" && !slices.ContainsFunc(saved.Secrets, func(p event.PrivatePair) bool {
		return p.Key == "password" && (p.Value.Text != "" || p.Value.Erased)
	}) {
		wrong = append(wrong, "password: needed to register; set register to false for a trunk without a password")
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s: %w", strings.Join(wrong, "; "), fault.Invalid)
	}
	saved.Settings = all
	return nil
}

// refuse says why a value will not do, "" if it will.
func (f Field) refuse(value string) string {
	switch {
	case value == "" && f.Need:
		return "is needed"
	case value == "":
		return ""
	case len(value) > 1000 || strings.ContainsAny(value, "\r\n\x00\"<>\\"):
		return "at most 1000 characters on one line, without quotes or angle brackets"
	}
	switch f.Kind {
	case "bool":
		if value != "true" && value != "false" {
			return "must be true or false"
		}
	case "int":
		if n, err := strconv.Atoi(value); err != nil || n < 0 || n > 100_000 {
			return "must be a number from 0 to 100000"
		}
	case "text":
		return f.text(value)
	default:
		if !slices.Contains(strings.Split(f.Kind, "|"), value) {
			return "must be one of " + strings.ReplaceAll(f.Kind, "|", ", ")
		}
	}
	return ""
}

func (f Field) text(value string) string {
	switch f.Key {
	case "domain", "proxy":
		if strings.ContainsAny(value, " /@;?") {
			return "must be a host, or host:port"
		}
	case "user", "login":
		if strings.ContainsAny(value, " @;?") && f.Key == "user" {
			return "must be a user without @"
		}
	case "sources":
		for part := range strings.SplitSeq(value, ",") {
			part = strings.TrimSpace(part)
			if _, err := netip.ParsePrefix(part); err == nil {
				continue
			}
			if _, err := netip.ParseAddr(part); err != nil {
				return fmt.Sprintf("%q is neither an address nor a network", part)
			}
		}
	case "destinations":
		for part := range strings.SplitSeq(value, ",") {
			if digits, ok := strings.CutPrefix(strings.TrimSpace(part), "+"); !ok || digits == "" || strings.Trim(digits, "0123456789") != "" {
				return fmt.Sprintf("%q is not a prefix such as +44", strings.TrimSpace(part))
			}
		}
	case "codecs":
		for part := range strings.SplitSeq(value, ",") {
			if !slices.Contains([]string{"opus", "G722", "PCMA", "PCMU"}, strings.TrimSpace(part)) {
				return fmt.Sprintf("%q is not one of opus, G722, PCMA, PCMU", strings.TrimSpace(part))
			}
		}
	case "country":
		if len(value) != 2 || strings.ToUpper(value) != value {
			return "must be two capital letters such as GB"
		}
	}
	return ""
}
