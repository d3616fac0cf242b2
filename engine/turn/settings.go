package turn

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"flametree/engine/event"
	"flametree/engine/fault"
)

// Timer describes one setting of a Config, for portal, API and documentation.
type Timer struct {
	Key     string // vad_start: as Set, Pairs and --set spell it
	Env     string // VOICE_VAD_START_MS: as an agent's environment spells it
	Default string // canonical, as Pairs spells it
	Meaning string
	Owner   string // who decides by it: turn leg session providers dialler
}

// Timers lists every setting in the order of Pairs.
func Timers() []Timer {
	d := Default()
	all := d.settings()
	out := make([]Timer, len(all))
	for i, s := range all {
		out[i] = Timer{Key: s.key, Env: s.env, Default: s.value.get(), Meaning: s.meaning, Owner: s.owner}
	}
	return out
}

// Set changes the setting named key, a Key or an Env of Timers. A duration is
// a Go duration such as 300ms, or a bare number in the unit of its Env. Errors
// are fault.Invalid, name the key and say what is allowed; c is then unchanged.
func (c *Config) Set(key, value string) error {
	for _, s := range c.settings() {
		if s.key != key && s.env != key {
			continue
		}
		if !s.value.set(strings.TrimSpace(value)) {
			return fmt.Errorf("set %s to %q: %w: allowed is %s", key, value, fault.Invalid, s.value.allowed())
		}
		return nil
	}
	return fmt.Errorf("set %q: %w: there is no such setting of a call, such as eot or no_input_timeout", key, fault.Invalid)
}

// Pairs spells every setting canonically, in the order of Timers.
func (c Config) Pairs() []event.Pair {
	all := c.settings()
	out := make([]event.Pair, len(all))
	for i, s := range all {
		out[i] = event.Pair{Key: s.key, Value: s.value.get()}
	}
	return out
}

// ConfigFrom reads what Pairs wrote. A key that is missing means a call that was
// recorded before there was such a setting: it takes the value that decides as
// was decided then, see before. A key that is unknown or stands twice is an error.
func ConfigFrom(pairs []event.Pair) (Config, error) {
	c := before()
	seen := make(map[string]bool, len(pairs))
	for _, p := range pairs {
		if seen[p.Key] {
			return Config{}, fmt.Errorf("set %s: %w: given twice", p.Key, fault.Invalid)
		}
		seen[p.Key] = true
		if err := c.Set(p.Key, p.Value); err != nil {
			return Config{}, err
		}
	}
	return c, nil
}

// before is the default as it was before settings were added that a recorded
// call may not have.
func before() Config {
	c := Default()
	c.EOTModel, c.EOTAhead, c.EOTPrior, c.EOTDeviations = modelWords, 0, 0, 0
	c.EOTUnready = time.Minute
	c.SpeculateVoiced, c.SpeculateLead, c.QuestionHeard = true, time.Minute, 0
	return c
}

// value is one field of a Config, with its spelling and its bounds.
type value interface {
	get() string
	set(string) bool
	allowed() string
}

type setting struct {
	key, env string
	value    value
	owner    string
	meaning  string
}

type span struct {
	p      *time.Duration
	unit   time.Duration
	lo, hi time.Duration
}

func (v span) get() string { return v.p.String() }
func (v span) allowed() string {
	return fmt.Sprintf("a duration from %v to %v, such as 300ms, or a number of %s", v.lo, v.hi, map[time.Duration]string{time.Millisecond: "milliseconds", time.Second: "seconds"}[v.unit])
}

func (v span) set(s string) bool {
	d, err := time.ParseDuration(s)
	if n, ferr := strconv.ParseFloat(s, 64); ferr == nil {
		f := n * float64(v.unit)
		if math.IsNaN(f) || math.Abs(f) > float64(24*time.Hour) {
			return false
		}
		d, err = time.Duration(math.Round(f)), nil
	}
	if err != nil || d < v.lo || d > v.hi {
		return false
	}
	*v.p = d
	return true
}

type count struct {
	p      *int
	lo, hi int
}

func (v count) get() string     { return strconv.Itoa(*v.p) }
func (v count) allowed() string { return fmt.Sprintf("a whole number from %d to %d", v.lo, v.hi) }

func (v count) set(s string) bool {
	n, err := strconv.Atoi(s)
	if err != nil || n < v.lo || n > v.hi {
		return false
	}
	*v.p = n
	return true
}

type decibel struct{ p *float64 }

func (v decibel) get() string   { return strconv.FormatFloat(*v.p, 'g', -1, 64) }
func (decibel) allowed() string { return "decibels from -60 to 0" }

func (v decibel) set(s string) bool {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= -60 && f <= 0) {
		return false
	}
	*v.p = f + 0 // turns -0 into 0
	return true
}

type flag struct{ p *bool }

func (v flag) get() string {
	if *v.p {
		return "True"
	}
	return "False"
}
func (flag) allowed() string { return "True or False" }

func (v flag) set(s string) bool {
	switch s {
	case "True", "true":
		*v.p = true
	case "False", "false":
		*v.p = false
	default:
		return false
	}
	return true
}

// choice is one of a few names.
type choice struct {
	p     *string
	names string // with a space between them
}

func (v choice) get() string     { return *v.p }
func (v choice) allowed() string { return "one of " + strings.Join(strings.Fields(v.names), ", ") }

func (v choice) set(s string) bool {
	if !slices.Contains(strings.Fields(v.names), s) {
		return false
	}
	*v.p = s
	return true
}

// keypad is the name of one telephone key, or nothing.
type keypad struct{ p *string }

func (v keypad) get() string   { return *v.p }
func (keypad) allowed() string { return "one of 0-9 * # A-D, or nothing" }

func (v keypad) set(s string) bool {
	if len(s) > 1 || len(s) == 1 && !isKey(s[0]) {
		return false
	}
	*v.p = s
	return true
}

type language struct{ p *string }

func (v language) get() string   { return *v.p }
func (language) allowed() string { return "a language tag such as en or pt-BR, or nothing" }

func (v language) set(s string) bool {
	if len(s) > 35 {
		return false
	}
	for _, r := range s {
		if r != '-' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z') {
			return false
		}
	}
	*v.p = s
	return true
}
