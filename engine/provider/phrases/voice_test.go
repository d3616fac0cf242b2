package phrases

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/flite"
	"flametree/engine/provider/providertest"
	"flametree/engine/tenant"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf is a store in memory.
type shelf struct {
	mu   sync.Mutex
	have map[Key]Phrase
	puts int
}

func (s *shelf) Get(k Key) (Phrase, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.have[k]
	return p, ok // shared, as the contract allows
}

func (s *shelf) Put(k Key, p Phrase) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.have == nil {
		s.have = map[Key]Phrase{}
	}
	s.puts++
	s.have[k] = Phrase{p.RateHz, slices.Clone(p.PCM), slices.Clone(p.Words)}
}

func fixed(texts ...string) map[string]bool {
	out := map[string]bool{}
	for _, t := range texts {
		out[t] = true
	}
	return out
}

// Whatever is kept: to whoever speaks with it, it is a voice like any other.
func TestContract(t *testing.T) {
	f, err := flite.New(flite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, texts := range map[string][]string{
		"nothing kept": nil,
		"some kept":    {"yes", "thank you"},
		"all kept":     {"yes", "thank you", "the daily spending limit is five thousand dollars", "the daily spending limit is five thousand dollars the daily spending limit is five thousand dollars"},
	} {
		t.Run(name, func(t *testing.T) {
			store := new(shelf)
			for _, round := range []string{"first", "again"} {
				t.Run(round, func(t *testing.T) {
					providertest.RunSynthesizer(t, Of(f, Options{Store: store, Maker: "flite", Fixed: fixed(texts...)}), provider.Voice{Name: "rms"})
				})
			}
			if len(texts) > 0 && store.puts == 0 {
				t.Error("nothing was kept")
			}
		})
	}
}

// clerk renders each clause as three stretches of ten samples each, whose value
// is the clause's length, and counts.
type clerk struct {
	mu   sync.Mutex
	said []string
	fail error
}

func (c *clerk) Open(ctx context.Context, _ provider.Voice) (provider.Speech, error) {
	return &clerksVoice{c: c, life: ctx, do: make(chan order, 64)}, nil
}

type order struct {
	text    string
	gen, id uint64
}

type clerksVoice struct {
	c    *clerk
	life context.Context
	do   chan order
	mu   sync.Mutex
	dead uint64
}

func (v *clerksVoice) Speak(text string, gen, id uint64) error {
	v.c.mu.Lock()
	v.c.said = append(v.c.said, text)
	v.c.mu.Unlock()
	v.do <- order{text, gen, id}
	return nil
}

func (v *clerksVoice) Cancel(gen uint64) {
	v.mu.Lock()
	v.dead = max(v.dead, gen)
	v.mu.Unlock()
}

func (v *clerksVoice) Close() error { return nil }

func (v *clerksVoice) Audio() iter.Seq2[provider.Audio, error] {
	return func(yield func(provider.Audio, error) bool) {
		for {
			var o order
			select {
			case <-v.life.Done():
				return
			case o = <-v.do:
			}
			for n := range 3 {
				v.mu.Lock()
				dead := o.gen <= v.dead
				v.mu.Unlock()
				if dead {
					break
				}
				a := provider.Audio{Gen: o.gen, ID: o.id, RateHz: 8000, Last: n == 2, PCM: slices.Repeat([]int16{int16(len(o.text))}, 10)}
				if n == 0 {
					a.Words = []provider.Word{{Text: o.text, End: time.Millisecond}}
				}
				if n == 1 && v.c.fail != nil {
					yield(provider.Audio{}, v.c.fail)
					return
				}
				if !yield(a, nil) {
					return
				}
			}
		}
	}
}

// say speaks texts and gives what came of each, until all are whole.
func say(t testing.TB, s provider.Synthesizer, v provider.Voice, texts ...string) []Phrase {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	p, err := s.Open(ctx, v)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	for i, text := range texts {
		if err := p.Speak(text, 1, uint64(i)+1); err != nil {
			t.Fatal(err)
		}
	}
	out := make([]Phrase, len(texts))
	done := 0
	for a, err := range p.Audio() {
		if err != nil {
			t.Fatal(err)
		}
		if int(a.ID) != done+1 {
			t.Fatalf("clause %d came in place %d", a.ID, done+1)
		}
		o := &out[done]
		o.RateHz, o.PCM = a.RateHz, append(o.PCM, a.PCM...)
		clear(a.PCM) // it is ours
		if len(a.Words) > 0 {
			o.Words = a.Words
		}
		if a.Last {
			if done++; done == len(texts) {
				break
			}
		}
	}
	return out
}

func TestAFixedClauseIsRenderedOnceAndSoundsTheSame(t *testing.T) {
	c, store := new(clerk), new(shelf)
	var hits, misses int
	s := Of(c, Options{Store: store, Maker: "clerk", Fixed: fixed("hello", "one moment"), Told: func(hit bool) {
		if hit {
			hits++
		} else {
			misses++
		}
	}})
	first := say(t, s, provider.Voice{}, "hello", "your balance is 5", "one moment")
	_ = say(t, s, provider.Voice{}, "hello", "one moment") // others are said it too
	second := say(t, s, provider.Voice{}, "hello", "your balance is 5", "one moment")
	for i := range first {
		if !slices.Equal(first[i].PCM, second[i].PCM) || !slices.Equal(first[i].Words, second[i].Words) || len(first[i].PCM) != 30 {
			t.Errorf("clause %d: %v, then %v", i+1, first[i], second[i])
		}
	}
	if want := []string{"hello", "your balance is 5", "one moment", "your balance is 5"}; !slices.Equal(c.said, want) {
		t.Errorf("rendered %q, want %q", c.said, want)
	}
	if hits != 4 || misses != 2 {
		t.Errorf("%d hits, %d misses", hits, misses)
	}
}

// What is not the agent's own text may hold a name, a balance, a diagnosis.
func TestNothingButFixedClausesIsKept(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		store := new(shelf)
		texts := rapid.SliceOfN(rapid.StringMatching(`[a-c]{1,3}`), 1, 6).Draw(rt, "texts")
		own := fixed(rapid.SliceOf(rapid.StringMatching(`[a-c]{1,3}`)).Draw(rt, "fixed")...)
		o := Options{Store: store, Maker: "clerk", Fixed: own}
		say(t, Of(new(clerk), o), provider.Voice{}, texts...)
		may := map[Key]bool{}
		for _, text := range texts {
			if own[text] {
				may[o.whose(provider.Voice{}, text)] = true
			}
		}
		if len(may) != len(store.have) {
			rt.Fatalf("%d phrases are kept, want %d", len(store.have), len(may))
		}
		for k := range store.have {
			if !may[k] {
				rt.Fatal("something else is kept")
			}
		}
	})
}

