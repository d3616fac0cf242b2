package duplex

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/provider/duplextest"
	"flametree/media/caller"
	"flametree/media/sip"
	"flametree/test/house"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Calls wait for sound most of the time.
	if err := flag.Set("test.parallel", "3"); err != nil {
		panic(err)
	}
	os.Exit(house.Main(m))
}

// What is said in the call. The server's model understands nothing: it is told
// what the caller will have said, one line for each time that he speaks.
const (
	welcome = "Welcome to the yacht harbour."
	ask     = "please book berth four"
	booked  = "Berth four at the blue pier is booked for you."
	askAll  = "tell me all the rules"
	rules   = "Sail slowly between the piers, because waves disturb the boats that lie there. Report to the office after you have arrived. " +
		"Keep the pier free of ropes and bottles. Fires are not allowed on the piers or on the boats. Dogs must be kept on a leash."
	stop  = "thank you that is enough"
	other = "You are welcome."
)

// desk is one running program with its vendor.
type desk struct {
	t      *testing.T
	vendor *duplextest.Server
	house  *house.Server
	call   *caller.Call
	phone  *caller.Phone
	mu     sync.Mutex
	lines  []string // what the caller will have said next
}

func open(t *testing.T, vendor string, trouble ...duplextest.Trouble) *desk {
	t.Helper()
	d := &desk{t: t, lines: []string{ask, askAll, stop}}
	d.vendor = map[string]func() *duplextest.Server{"openai": duplextest.OpenAI, "gemini": duplextest.Gemini}[vendor]()
	d.vendor.Trouble(trouble...)
	d.vendor.Speed = 4
	d.vendor.Voice = func(text string) []int16 { return flite(t, text, 24000) }
	d.vendor.Listen = func(_ int, pcm []int16, _ int) string { return d.next(pcm) }
	d.vendor.Answer = answer
	url := duplextest.Local(t, d.vendor)
	d.house = house.Serve(t, house.Options{
		Whole:  true,
		Agents: []string{place(t, vendor, url)}, Log: "debug",
		Env: []string{"DUPLEX_KEY=" + duplextest.Key, "FLAMETREE_EGRESS_ALLOW=" + strings.TrimPrefix(url, "http://")},
	})
	var err error
	d.phone, err = caller.New(t.Context(), caller.Options{Keep: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = d.phone.Close() })
	d.call, err = d.phone.Call(t.Context(), d.house.Agent(t, "Duplex harbour").SIP, sip.DialOptions{From: "skipper"})
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the vendor was asked %q and remembers %q", d.vendor.Log(), d.vendor.Memory())
		}
	})
	return d
}

