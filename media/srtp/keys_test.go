package srtp

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flametree/engine/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// secretly is a key whose bytes are easy to find in a text.
func secretly(t testing.TB, s Suite) (Key, []string) {
	t.Helper()
	master := bytes.Repeat([]byte("Qx7!"), 20)[:s.Len()]
	k, err := NewKey(s, master)
	if err != nil {
		t.Fatal(err)
	}
	k.secret.mki = []byte("Zv9?")
	return k, []string{
		"Qx7!Qx7!", hex.EncodeToString(master)[:16], strings.ToUpper(hex.EncodeToString(master))[:16],
		base64.StdEncoding.EncodeToString(master)[:16], fmt.Sprint(master)[:20], "Zv9?",
	}
}

func TestNoVerbAndNoLogShowsAKey(t *testing.T) {
	k, traces := secretly(t, AES128CM80)
	identity, err := NewIdentity(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	private := identity.certificate.PrivateKey
	session := new(Session)
	other, err := Generate(AES128CM80)
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Rekey(k, other, time.Now()); err != nil {
		t.Fatal(err)
	}
	type holder struct {
		Shown  Key
		hidden Key
		at     *Key
	}
	values := map[string]any{
		"a key": k, "a pointer to one": &k, "a struct": holder{k, k, &k}, "a slice": []Key{k},
		"an attribute": Attribute{Tag: 1, Key: k}, "a map": map[string]any{"key": k},
	}
	var out strings.Builder
	logs := []*slog.Logger{slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))}
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		for _, l := range logs {
			l.Info("call", "value", v)
		}
		if b, err := json.Marshal(v); err == nil {
			out.Write(b)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%x"} {
		fmt.Fprintf(&out, verb+"\n", identity)
	}
	for _, trace := range append(traces, fmt.Sprint(private)[:40]) {
		if strings.Contains(out.String(), trace) {
			t.Errorf("%q shows", trace)
		}
	}
	if !strings.Contains(out.String(), hidden) {
		t.Error("nothing was printed at all")
	}
	session.Close()
}

func TestWipingAKeyWipesAllItsCopies(t *testing.T) {
	k, _ := secretly(t, AES256GCM)
	copied := k
	k.Wipe()
	if !bytes.Equal(copied.Reveal(), make([]byte, AES256GCM.Len())) {
		t.Error("a copy still holds the key")
	}
}

func TestASessionWipesWhatItWasGiven(t *testing.T) {
	now := time.Unix(1000, 0)
	draw := func() Key {
		k, err := Generate(AES128GCM)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	s := new(Session)
	keys := make([]Key, 6)
	for i := range keys {
		keys[i] = draw()
	}
	for i := 0; i < len(keys); i += 2 {
		if err := s.Rekey(keys[i], keys[i+1], now); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	for i, k := range keys {
		if !bytes.Equal(k.Reveal(), make([]byte, AES128GCM.Len())) {
			t.Errorf("key %d is still in memory", i)
		}
	}
	if s.CanSeal() || s.Seal(rtpPacket(1, 1, 0)) != nil {
		t.Error("a closed session seals")
	}
}

func TestKeysAreChecked(t *testing.T) {
	for name, k := range map[string]struct {
		suite Suite
		bytes int
	}{
		"a suite of no encryption": {"NULL_HMAC_SHA1_80", 30}, "no suite": {"", 0},
		"one byte short": {AES128CM80, 29}, "one too many": {AES256GCM, 45}, "a GCM salt in a CM key": {AES128CM80, 28},
	} {
		if _, err := NewKey(k.suite, make([]byte, k.bytes)); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want fault.Invalid", name, err)
		}
	}
}
