package speechtest

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/providertest"
	"flametree/engine/provider/wire/speech"
)

// Ears is a connector of a recogniser and the server of its vendor.
type Ears struct {
	New      func(o speech.Options) (provider.Transcriber, error)
	Server   func() *Server
	Partials bool // words come before the Finalize
	Timed    bool // words have times
	Requests bool // recognised by requests: what befalls only sockets does not befall it
	Wordless bool // the vendor has no message for a refusal in the middle
	Repeats  bool // what the vendor repeats can be told from what the caller repeats
}

// Options are those that the suite opens vendors with.
func Options(url string) speech.Options {
	return speech.Options{
		// A connection that idles would be taken for a leak.
		BaseURL: url, HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, Key: func(context.Context) (string, error) { return Key, nil },
		Idle: 2 * time.Second, FinalWait: 600 * time.Millisecond, SilentAfter: 400 * time.Millisecond,
	}
}

// patient is for vendors that do what they should: only the machine makes them late.
func patient(o *speech.Options) { o.FinalWait, o.SilentAfter = 5*time.Second, 5*time.Second }

// Clips are utterances that the servers understand.
func Clips() []providertest.Clip {
	var out []providertest.Clip
	for _, text := range []string{"how do i block my card", "my card was stolen"} {
		pcm := append(make([]int16, 3200), Sound(text, 16000, Letter)...)
		out = append(out, providertest.Clip{Text: text, PCM: append(pcm, make([]int16, 1600)...)})
	}
	return out
}

// Run tests the connector: the contract, and what happens when the vendor fails.
func (e Ears) Run(t *testing.T) {
	t.Run("contract", func(t *testing.T) {
		tr := e.make(t, e.Server(), patient)
		providertest.RunTranscriber(t, tr, providertest.Format{BandHz: 16000}, Clips()...)
		providertest.RunLongHearing(t, tr, providertest.Format{BandHz: 16000}, Clips()...)
	})
	t.Run("partials and times", e.detail)
	t.Run("the key is asked for and kept to itself", e.keys)
	for name, x := range map[string]struct {
		kind Kind
		want fault.Kind // "" = all is heard in spite of it
		only string     // "sockets" or "requests"
	}{
		"a refused key":                   {Refuse, fault.Denied, ""},
		"too many streams":                {TooMany, fault.Exhausted, ""},
		"a vendor that is down":           {Down, fault.Unavailable, ""},
		"a connection that dies":          {Dies, fault.Unavailable, ""},
		"a vendor that hangs up":          {HangsUp, fault.Unavailable, "sockets"},
		"a vendor that drips":             {Drips, "", ""},
		"finals that are repeated":        {Repeats, "", "sockets"},
		"a vendor that goes silent":       {Silent, fault.Unavailable, ""},
		"a message that is no JSON":       {BadJSON, fault.Unavailable, ""},
		"a huge message":                  {Huge, fault.Unavailable, ""},
		"a key that is taken back":        {Expelled, fault.Denied, "sockets"},
		"a limit that is reached in call": {Throttled, fault.Exhausted, "sockets"},
	} {
		if e.Requests && x.only == "sockets" || x.kind == Repeats && !e.Repeats || e.Wordless && (x.kind == Expelled || x.kind == Throttled) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			for _, seed := range seeds() {
				e.trouble(t, Trouble{Kind: x.kind, Seed: seed}, x.want)
			}
		})
	}
}

// seeds choose where a trouble comes: by day in one place.
func seeds() []int {
	if os.Getenv("FLAMETREE_TEST_LONG") != "" {
		return []int{0, 1, 2}
	}
	return []int{1}
}

