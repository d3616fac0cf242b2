package turn

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flametree/engine/event"
	"flametree/engine/fault"
)

func TestPairsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Default()
		for _, timer := range Timers() {
			value := rapid.SampledFrom([]string{timer.Default, "250ms", "7", "1.5", "61s", "True", "False", "*", "", "-3.25", "pt-BR"}).Draw(t, timer.Key)
			_ = c.Set(timer.Key, value) // what is refused changes nothing
		}
		got, err := ConfigFrom(c.Pairs())
		if err != nil || got != c {
			t.Fatalf("got %+v, %v\nwant %+v", got, err, c)
		}
	})
}

func TestTimersNameWhatTheEnvironmentNames(t *testing.T) {
	defaults := Default().Pairs()
	seen := map[string]bool{}
	for i, timer := range Timers() {
		key := strings.ToLower(strings.TrimPrefix(timer.Env, "VOICE_"))
		for _, unit := range []string{"_ms", "_seconds"} {
			key = strings.TrimSuffix(key, unit)
		}
		if timer.Key != key || seen[timer.Key] {
			t.Errorf("key %q of %s, want %q, once", timer.Key, timer.Env, key)
		}
		seen[timer.Key] = true
		if want := (event.Pair{Key: timer.Key, Value: timer.Default}); defaults[i] != want {
			t.Errorf("pair %v, want %v", defaults[i], want)
		}
		if timer.Meaning == "" || timer.Owner == "" {
			t.Errorf("%s says too little: %+v", timer.Key, timer)
		}
		c := Default()
		if err := c.Set(timer.Key, timer.Default); err != nil || c != Default() {
			t.Errorf("its own default changes %s: %v", timer.Key, err)
		}
	}
}

func TestSet(t *testing.T) {
	tests := map[string]struct {
		key, value string
		got        func(Config) any
		want       any
	}{
		"a duration":                 {"eot", "300ms", func(c Config) any { return c.EOT }, 300 * time.Millisecond},
		"a number of milliseconds":   {"eot", " 300 ", func(c Config) any { return c.EOT }, 300 * time.Millisecond},
		"a number of seconds":        {"no_input_timeout", "2.5", func(c Config) any { return c.NoInputTimeout }, 2500 * time.Millisecond},
		"by the environment's name":  {"VOICE_MAX_CALL_SECONDS", "60", func(c Config) any { return c.MaxCall }, time.Minute},
		"the user's own variable":    {"ENABLE_FILLER_PHRASES", "True", func(c Config) any { return c.Fillers }, true},
		"a switch in small letters":  {"barge_in", "false", func(c Config) any { return c.BargeIn }, false},
		"decibels":                   {"duck_db", "-6.5", func(c Config) any { return c.DuckDB }, -6.5},
		"no terminator":              {"dtmf_terminator", "", func(c Config) any { return c.DTMFTerminator }, ""},
		"a language":                 {"VOICE_LANGUAGE", "pt-BR", func(c Config) any { return c.Language }, "pt-BR"},
		"a count":                    {"yield_words", "3", func(c Config) any { return c.YieldWords }, 3},
		"silence that never prompts": {"no_input_timeout", "0", func(c Config) any { return c.NoInputTimeout }, time.Duration(0)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := Default()
			if err := c.Set(tt.key, tt.value); err != nil {
				t.Fatal(err)
			}
			if got := tt.got(c); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestSetRefuses(t *testing.T) {
	tests := map[string]struct{ key, value, says string }{
		"what there is not":     {"end_of_term", "1s", "end_of_term"},
		"a negative time":       {"eot", "-1ms", "a duration from 0s to 1m0s"},
		"a time too long":       {"eot", "61s", "a duration"},
		"no number":             {"eot", "soon", "milliseconds"},
		"not a number at all":   {"eot", "NaN", "a duration"},
		"more than can be":      {"eot", "1e300", "a duration"},
		"a watchdog that bites": {"watchdog", "10ms", "from 500ms"},
		"half a word":           {"yield_words", "1.5", "a whole number from 1 to 20"},
		"too many digits":       {"dtmf_max", "65", "from 1 to 64"},
		"louder":                {"duck_db", "3", "decibels from -60 to 0"},
		"perhaps":               {"barge_in", "yes", "True or False"},
		"two keys":              {"dtmf_terminator", "##", "one of 0-9"},
		"no key":                {"dtmf_terminator", "x", "one of 0-9"},
		"no language":           {"language", "en US", "a language tag"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := Default()
			err := c.Set(tt.key, tt.value)
			if !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), tt.key) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want an invalid that names %s and says %q", err, tt.key, tt.says)
			}
			if c != Default() {
				t.Error("it changed something")
			}
		})
	}
	if _, err := ConfigFrom([]event.Pair{{Key: "eot", Value: "1s"}, {Key: "eot", Value: "1s"}}); !errors.Is(err, fault.Invalid) {
		t.Errorf("a key given twice: got %v", err)
	}
	if _, err := ConfigFrom([]event.Pair{{Key: "eot", Value: "?"}}); !errors.Is(err, fault.Invalid) {
		t.Errorf("a value that is none: got %v", err)
	}
	if c, err := ConfigFrom(nil); err != nil || c != before() {
		t.Errorf("no pairs: got %+v, %v", c, err)
	}
}

func FuzzSet(f *testing.F) {
	f.Add("eot", "300ms")
	f.Add("duck_db", "-0")
	f.Add("max_call", "1e9")
	f.Add("dtmf_terminator", "\xff")
	f.Fuzz(func(t *testing.T, key, value string) {
		c := Default()
		if c.Set(key, value) != nil && c != Default() {
			t.Fatalf("refused %q=%q and changed something", key, value)
		}
		if back, err := ConfigFrom(c.Pairs()); err != nil || back != c {
			t.Fatalf("%q=%q does not round-trip: %v", key, value, err)
		}
	})
}
