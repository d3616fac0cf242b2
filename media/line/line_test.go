package line

import (
	"errors"
	"net/netip"
	"testing"

	"flametree/engine/fault"
	"flametree/media/pacer"
	"flametree/media/rtp"
	"flametree/media/sip"
)

// What SIP agreed on is what the leg does, from the answer to the last re-INVITE.
func TestTheLegSpeaksWhatWasAgreedOn(t *testing.T) {
	ports, err := rtp.NewPool(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	wheel := pacer.New(pacer.Options{})
	defer wheel.Close()
	made, err := Maker{Ports: ports, Wheel: wheel}.New(sip.MediaParams{
		Codec: "opus", PayloadType: 96, Format: "useinbandfec=1", DTMFType: 101, DTMFHz: 48000, NoiseType: none,
		Local: netip.MustParseAddr("127.0.0.1"), Direction: "sendrecv",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	check := func(codec string, hz int) {
		t.Helper()
		if s := made.Leg().Stats(); s.Codec != codec || s.RateHz != hz {
			t.Errorf("it speaks %s at %d Hz, want %s at %d", s.Codec, s.RateHz, codec, hz)
		}
	}
	check("opus", 16000)
	for _, tc := range []struct {
		codec string
		kind  uint8
		hz    int
	}{{"PCMA", 8, 8000}, {"G722", 9, 16000}, {"PCMU", 0, 8000}} {
		if err := made.Renegotiate(sip.MediaParams{Codec: tc.codec, PayloadType: tc.kind, DTMFType: none, DTMFHz: 8000, NoiseType: 13}); err != nil {
			t.Fatal(err)
		}
		check(tc.codec, tc.hz)
	}
	if err := made.Renegotiate(sip.MediaParams{Codec: "speex"}); !errors.Is(err, fault.Invalid) {
		t.Errorf("speex: %v, want fault.Invalid", err)
	}
	check("PCMU", 8000)
}