func (e Ears) make(t *testing.T, s *Server, change func(o *speech.Options)) provider.Transcriber {
	t.Helper()
	o := Options(Local(t, s))
	if change != nil {
		change(&o)
	}
	tr, err := e.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func format() provider.Format {
	return provider.Format{RateHz: 16000, BandHz: 16000, Language: "en"}
}

// outcome is what one utterance gave.
type outcome struct {
	partials int
	finals   []provider.Hearing
	err      error
}

// utter has one clip recognised on a stream of its own. It waits for the final
// before it ends the stream.
func utter(ctx context.Context, tr provider.Transcriber, c providertest.Clip) outcome {
	var out outcome
	x, err := tr.Open(ctx, format())
	if err != nil {
		return outcome{err: err}
	}
	for pcm := c.PCM; len(pcm) > 0; pcm = pcm[min(320, len(pcm)):] {
		_ = x.Write(pcm[:min(320, len(pcm))]) // what fails is told by Heard
	}
	_ = x.Finalize() // likewise
	for h, err := range x.Heard() {
		switch {
		case err != nil:
			out.err = err
		case h.Final:
			out.finals = append(out.finals, h)
			_ = x.CloseSend() // a stream that is over does not mind
		default:
			out.partials++
		}
	}
	return out
}

func (e Ears) detail(t *testing.T) {
	tr := e.make(t, e.Server(), patient)
	c := Clips()[0]
	got := utter(t.Context(), tr, c)
	if got.err != nil || len(got.finals) != 1 || got.finals[0].Text != c.Text {
		t.Fatalf("%+v", got)
	}
	if e.Partials {
		partial(t, tr, c)
	}
	if !e.Timed {
		return
	}
	words, letter := strings.Fields(c.Text), 10 // after 200 ms of silence
	if len(got.finals[0].Words) != len(words) {
		t.Fatalf("%+v", got.finals[0].Words)
	}
	for i, w := range got.finals[0].Words {
		start, end := time.Duration(letter)*Letter, time.Duration(letter+len(words[i]))*Letter
		if w.Text != words[i] || (w.Start-start).Abs() > 2*time.Millisecond || (w.End-end).Abs() > 2*time.Millisecond {
			t.Errorf("word %d is %+v, want %q from %v to %v", i, w, words[i], start, end)
		}
		letter += len(words[i]) + 1
	}
}

// partial waits for words of an utterance that nobody has finalized.
func partial(t *testing.T, tr provider.Transcriber, c providertest.Clip) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	x, err := tr.Open(ctx, format())
	if err != nil {
		t.Fatal(err)
	}
	_ = x.Write(c.PCM) // what fails is told by Heard
	for h, err := range x.Heard() {
		if err != nil || h.Final || h.Text == "" || !strings.HasPrefix(c.Text, h.Text) {
			t.Errorf("%+v, %v", h, err)
		}
		return
	}
	t.Error("no words came before the Finalize")
}

func (e Ears) keys(t *testing.T) {
	var asked atomic.Int32
	tr := e.make(t, e.Server(), func(o *speech.Options) {
		o.Key = func(context.Context) (string, error) {
			if asked.Add(1) == 2 {
				return "an-older-key", nil
			}
			return Key, nil
		}
	})
	clip := Clips()[1]
	if got := utter(t.Context(), tr, clip); got.err != nil {
		t.Fatal(got.err)
	}
	if got := utter(t.Context(), tr, clip); !errors.Is(got.err, fault.Denied) || strings.Contains(got.err.Error(), "older-key") {
		t.Errorf("an older key: %v", got.err)
	}
	if got := utter(t.Context(), tr, clip); got.err != nil || asked.Load() != 3 {
		t.Errorf("%v after %d questions for the key", got.err, asked.Load())
	}
}

// trouble lets one stream fail, and shows that the next one hears all.
func (e Ears) trouble(t *testing.T, x Trouble, want fault.Kind) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	s := e.Server().Trouble(x)
	tr := e.make(t, s, func(o *speech.Options) {
		if e.Requests {
			o.Idle = 300 * time.Millisecond
		}
	})
	c := Clips()[0]
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got := utter(ctx, tr, c)
	switch {
	case want == "" && (got.err != nil || len(got.finals) != 1 || got.finals[0].Text != c.Text):
		t.Errorf("seed %d: %+v, want %q once", x.Seed, got, c.Text)
	case want != "" && fault.KindOf(got.err) != want:
		t.Errorf("seed %d: %v, want %s", x.Seed, got.err, want)
	case got.err != nil && strings.Contains(got.err.Error(), Key):
		t.Errorf("seed %d: the key stands in %v", x.Seed, got.err)
	}
	for _, h := range got.finals {
		if h.Text != c.Text {
			t.Errorf("seed %d: heard %q", x.Seed, h.Text)
		}
	}
	if got := utter(ctx, tr, c); got.err != nil || len(got.finals) != 1 || got.finals[0].Text != c.Text {
		t.Errorf("seed %d: the next stream: %+v", x.Seed, got)
	}
	if d := s.Opened(); d > 2 {
		t.Errorf("seed %d: %d connections for two streams: the connector retries", x.Seed, d)
	}
	ignored(t, before)
}