func TestWhateverChangesTheSoundIsPartOfTheName(t *testing.T) {
	base := Options{Tenant: tenant.ID{1}, Maker: "flite"}
	v := provider.Voice{Name: "slt", Language: "en"}
	seen := map[Key]string{base.whose(v, "hello"): "the first"}
	other, maker := base, base
	other.Tenant = tenant.ID{2}
	maker.Maker = "flite 2"
	for name, k := range map[string]Key{
		"tenant": other.whose(v, "hello"), "maker": maker.whose(v, "hello"), "text": base.whose(v, "hello."),
		"voice":    base.whose(provider.Voice{Name: "rms", Language: "en"}, "hello"),
		"language": base.whose(provider.Voice{Name: "slt", Language: "de"}, "hello"),
		"rate":     base.whose(provider.Voice{Name: "slt", Language: "en", Rate: 1.1}, "hello"),
		"border":   base.whose(provider.Voice{Name: "slte", Language: "n"}, "hello"),
	} {
		if was, ok := seen[k]; ok {
			t.Errorf("%s sounds like %s", name, was)
		}
		seen[k] = name
	}
	if base.whose(provider.Voice{Name: "slt", Language: "en", Rate: 1}, "hello") != base.whose(v, "hello") {
		t.Error("the voice's own rate has two names")
	}
}

func TestAClauseThatBrokeOffIsNotKept(t *testing.T) {
	store := new(shelf)
	c := &clerk{fail: fmt.Errorf("the line is down: %w", fault.Unavailable)}
	p, err := Of(c, Options{Store: store, Maker: "clerk", Fixed: fixed("hello")}).Open(t.Context(), provider.Voice{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Speak("hello", 1, 1); err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range p.Audio() {
		last = err
	}
	if !errors.Is(last, fault.Unavailable) || store.puts != 0 {
		t.Errorf("%v; %d phrases are kept", last, store.puts)
	}
}

// An interruption is as quick with a kept phrase: what follows is at most what
// is in the consumer's hands.
func TestAKeptPhraseIsCancelledLikeAnyOther(t *testing.T) {
	store := new(shelf)
	o := Options{Store: store, Maker: "clerk", Fixed: fixed("hello")}
	store.Put(o.whose(provider.Voice{}, "hello"), Phrase{RateHz: 8000, PCM: make([]int16, 80_000)})
	p, err := Of(new(clerk), o).Open(t.Context(), provider.Voice{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	for id := range uint64(3) {
		if err := p.Speak("hello", 1, id+1); err != nil {
			t.Fatal(err)
		}
	}
	got := 0
	for a, err := range p.Audio() {
		if err != nil {
			t.Fatal(err)
		}
		if a.Gen == 2 {
			break
		}
		if got++; got == 3 {
			p.Cancel(1)
			if err := p.Speak("hello", 1, 9); err != nil { // too late
				t.Fatal(err)
			}
			if err := p.Speak("hello", 2, 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got != 3 {
		t.Errorf("%d stretches of the cancelled clauses came, want 3", got)
	}
}

func TestWarmingRendersWhatIsMissing(t *testing.T) {
	c, store := new(clerk), new(shelf)
	texts := []string{"hello", "are you there", "one moment"}
	s := Of(c, Options{Store: store, Maker: "clerk", Fixed: fixed(texts...)})
	say(t, s, provider.Voice{Name: "x"}, "hello")
	if err := Warm(t.Context(), s, provider.Voice{Name: "x"}, texts); err != nil || len(store.have) != 3 || len(c.said) != 3 {
		t.Fatalf("%v, %d kept, %q rendered", err, len(store.have), c.said)
	}
	if err := Warm(t.Context(), s, provider.Voice{Name: "x"}, texts); err != nil || len(c.said) != 3 {
		t.Errorf("again: %v, %q rendered", err, c.said)
	}
	c.fail = fmt.Errorf("the line is down: %w", fault.Unavailable)
	if err := Warm(t.Context(), s, provider.Voice{Name: "y"}, texts); !errors.Is(err, fault.Unavailable) {
		t.Errorf("with a line that is down: %v", err)
	}
}