// next is the line that belongs to sound, "" when there is hardly any in it.
func (d *desk) next(pcm []int16) string {
	loud := 0
	for _, v := range pcm {
		if v > 1500 || v < -1500 {
			loud++
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if loud < len(pcm)/200 || len(d.lines) == 0 {
		return ""
	}
	line := d.lines[0]
	d.lines = d.lines[1:]
	return line
}

func answer(a duplextest.Asked) duplextest.Reply {
	switch {
	case len(a.Results) > 0:
		return duplextest.Reply{Text: booked}
	case strings.Contains(a.Heard, "berth"):
		return duplextest.Reply{Wish: &duplextest.Wish{Name: "book_berth", Args: `{"number":4}`}}
	case strings.Contains(a.Heard, "rules"):
		return duplextest.Reply{Text: rules}
	}
	return duplextest.Reply{Text: other}
}

// place writes the agent's folder.
func place(t *testing.T, vendor, url string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/harbour")))
	file := filepath.Join(dir, "agent.yaml")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	model := map[string]string{"openai": "gpt-realtime", "gemini": "gemini-3.1-flash-live-preview"}[vendor]
	out := strings.NewReplacer("VENDOR", vendor, "MODEL", model, "URL", url).Replace(string(text))
	require.NoError(t, os.WriteFile(file, []byte(out), 0o600))
	return file
}

// flite says a text at a rate.
func flite(t *testing.T, text string, rate int) []int16 {
	dir := t.TempDir()
	loud, raw := filepath.Join(dir, "a.wav"), filepath.Join(dir, "a.raw")
	for _, c := range [][]string{
		{"flite", "-voice", "slt", "-t", text, "-o", loud},
		{"sox", loud, "-t", "raw", "-r", map[int]string{8000: "8000", 24000: "24000"}[rate], "-e", "signed", "-b", "16", "-c", "1", raw, "gain", "-n", "-6"},
	} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%v: %v %s", c, err, out)
			return make([]int16, rate)
		}
	}
	b, err := os.ReadFile(raw)
	if err != nil {
		t.Error(err)
	}
	pcm := make([]int16, len(b)/2)
	for i := range pcm {
		pcm[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return pcm
}

// say speaks, with a pause behind it, and tells when it began.
func (d *desk) say(text string) time.Time {
	d.t.Helper()
	begun := time.Now()
	_, err := d.call.Say(d.within(20*time.Second), flite(d.t, text, caller.RateHz))
	require.NoError(d.t, err)
	return begun
}

func (d *desk) within(most time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(d.t.Context(), most)
	d.t.Cleanup(cancel)
	return ctx
}

// spoken waits for an answer and its end.
func (d *desk) spoken(since time.Time) {
	d.t.Helper()
	require.NoError(d.t, d.call.WaitVoice(d.within(25*time.Second), since, 300*time.Millisecond), "an answer begins")
	require.NoError(d.t, d.call.WaitQuiet(d.within(25*time.Second), since, 900*time.Millisecond), "and ends")
}

// outline is the loudness of sound in steps of 20 ms, in dB over silence.
func outline(pcm []int16) []float64 {
	var out []float64
	for i := 0; i+160 <= len(pcm); i += 160 {
		sum := 1.0
		for _, v := range pcm[i : i+160] {
			sum += float64(v) * float64(v) / 160
		}
		out = append(out, max(0, 10*math.Log10(sum)-25))
	}
	return out
}

// likeness is the best correlation of want's outline with a stretch of heard's.
func likeness(heard, want []int16) float64 {
	h, w := outline(heard), outline(want)
	best := 0.0
	for from := 0; from+len(w) <= len(h); from++ {
		best = max(best, correlation(h[from:from+len(w)], w))
	}
	return best
}

func correlation(a, b []float64) float64 {
	var ma, mb, ab, aa, bb float64
	for i := range a {
		ma, mb = ma+a[i]/float64(len(a)), mb+b[i]/float64(len(b))
	}
	for i := range a {
		ab, aa, bb = ab+(a[i]-ma)*(b[i]-mb), aa+(a[i]-ma)*(a[i]-ma), bb+(b[i]-mb)*(b[i]-mb)
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}

type line struct {
	Text, Full  struct{ Text string }
	Interrupted bool
	Played      time.Duration
}

// story hangs up and reads what the journal tells.
func (d *desk) story() (session string, events []house.Event) {
	d.t.Helper()
	d.call.Hangup()
	end := d.house.Until(d.t, "the end of the session", 20*time.Second, func(e house.Event) bool { return e.Kind == "session.ended.v1" })
	d.house.Until(d.t, "the end of the call", 20*time.Second, func(e house.Event) bool { return e.Kind == "call.ended.v1" })
	all, err := d.house.Events(d.t.Context(), 1)
	require.NoError(d.t, err)
	return end.Session, all
}

func of(events []house.Event, kind string) (out []house.Event) {
	for _, e := range events {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

func said(t *testing.T, events []house.Event) (out []line) {
	for _, e := range of(events, "reply.spoken.v1") {
		var l line
		e.Into(t, &l)
		out = append(out, l)
	}
	return out
}

func heard(events []house.Event) (out []string) {
	for _, e := range of(events, "utterance.heard.v1") {
		out = append(out, e.Text)
	}
	return out
}

// equal decides the conversation again.
func (d *desk) equal(session string) {
	d.t.Helper()
	var r struct {
		Inputs, Decisions int
		Differences       []json.RawMessage
	}
	require.NoError(d.t, json.Unmarshal([]byte(house.Must(d.t, "--data", d.house.Data, "replay", session, "--json")), &r))
	require.NotZero(d.t, r.Decisions)
	require.Empty(d.t, r.Differences)
}

// keyless looks for the vendor's key wherever the program leaves something.
func (d *desk) keyless(events []house.Event) {
	d.t.Helper()
	core := strings.TrimPrefix(duplextest.Key, "sk-")
	texts := map[string]string{"log": d.house.Log(), "output": d.house.Said()}
	for _, e := range events {
		texts["journal"] += e.Raw
	}
	require.NoError(d.t, filepath.WalkDir(d.house.Data, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			b, _ := os.ReadFile(path) // what is gone meanwhile tells nothing
			texts["file "+e.Name()] += string(b)
		}
		return nil
	}))
	for where, text := range texts {
		require.NotContains(d.t, text, core, where)
	}
}

// TestCall holds one call with each vendor: a tool is called once, its answer is
// heard at the telephone in the model's own voice, an interruption is heard as
// silence, and the journal holds what was heard.
func TestCall(t *testing.T) {
	for _, vendor := range []string{"openai", "gemini"} {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			d := open(t, vendor)
			d.spoken(time.Time{})
			begun := d.say(ask)
			ended := time.Now()
			require.NoError(t, d.call.WaitVoice(d.within(25*time.Second), ended, 100*time.Millisecond), "an answer")
			t.Logf("figure: %s: an answer with a tool begins %v after the caller's last sound (words at once, model at once)", vendor, time.Since(ended).Round(10*time.Millisecond))
			d.spoken(begun.Add(time.Second))
			begun = d.say(askAll)
			require.NoError(t, d.call.WaitVoice(d.within(25*time.Second), begun.Add(1500*time.Millisecond), 3*time.Second), "the rules begin")
			interrupted := d.say(stop)
			last := interrupted
			for _, p := range d.call.Heard(interrupted) {
				if p.Level >= caller.Voiced && p.At.Sub(last) < 400*time.Millisecond {
					last = p.At
				}
			}
			t.Logf("figure: %s: %v from the interruption's first sound to the last packet of the agent's", vendor, last.Sub(interrupted).Round(10*time.Millisecond))
			spoke := interrupted.Add(time.Duration(len(flite(t, stop, caller.RateHz))) * time.Second / caller.RateHz)
			require.NoError(t, d.call.WaitVoice(d.within(25*time.Second), spoke, 60*time.Millisecond), "an answer")
			t.Logf("figure: %s: an answer without a tool begins %v after it", vendor, time.Since(spoke).Round(10*time.Millisecond))
			d.spoken(interrupted.Add(1500 * time.Millisecond))
			sound := d.call.Audio()
			session, events := d.story()
			d.check(vendor, events)
			for _, text := range []string{booked, other} {
				like := likeness(sound, flite(t, text, caller.RateHz))
				t.Logf("figure: %s: likeness of %q at the telephone %.2f", vendor, text, like)
				require.Greater(t, like, 0.7, text)
			}
			d.equal(session)
			d.keyless(events)
		})
	}
}

// check compares the journal with the conversation and with what the vendor knows.
func (d *desk) check(vendor string, events []house.Event) {
	t := d.t
	t.Helper()
	require.Equal(t, []string{ask, askAll, stop}, heard(events))
	lines := said(t, events)
	require.Len(t, lines, 4)
	require.Equal(t, welcome, lines[0].Text.Text)
	require.Equal(t, booked, lines[1].Text.Text)
	require.True(t, lines[2].Interrupted)
	part := lines[2].Text.Text
	require.True(t, part != "" && strings.HasPrefix(rules, strings.TrimRight(part, " .")), "heard of the rules: %q", part)
	share := float64(lines[2].Played) * 8000 / float64(time.Second) / float64(len(flite(t, rules, 8000)))
	t.Logf("figure: %s: %.0f %% of the rules were played, %.0f %% of their letters are in the journal", vendor, 100*share, 100*float64(len(part))/float64(len(rules)))
	require.Less(t, share, 0.6, "the agent falls silent long before the end")
	require.InDelta(t, share, float64(len(part))/float64(len(rules)), 0.12)
	require.Equal(t, other, lines[3].Text.Text)
	require.Len(t, of(events, "tool.answered.v1"), 1, "the tool is called once")
	priced := 0
	for _, e := range of(events, "model.answered.v1") {
		require.Contains(t, e.Raw, map[string]string{"openai": "openai_realtime", "gemini": "gemini_live"}[vendor])
		var a struct {
			Input uint32
			Cost  uint64
		}
		if e.Into(t, &a); a.Input > 0 { // the vendor has told
			require.Equal(t, uint64(3*4+4*32+1*16+8*64), a.Cost, "by the price of the model that speaks")
			priced++
		}
	}
	require.NotZero(t, priced)
	for _, e := range of(events, "turn.timed.v1") {
		t.Logf("figure: %s: turn %s", vendor, e.Body)
	}
	memory := strings.Join(d.vendor.Memory(), "\n")
	require.NotContains(t, memory, "Dogs must be kept", "the vendor knows what was heard, not what it made")
	if vendor == "openai" {
		require.True(t, d.vendor.Logged("truncated at "), "%q", d.vendor.Log())
	}
}

// TestFallsBack: a vendor that refuses or dies leaves the caller with an agent that
// answers, by its ordinary recogniser, model and voice.
func TestFallsBack(t *testing.T) {
	for name, trouble := range map[string][]duplextest.Trouble{
		"a key that is refused":    {{Kind: duplextest.Refuse}},
		"too many calls":           {{Kind: duplextest.TooMany}},
		"it dies in the middle":    {{Kind: duplextest.Dies, Seed: 4}, {Kind: duplextest.Dies, Seed: 2}},
		"it is silent in the call": {{Kind: duplextest.Silent, Seed: 2}, {Kind: duplextest.Silent, Seed: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, "openai", trouble...)
			d.spoken(time.Time{})
			ended := d.say("what is the harbour")
			require.NoError(t, d.call.WaitVoice(d.within(30*time.Second), ended.Add(1200*time.Millisecond), 300*time.Millisecond), "the caller hears something")
			took := time.Since(ended) - time.Duration(len(flite(t, "what is the harbour", 8000)))*time.Second/8000
			t.Logf("figure: %s: heard %v after the caller's last sound", name, took.Round(10*time.Millisecond))
			d.spoken(ended.Add(1200 * time.Millisecond))
			session, events := d.story()
			require.NotEmpty(t, said(t, events)[1].Text.Text)
			d.equal(session)
			d.keyless(events)
		})
	}
}
