package webrtc

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/ice/v4"
	"github.com/pion/sdp/v3"

	"flametree/engine/fault"
)

// Bounds of what a browser may send. A call with sound alone has an offer of 2
// to 6 kB.
const (
	MaxOffer      = 16 << 10 // bytes of SDP
	maxCandidate  = 512      // bytes of one
	mostCandidate = 128      // of one call, in offers and one by one
	mostFormats   = 64
)

// terms are what an offer says about sound.
type terms struct {
	opus       uint8
	format     string // a=fmtp of it
	events     uint8  // telephone-event (RFC 4733); 0 = none
	eventsHz   int
	candidates int
}

func bad(format string, a ...any) error {
	return fmt.Errorf("offer: "+format+": %w", append(a, fault.Invalid)...)
}

// readOffer proves that an offer is one of a call: exactly one line of sound in
// Opus, both ways, over DTLS-SRTP on one port. Its errors are fault.Invalid and
// say what to do.
func readOffer(text string) (terms, error) {
	var t terms
	if len(text) > MaxOffer {
		return t, bad("%d bytes, at most %d are read: offer sound alone", len(text), MaxOffer)
	}
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		return t, bad("this is no SDP (RFC 8866): %.80q", err.Error())
	}
	if len(d.MediaDescriptions) == 0 {
		return t, bad("there is no sound in it: add a track of the microphone")
	}
	m := d.MediaDescriptions[0]
	if len(d.MediaDescriptions) > 1 || m.MediaName.Media != "audio" {
		return t, bad("want one line of audio and nothing else, got %d beginning with %.20q", len(d.MediaDescriptions), m.MediaName.Media)
	}
	if err := t.transport(&d, m); err != nil {
		return t, err
	}
	return t, t.sound(m)
}

// transport checks what the packets travel in.
func (t *terms) transport(d *sdp.SessionDescription, m *sdp.MediaDescription) error {
	if proto := strings.Join(m.MediaName.Protos, "/"); proto != "UDP/TLS/RTP/SAVPF" && proto != "UDP/TLS/RTP/SAVP" {
		return bad("the sound is to go by %.40q, want UDP/TLS/RTP/SAVPF", proto)
	}
	if m.MediaName.Port.Value == 0 {
		return bad("the line of audio is switched off: its port is 0")
	}
	if err := who(d, m); err != nil {
		return err
	}
	if _, ok := m.Attribute("rtcp-mux"); !ok {
		return bad("a=rtcp-mux is missing: sound and reports share one port")
	}
	for _, way := range []string{"recvonly", "sendonly", "inactive"} {
		if _, ok := attribute(d, m, way); ok {
			return bad("a=%s: a call wants sound both ways", way)
		}
	}
	return t.ways(m)
}

// attribute is one of the line of sound, or of all.
func attribute(d *sdp.SessionDescription, m *sdp.MediaDescription, key string) (string, bool) {
	if v, ok := m.Attribute(key); ok {
		return v, true
	}
	return d.Attribute(key)
}

// who checks by what the browser proves that it is itself (RFC 8839, RFC 8122).
func who(d *sdp.SessionDescription, m *sdp.MediaDescription) error {
	of := func(key string) (string, bool) { return attribute(d, m, key) }
	if name, ok := of("ice-ufrag"); !ok || len(name) < 4 || len(name) > 256 {
		return bad("a=ice-ufrag: want 4 to 256 characters")
	}
	if pwd, ok := of("ice-pwd"); !ok || len(pwd) < 22 || len(pwd) > 256 {
		return bad("a=ice-pwd: want 22 to 256 characters")
	}
	if print, ok := of("fingerprint"); !ok || !isFingerprint(print) {
		return bad("a=fingerprint: want one of the certificate, by sha-256 or longer")
	}
	if role, ok := of("setup"); ok && role != "actpass" && role != "active" && role != "passive" {
		return bad("a=setup:%.20s: want actpass", role)
	}
	return nil
}

// ways looks at the candidates.
func (t *terms) ways(m *sdp.MediaDescription) error {
	for _, a := range m.Attributes {
		if !a.IsICECandidate() {
			continue
		}
		if t.candidates++; t.candidates > mostCandidate {
			return bad("more than %d candidates", mostCandidate)
		}
		if err := checkCandidate(a.Value); err != nil {
			return err
		}
	}
	return nil
}

// isFingerprint tells hash and value of RFC 8122 5.
func isFingerprint(s string) bool {
	hash, value, _ := strings.Cut(s, " ")
	if !slices.Contains([]string{"sha-256", "sha-384", "sha-512"}, strings.ToLower(hash)) {
		return false
	}
	b, err := hex.DecodeString(strings.ReplaceAll(value, ":", ""))
	return err == nil && len(b) >= 32
}

// sound finds Opus and telephone events among the formats.
func (t *terms) sound(m *sdp.MediaDescription) error {
	if len(m.MediaName.Formats) > mostFormats {
		return bad("%d formats of sound", len(m.MediaName.Formats))
	}
	formats := make(map[uint8]string)
	for _, a := range m.Attributes {
		number, value, _ := strings.Cut(a.Value, " ")
		pt, err := strconv.ParseUint(number, 10, 7)
		if err != nil || !slices.Contains(m.MediaName.Formats, number) {
			continue
		}
		switch a.Key {
		case "fmtp":
			formats[uint8(pt)] = value
		case "rtpmap":
			t.mapped(uint8(pt), strings.ToLower(value))
		}
	}
	if t.opus == 0 {
		return bad("no Opus in it (a=rtpmap:… opus/48000/2): nothing else is spoken here")
	}
	if t.format = formats[t.opus]; len(t.format) > 256 {
		return bad("a=fmtp:%d is %d bytes long", t.opus, len(t.format))
	}
	return nil
}

func (t *terms) mapped(pt uint8, name string) {
	switch {
	case name == "opus/48000/2" && t.opus == 0:
		t.opus = pt
	case name == "telephone-event/48000":
		t.events, t.eventsHz = pt, 48000
	case name == "telephone-event/8000" && t.eventsHz != 48000:
		t.events, t.eventsHz = pt, 8000
	}
}

// checkCandidate proves that a candidate is one (RFC 8839 5.1). It is not used
// for anything: see the package comment.
func checkCandidate(text string) error {
	if len(text) > maxCandidate {
		return fmt.Errorf("candidate: %d bytes, at most %d are read: %w", len(text), maxCandidate, fault.Invalid)
	}
	if _, err := ice.UnmarshalCandidate(strings.TrimPrefix(text, "candidate:")); err != nil {
		return fmt.Errorf("candidate: %.80q: %w", err.Error(), fault.Invalid)
	}
	return nil
}

// withoutCandidates takes the peer's candidates out of an offer that was read.
func withoutCandidates(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "a=candidate:") && !strings.HasPrefix(line, "a=end-of-candidates") {
			b.WriteString(line)
		}
	}
	return b.String()
}
