package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// set reads one setting of telephony.
func (p *Phone) set(key, text string) error {
	switch key {
	case "sip.listen":
		p.Listen = fields(text)
		for _, one := range p.Listen {
			scheme, at, _ := strings.Cut(one, "://")
			if !slices.Contains([]string{"udp", "tcp", "tls", "ws", "wss"}, scheme) {
				return fmt.Errorf("%q is not udp://, tcp://, tls://, ws:// or wss:// with IP:PORT", one)
			}
			if _, err := netip.ParseAddrPort(at); err != nil {
				return fmt.Errorf("%q: %q is not IP:PORT", one, at)
			}
		}
	case "sip.tls-cert":
		p.Cert = text
	case "sip.tls-key":
		p.Key = text
	case "sip.tls-clients":
		p.Clients = text
	case "sip.tls-roots":
		p.Roots = text
	case "sip.srtp":
		p.SRTP = text
		return among(text, "off", "optional", "required")
	case "sip.codecs":
		p.Codecs = fields(text)
		for _, one := range p.Codecs {
			if err := among(one, "opus", "G722", "PCMU", "PCMA"); err != nil {
				return err
			}
		}
	case "sip.admit":
		p.Admit = text
		return among(text, "open", "trunks")
	}
	return nil
}

// fields are the parts of a list between commas.
func fields(text string) []string {
	var out []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

func among(text string, choices ...string) error {
	if slices.Contains(choices, text) {
		return nil
	}
	return fmt.Errorf("%q is not one of %s", text, strings.Join(choices, ", "))
}
