package speechtest

import (
	"context"
	"errors"
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

// Mouth is a connector of a voice and the server of its vendor.
type Mouth struct {
	New      func(o speech.Options) (provider.Synthesizer, error)
	Server   func() *Server
	Voice    provider.Voice
	Timed    bool // the vendor tells times of words
	Requests bool // rendered by requests
	Stops    bool // the vendor is told when a clause is stopped
	Joined   bool // a word lasts until the next begins
	Rates    bool // the vendor tells the rate: a wrong one is taken as told
}

// ignored fails if goroutines of the connector are left. Those of the server and
// of idle connections end with the test.
func ignored(t *testing.T, before goleak.Option) {
	t.Helper()
	if err := goleak.Find(before, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("net/http.(*conn).serve"), goleak.IgnoreAnyFunction("net/http.(*Server).Serve"), goleak.IgnoreAnyFunction("flametree/engine/provider/speechtest.(*conn).read")); err != nil {
		t.Error(err)
	}
}

// Run tests the connector: the contract, and what happens when the vendor fails.
func (m Mouth) Run(t *testing.T) {
	t.Run("contract", func(t *testing.T) {
		y := m.make(t, m.Server(), nil)
		providertest.RunSynthesizer(t, y, m.Voice)
		t.Run("long", func(t *testing.T) { providertest.RunLongSpeech(t, y, m.Voice) })
	})
	t.Run("what is said is what was asked for", m.detail)
	t.Run("times of words", m.times)
	t.Run("a stopped clause is stopped at the vendor", m.stopping)
	t.Run("the key is asked for and kept to itself", m.keys)
	if !m.Requests {
		t.Run("a socket that was cut while idle is opened again", m.idle)
	}
	for name, x := range map[string]struct {
		kind Kind
		want fault.Kind
		only string
	}{
		"a refused key":                   {Refuse, fault.Denied, ""},
		"too many voices":                 {TooMany, fault.Exhausted, ""},
		"a vendor that is down":           {Down, fault.Unavailable, ""},
		"a connection that dies":          {Dies, fault.Unavailable, ""},
		"a vendor that drips":             {Drips, "", ""},
		"a vendor that goes silent":       {Silent, fault.Unavailable, ""},
		"a message that is no JSON":       {BadJSON, fault.Unavailable, "sockets"},
		"a huge message":                  {Huge, fault.Unavailable, "sockets"},
		"a key that is taken back":        {Expelled, fault.Denied, "sockets"},
		"a limit that is reached in call": {Throttled, fault.Exhausted, "sockets"},
		"no sound at all":                 {Mute, fault.Unavailable, ""},
		"sound of another rate":           {WrongRate, fault.Unavailable, ""},
	} {
		if m.Requests && x.only == "sockets" {
			continue
		}
		if x.kind == WrongRate && m.Rates {
			x.want = ""
		}
		if x.kind == WrongRate && !m.Rates && !m.Timed {
			continue // nobody can know
		}
		t.Run(name, func(t *testing.T) {
			for _, seed := range seeds() {
				m.trouble(t, Trouble{Kind: x.kind, Seed: seed + 1}, x.want)
			}
		})
	}
}

func (m Mouth) make(t *testing.T, s *Server, change func(o *speech.Options)) provider.Synthesizer {
	t.Helper()
	o := Options(Local(t, s))
	if change != nil {
		change(&o)
	}
	y, err := m.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return y
}

// told is a clause as it came out.
type told struct {
	text  string
	words []provider.Word
	whole bool
}

// say speaks clauses on a voice of its own and reads what comes.
func (m Mouth) say(ctx context.Context, y provider.Synthesizer, texts ...string) (out []told, err error) {
	p, err := y.Open(ctx, m.Voice)
	if err != nil {
		return nil, err
	}
	defer func() { _ = p.Close() }()
	for i, text := range texts {
		if err := p.Speak(text, 1, uint64(i+1)); err != nil {
			return nil, err
		}
	}
	var l *Listener
	for a, err := range p.Audio() {
		if err != nil {
			return out, err
		}
		if l == nil {
			l = NewListener(max(a.RateHz, 1000), Voiced)
			out = append(out, told{words: a.Words})
		}
		l.Hear(a.PCM)
		x := &out[len(out)-1]
		if x.text = joined(l.words(0, true)); a.Last {
			x.whole, l = true, nil
			if len(out) == len(texts) {
				break
			}
		}
	}
	return out, nil
}

const line = "the daily limit is five thousand dollars"

func (m Mouth) detail(t *testing.T) {
	s := m.Server()
	y := m.make(t, s, nil)
	texts := []string{"yes", line, "...", "thank you"}
	got, err := m.say(t.Context(), y, texts...)
	if err != nil || len(got) != len(texts) {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, x := range got {
		if want := strings.Trim(texts[i], "."); x.text != want || !x.whole {
			t.Errorf("clause %d is %+v, want %q", i, x, want)
		}
	}
	if n := len(s.Said()); n != 3 {
		t.Errorf("%d clauses were given to the vendor; one without a word is not to be", n)
	}
}

func (m Mouth) times(t *testing.T) {
	for name, hold := range map[string]time.Duration{"held back": time.Minute, "at once": 0} {
		t.Run(name, func(t *testing.T) {
			y := m.make(t, m.Server(), func(o *speech.Options) { o.HoldWords = hold })
			got, err := m.say(t.Context(), y, line)
			if err != nil || len(got) != 1 {
				t.Fatalf("%+v, %v", got, err)
			}
			words := strings.Fields(line)
			if !m.Timed {
				if len(got[0].words) != 0 {
					t.Errorf("words %+v that the vendor did not time", got[0].words)
				}
				return
			}
			if len(got[0].words) != len(words) {
				t.Fatalf("%+v", got[0].words)
			}
			letter, off := 0, 2*time.Millisecond
			if hold == 0 {
				off = 600 * time.Millisecond // laid out at a pace
			}
			for i, w := range got[0].words {
				start, end := time.Duration(letter)*Voiced, time.Duration(letter+len(words[i]))*Voiced
				if m.Joined && i+1 < len(words) {
					end += Voiced
				}
				if w.Text != words[i] || (w.Start-start).Abs() > off || (w.End-end).Abs() > off {
					t.Errorf("word %d is %+v, want %q from %v to %v", i, w, words[i], start, end)
				}
				letter += len(words[i]) + 1
			}
		})
	}
}

func (m Mouth) stopping(t *testing.T) {
	s := m.Server()
	y := m.make(t, s, nil)
	p, err := y.Open(t.Context(), m.Voice)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	if err := p.Speak(strings.Repeat(line+" ", 6), 1, 1); err != nil {
		t.Fatal(err)
	}
	var l *Listener
	for a, err := range p.Audio() {
		if err != nil {
			t.Fatal(err)
		}
		if a.Gen == 1 && l == nil {
			l = NewListener(a.RateHz, Voiced)
			p.Cancel(1)
			if err := p.Speak("thank you", 2, 2); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if a.Gen != 2 {
			t.Fatal("audio of a cancelled generation came")
		}
		l.Hear(a.PCM)
		if a.Last {
			break
		}
	}
	if got := joined(l.words(0, true)); got != "thank you" {
		t.Errorf("after the interruption %q was said", got)
	}
	if n := s.Stopped(); m.Stops && n != 1 {
		t.Errorf("%d clauses were stopped at the vendor", n)
	}
}

// idle cuts the socket between two clauses. The cut may be noticed before the
// second clause is asked for or after: it is said in either case.
func (m Mouth) idle(t *testing.T) {
	s := m.Server()
	y := m.make(t, s, nil)
	p, err := y.Open(t.Context(), m.Voice)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	const clauses = 4
	var said []string
	for id := range uint64(clauses) {
		if err := p.Speak(line, 1, id); err != nil {
			t.Fatal(err)
		}
		var l *Listener
		for a, err := range p.Audio() {
			if err != nil {
				t.Fatalf("clause %d: %v", id, err)
			}
			if l == nil {
				l = NewListener(a.RateHz, Voiced)
			}
			if l.Hear(a.PCM); a.Last {
				said = append(said, l.Text())
				break
			}
		}
		s.Drop()
	}
	if strings.Join(said, "|") != strings.Join([]string{line, line, line, line}, "|") || s.Opened() != clauses {
		t.Errorf("%q over %d sockets", said, s.Opened())
	}
}

func (m Mouth) keys(t *testing.T) {
	var asked atomic.Int32
	y := m.make(t, m.Server(), func(o *speech.Options) {
		o.Key = func(context.Context) (string, error) {
			if asked.Add(1) == 2 {
				return "an-older-key", nil
			}
			return Key, nil
		}
	})
	for i, want := range []fault.Kind{"", fault.Denied, ""} {
		_, err := m.say(t.Context(), y, "yes")
		if fault.KindOf(err) != want || err != nil && strings.Contains(err.Error(), "older-key") {
			t.Errorf("voice %d: %v, want %s", i, err, want)
		}
	}
}

// trouble lets one voice fail, and shows that the next one says all.
func (m Mouth) trouble(t *testing.T, x Trouble, want fault.Kind) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	// A socket that was cut is opened once more for a clause of which nothing came:
	// so the trouble comes twice.
	s := m.Server().Trouble(x)
	if !m.Requests && x.Kind != Refuse && x.Kind != TooMany && x.Kind != Down {
		s.Trouble(x)
	}
	y := m.make(t, s, func(o *speech.Options) { o.Idle = 300 * time.Millisecond })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got, err := m.say(ctx, y, line)
	switch {
	case want == "" && (err != nil || len(got) != 1 || got[0].text != line):
		t.Errorf("seed %d: %+v, %v, want %q", x.Seed, got, err, line)
	case want != "" && !errors.Is(err, want):
		t.Errorf("seed %d: %v, want %s", x.Seed, err, want)
	case err != nil && strings.Contains(err.Error(), Key):
		t.Errorf("seed %d: the key stands in %v", x.Seed, err)
	}
	for range 2 { // the trouble may not be used up
		got, err = m.say(ctx, y, line)
	}
	if err != nil || len(got) != 1 || got[0].text != line || !got[0].whole {
		t.Errorf("seed %d: the next voice: %+v, %v", x.Seed, got, err)
	}
	ignored(t, before)
}
