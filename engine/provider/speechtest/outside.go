package speechtest

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/providertest"
	"flametree/engine/provider/wire/speech"
)

// parrot says the same bytes to everybody: as messages of a socket, one a line,
// or as the answer to a request.
type parrot struct{ says atomic.Pointer[[]byte] }

func (p *parrot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	says := *p.says.Load()
	if !websocket.IsWebSocketUpgrade(r) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(says)
		return
	}
	u := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	c, err := u.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	for line := range bytes.SplitSeq(says, []byte("\n")) {
		kind := websocket.TextMessage
		if len(line) > 0 && line[0] == 0 {
			kind = websocket.BinaryMessage
		}
		if c.WriteMessage(kind, line) != nil {
			return
		}
	}
	_ = c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
}

// Script serves one socket that waits for a number of messages, says its own,
// one after the other, and then listens. It is for orders of messages that the
// servers do not make by themselves.
func Script(t testing.TB, after int, says ...string) string {
	t.Helper()
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
		c, err := u.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		for n := 0; ; n++ {
			for i := 0; n == after && i < len(says); i++ {
				_ = c.WriteMessage(websocket.TextMessage, []byte(says[i])) // a peer that is gone is seen below
			}
			if _, _, err := c.ReadMessage(); err != nil {
				return
			}
		}
	}))
	t.Cleanup(h.Close)
	return h.URL
}

func outside(f *testing.F, seeds []string) (*parrot, speech.Options) {
	f.Helper()
	for _, s := range append(seeds, "{}", "null", "[]", "\x00\x00", `{"type":1}`, "") {
		f.Add([]byte(s))
	}
	p := &parrot{}
	h := httptest.NewServer(p)
	f.Cleanup(h.Close)
	o := Options(h.URL)
	o.Idle, o.FinalWait, o.SilentAfter = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	return p, o
}

// Fuzz feeds the connector with whatever a vendor might say: nothing panics,
// every error has a kind, and what is heard has the form of the contract.
func (e Ears) Fuzz(f *testing.F, seeds ...string) {
	p, o := outside(f, seeds)
	tr, err := e.New(o)
	if err != nil {
		f.Fatal(err)
	}
	clip := providertest.Clip{PCM: Sound("a", 16000, Letter)}
	f.Fuzz(func(t *testing.T, says []byte) {
		p.says.Store(&says)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		got := utter(ctx, tr, clip)
		if got.err != nil && fault.KindOf(got.err) == fault.Bug {
			t.Errorf("%v has no kind", got.err)
		}
		for _, h := range got.finals {
			if h.Text != strings.ToLower(strings.Join(strings.Fields(h.Text), " ")) {
				t.Errorf("heard %q", h.Text)
			}
		}
	})
}

// Fuzz feeds the connector with whatever a vendor might say: nothing panics and
// every error has a kind.
func (m Mouth) Fuzz(f *testing.F, seeds ...string) {
	p, o := outside(f, seeds)
	y, err := m.New(o)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, says []byte) {
		p.says.Store(&says)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := m.say(ctx, y, line); err != nil && fault.KindOf(err) == fault.Bug {
			t.Errorf("%v has no kind", err)
		}
	})
}

// Live lets the vendor itself say a sentence and hear it. It is skipped where
// the environment has no key under that name.
func Live(t *testing.T, env string, m Mouth, e Ears) {
	t.Helper()
	key := os.Getenv(env)
	if key == "" {
		t.Skipf("%s is not set: the vendor itself is not asked", env)
	}
	o := speech.Options{Key: func(context.Context) (string, error) { return key, nil }}
	y, err := m.New(o)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := e.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p, err := y.Open(ctx, provider.Voice{Language: "en-US"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	if err := p.Speak("How do I block my card?", 1, 1); err != nil {
		t.Fatal(err)
	}
	pcm := make([]int16, 4800)
	for a, err := range p.Audio() {
		if err != nil {
			t.Fatal(err)
		}
		pcm = append(pcm, slower(a.PCM, a.RateHz)...)
		if a.Last {
			break
		}
	}
	got := utter(ctx, tr, providertest.Clip{PCM: append(pcm, make([]int16, 8000)...)})
	if got.err != nil || len(got.finals) == 0 || !strings.Contains(got.finals[0].Text, "card") {
		t.Errorf("%+v", got)
	}
}

// slower is sound at 16 kHz, good enough to be understood.
func slower(pcm []int16, rate int) []int16 {
	out := make([]int16, len(pcm)*16000/max(rate, 1))
	for i := range out {
		out[i] = pcm[i*rate/16000]
	}
	return out
}
