package rtp

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pion/rtp"

	"flametree/engine/fault"
)

func packet(t testing.TB, h rtp.Header, payload []byte) []byte {
	t.Helper()
	h.Version = 2
	b, err := (&rtp.Packet{Header: h, Payload: payload}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParse(t *testing.T) {
	sound := bytes.Repeat([]byte{0x55}, 160)
	plain := packet(t, rtp.Header{Marker: true, PayloadType: 8, SequenceNumber: 65535, Timestamp: 1 << 31, SSRC: 7}, sound)
	with := func(change func(b []byte) []byte) []byte { return change(bytes.Clone(plain)) }
	tests := map[string]struct {
		in      []byte
		payload []byte
		bad     bool
	}{
		"a plain packet":           {in: plain, payload: sound},
		"no payload, a keepalive":  {in: plain[:12], payload: nil},
		"two contributing sources": {in: with(func(b []byte) []byte { b[0] |= 2; return b }), payload: sound[8:]},
		"an extension is stepped over": {in: with(func(b []byte) []byte {
			b[0] |= 0x10
			copy(b[12:], []byte{0xBE, 0xDE, 0, 1, 0x10, 1, 0, 0})
			return b
		}), payload: sound[8:]},
		"padding is cut off": {in: with(func(b []byte) []byte { b[0] |= 0x20; b[171] = 4; return b }), payload: sound[4:]},

		"nothing":                        {bad: true},
		"eleven bytes":                   {in: plain[:11], bad: true},
		"version 1":                      {in: with(func(b []byte) []byte { b[0] = 0x40; return b }), bad: true},
		"RTCP on the RTP port":           {in: with(func(b []byte) []byte { b[1] = 200; return b }), bad: true},
		"sources past the end":           {in: with(func(b []byte) []byte { b[0] |= 15; return b[:40] }), bad: true},
		"an extension past the end":      {in: with(func(b []byte) []byte { b[0] |= 0x10; b[14], b[15] = 0xFF, 0xFF; return b }), bad: true},
		"an extension without a header":  {in: with(func(b []byte) []byte { b[0] |= 0x10; return b[:14] }), bad: true},
		"an extension element too long":  {in: with(func(b []byte) []byte { b[0] |= 0x10; copy(b[12:], []byte{0xBE, 0xDE, 0, 1, 0x1F, 0, 0, 0}); return b }), bad: true},
		"padding longer than the packet": {in: with(func(b []byte) []byte { b[0] |= 0x20; b[171] = 200; return b }), bad: true},
		"padding of zero bytes":          {in: with(func(b []byte) []byte { b[0] |= 0x20; b[171] = 0; return b }), bad: true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var p Parser
			got, err := p.Parse(tc.in)
			if tc.bad {
				if !errors.Is(err, fault.Invalid) {
					t.Fatalf("got %+v, %v, want fault.Invalid", got, err)
				}
				return
			}
			if err != nil || len(got.Payload) != len(tc.payload) {
				t.Fatalf("%d bytes of payload, %v; want %d", len(got.Payload), err, len(tc.payload))
			}
			if !got.Marker || got.PayloadType != 8 || got.Sequence != 65535 || got.Timestamp != 1<<31 || got.SSRC != 7 {
				t.Errorf("the header reads %+v", got)
			}
		})
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	var p Parser
	good := packet(t, rtp.Header{PayloadType: 0}, make([]byte, 160))
	bad := good[:11]
	if n := testing.AllocsPerRun(100, func() {
		_, _ = p.Parse(good)
		_, _ = p.Parse(bad)
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(packet(f, rtp.Header{PayloadType: 8, Marker: true}, make([]byte, 20)))
	f.Add([]byte{0x90, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0xBE, 0xDE, 0, 1, 0x10, 9, 0, 0, 1, 2, 3})
	f.Add([]byte{0xB3, 101, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x10, 0, 0, 0, 4})
	f.Fuzz(func(t *testing.T, in []byte) {
		var p Parser
		got, err := p.Parse(in)
		if err != nil {
			if !errors.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		if len(got.Payload) > len(in)-headerSize {
			t.Fatalf("%d bytes of payload in a packet of %d", len(got.Payload), len(in))
		}
	})
}

func FuzzParseControl(f *testing.F) {
	s, r := &sending{ssrc: 1, packets: 5}, &reception{rateHz: 8000}
	for n := range uint16(20) {
		r.push(&Packet{SSRC: 9, Sequence: n}, true)
	}
	for _, bye := range []bool{false, true} {
		b, err := compound(start, s, r, "a@b", bye)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{0x81, 201, 0, 1, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := ParseControl(in)
		if err != nil {
			if !errors.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		s.learn(start, c, r)
	})
}
