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

// Types lists the types of connections there are.
func Types() []string { return []string{SIP, Twilio} }

// Field describes one setting for commands, the API and the portal.
type Field struct {
	Key     string
	Kind    string // text secret bool int, or its choices joined by |
	Need    bool
	Default string
	Meaning string
}

// Fields lists the settings of a type of connection in the order a form shows
// them; none for a type there is not.
func Fields(kind string) []Field {
	switch kind {
	case SIP:
		return SIPFields()
	case Twilio:
		return TwilioFields()
	}
	return nil
}

// check completes settings with their defaults and finds what is wrong with
// them, all of it at once.
func check(kind string, saved *event.ConnectionSaved) error {
	fields := Fields(kind)
	wrong := strangers(fields, saved)
	var all []event.Pair
	for _, f := range fields {
		if f.Kind == "secret" {
			if f.Need && !kept(saved, f.Key) {
				wrong = append(wrong, f.Key+": is needed")
			}
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
	if kind == SIP && find(all, "register") == "true" && !kept(saved, "password") {
		wrong = append(wrong, "password: needed to register; set register to false for a trunk without a password")
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s: %w", strings.Join(wrong, "; "), fault.Invalid)
	}
	saved.Settings = all
	return nil
}

// strangers are settings and secrets that are not of this type.
func strangers(fields []Field, saved *event.ConnectionSaved) []string {
	var wrong []string
	known := func(key string, secret bool) bool {
		return slices.ContainsFunc(fields, func(f Field) bool { return f.Key == key && (f.Kind == "secret") == secret })
	}
	for _, p := range saved.Settings {
		if !known(p.Key, false) {
			wrong = append(wrong, p.Key+": there is no such setting")
		}
	}
	for _, p := range saved.Secrets {
		if !known(p.Key, true) {
			wrong = append(wrong, p.Key+": there is no such secret")
		}
		if strings.ContainsAny(p.Value.Text, "\r\n\x00") || len(p.Value.Text) > 255 {
			wrong = append(wrong, p.Key+": at most 255 characters on one line")
		}
	}
	return wrong
}

// kept says that a secret is there.
func kept(saved *event.ConnectionSaved, key string) bool {
	return slices.ContainsFunc(saved.Secrets, func(p event.PrivatePair) bool {
		return p.Key == key && (p.Value.Text != "" || p.Value.Erased)
	})
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
	case "account_sid", "phone_number", "edge", "voice_model", "speech_model":
		return f.twilio(value)
	case "domain", "proxy":
		if strings.ContainsAny(value, " /@;?") {
			return "must be a host, or host:port"
		}
	case "user", "login":
		if strings.ContainsAny(value, " @;?") && f.Key == "user" {
			return "must be a user without @"
		}
	case "sources", "destinations", "codecs":
		for part := range strings.SplitSeq(value, ",") {
			if why := f.part(strings.TrimSpace(part)); why != "" {
				return why
			}
		}
	case "country":
		if len(value) != 2 || strings.ToUpper(value) != value {
			return "must be two capital letters such as GB"
		}
	}
	return ""
}

// part says why one part of a list will not do.
func (f Field) part(text string) string {
	switch f.Key {
	case "sources":
		if _, err := netip.ParsePrefix(text); err == nil {
			return ""
		}
		if _, err := netip.ParseAddr(text); err != nil {
			return fmt.Sprintf("%q is neither an address nor a network", text)
		}
	case "destinations":
		if digits, ok := strings.CutPrefix(text, "+"); !ok || digits == "" || strings.Trim(digits, "0123456789") != "" {
			return fmt.Sprintf("%q is not a prefix such as +44", text)
		}
	case "codecs":
		if !slices.Contains([]string{"opus", "G722", "PCMA", "PCMU"}, text) {
			return fmt.Sprintf("%q is not one of opus, G722, PCMA, PCMU", text)
		}
	}
	return ""
}
