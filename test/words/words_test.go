// Package words measures how much of what a caller says arrives as words: over
// real SIP and RTP at 8 kHz, in voices the recogniser was not made with.
package words

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/cluster/config"
	"flametree/cluster/node"
	"flametree/engine/agent"
	"flametree/engine/agent/demo"
	"flametree/engine/event"
	"flametree/engine/provider"
	"flametree/engine/provider/pocketsphinx"
	"flametree/engine/provider/pocketsphinx/lm"
	"flametree/media/caller"
	"flametree/media/g711"
	"flametree/media/resample"
	"flametree/media/sip"
	"flametree/media/wav"
)

// sentences are what people might say to the bank's agent. None stands in its
// file or in the recogniser's corpus; the test looks.
func sentences() []string {
	return []string{
		"how much money can i spend with the premium card in one day",
		"i would like to know what happens when i lose my card",
		"can you tell me how long i have to wait for a new card",
		"what do i have to pay every year for the basic card",
		"is it possible to pay with my phone",
		"i forgot my pin and now i do not know what to do",
		"how do i change the pin of my debit card",
		"somebody has stolen my card please block it now",
		"does it cost anything when i take out cash in another country",
		"i want to order a second card for my daughter",
		"which card is better for people who travel a lot",
		"when will my card come in the post",
		"how does the premium card differ from the other one",
		"can i use the card to buy things on the internet",
		"how much cash can i take out of the machine each day",
		"my name is mary johnson",
		"yes please call me back tomorrow morning",
		"no thank you i do not need anything else",
		"sorry could you repeat the last part for me",
		"i found my card can you unblock it",
		"why was my payment declined yesterday",
		"how do i activate the new card",
		"do you have a card without any fees",
		"what should i do if i do not know a payment on my account",
		"can i make the limit of my card lower",
		"are there fees when i pay in dollars",
		"i need help with my debit card",
		"how old do i have to be to get a card",
		"good morning i have a question about the premium debit card",
		"that is all thank you very much goodbye",
	}
}

// floors are the least shares of words right, by voice.
func floors() map[string]float64 {
	return map[string]float64{"rms": 0.80, "slt": 0.70, "awb": 0.70, "espeak": 0.50}
}

// mute answers every turn with one short word, so that the test is about hearing.
type mute struct{}

// Complete implements provider.Completer.
func (mute) Complete(_ context.Context, r provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		text := "Yes."
		if r.Schema != nil {
			text = "{}"
		}
		_ = yield(provider.Delta{Text: text}, nil) && yield(provider.Delta{Finish: provider.FinishStop}, nil)
	}
}

func serve(t *testing.T) (*node.Node, string) {
	t.Helper()
	c, err := config.Load(config.Sources{Getenv: func(string) string { return "" }, Flags: map[string]string{
		"data": t.TempDir(), "http": "127.0.0.1:0", "sip": "127.0.0.1:0", "rtp": "0-0", "metrics": "off",
		"disk.low": "16MB", "disk.ballast": "1MB", "admission.pacer-late-p99": "10s",
	}})
	require.NoError(t, err)
	var files []node.AgentFile
	for _, f := range demo.Files() {
		// Callers speak one sentence after the other: nobody shall be asked whether they are there.
		text := strings.Replace(string(f.Text), "env:\n", "env:\n  VOICE_BARGE_IN: \"False\"\n", 1)
		files = append(files, node.AgentFile{Name: f.Name, Text: []byte(text)})
	}
	n, err := node.Start(t.Context(), node.Options{
		Config: c, Agents: files, Log: slog.New(slog.DiscardHandler),
		Providers: func(string) (node.Providers, error) {
			p, err := node.Builtins(c)
			p.Completers["builtin"] = mute{}
			return p, err
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { n.Stop(0) })
	for _, a := range n.Agents() {
		if strings.Contains(a.SIP, "sip:bank@") {
			return n, a.SIP
		}
	}
	t.Fatal("the demo has no bank")
	return nil, ""
}

func TestNoSentenceStandsInTheCorpus(t *testing.T) {
	require.Len(t, sentences(), 30)
	for _, f := range demo.Files() {
		rev, _, err := agent.Compile("x", 1, f.Text)
		require.NoError(t, err)
		require.True(t, lm.Contains(rev.Hints(), "thank you very much"), "the check itself must work")
		for _, s := range sentences() {
			if lm.Contains(rev.Hints(), s) {
				t.Errorf("%q is in the corpus", s)
			}
		}
	}
}

// TestWordsAreHeard gives each sentence in each voice to the recogniser as a
// telephone line would carry it, µ-law at 8 kHz, as fast as it is decoded: so
// the count does not depend on how busy the machine is.
func TestWordsAreHeard(t *testing.T) {
	var rev *agent.Revision
	for _, f := range demo.Files() {
		if r, _, err := agent.Compile("bank", 1, f.Text); err == nil && r.Spec.Alias == "bank" {
			rev = r
		}
	}
	require.NotNil(t, rev)
	ears := pocketsphinx.New(pocketsphinx.Options{Dir: t.TempDir()})
	for voice, floor := range floors() {
		t.Run(voice, func(t *testing.T) {
			t.Parallel() // among voices: nobody is on the telephone meanwhile
			c := count{voice: voice, floor: floor}
			said := sentences()
			if os.Getenv("FLAMETREE_TEST_LONG") == "" && voice != "rms" {
				said = said[:15]
			}
			for _, s := range said {
				c.add(t, s, decode(t, ears, rev.Hints(), line(t, voice, s)))
			}
			c.judge(t, "words right at 8 kHz")
		})
	}
}

// line is a sentence as it comes out of a telephone line: µ-law and back, up to
// the recogniser's rate, with silence before and after.
func line(t *testing.T, voice, text string) []int16 {
	pcm, err := speak(t, voice, text)
	require.NoError(t, err)
	quiet := make([]int16, caller.RateHz/2)
	pcm = append(append(append([]int16(nil), quiet...), pcm...), quiet...)
	wire := make([]byte, len(pcm))
	g711.MuLaw.Encode(wire, pcm)
	g711.MuLaw.Decode(pcm, wire)
	out, err := resample.All(pcm, caller.RateHz, 16000)
	require.NoError(t, err)
	return out
}

func decode(t *testing.T, ears provider.Transcriber, h provider.Hints, pcm []int16) string {
	s, err := ears.Open(t.Context(), provider.Format{RateHz: 16000, BandHz: 8000, Hints: h})
	require.NoError(t, err)
	for f := range slices.Chunk(pcm, 320) {
		require.NoError(t, s.Write(f))
	}
	require.NoError(t, s.Finalize())
	require.NoError(t, s.CloseSend())
	var words []string
	for h, err := range s.Heard() {
		require.NoError(t, err)
		if h.Final && h.Text != "" {
			words = append(words, h.Text)
		}
	}
	return strings.Join(words, " ")
}

// count compares what was said with what was heard, word by word.
type count struct {
	voice        string
	floor        float64
	wrong, total int
}

func (c *count) add(t *testing.T, said, heard string) {
	want := strings.Fields(said)
	e := distance(want, strings.Fields(heard))
	c.wrong, c.total = c.wrong+e, c.total+len(want)
	if e > 0 {
		t.Logf("%s: %q was heard as %q", c.voice, said, heard)
	}
}

func (c *count) judge(t *testing.T, what string) {
	right := 1 - float64(c.wrong)/float64(c.total)
	t.Logf("figure: %s, %s: %.1f %% (at least %.0f %%)", what, c.voice, 100*right, 100*c.floor)
	if right < c.floor {
		t.Errorf("%s: %.1f %% of words right, want %.0f %%", c.voice, 100*right, 100*c.floor)
	}
}

// TestWordsArriveOverRTP says each sentence in each voice in real calls and
// counts. It takes minutes and a quiet machine: by night all voices, by day a
// few sentences in the demo caller's voice, which are only printed.
func TestWordsArriveOverRTP(t *testing.T) {
	long := os.Getenv("FLAMETREE_TEST_LONG") != ""
	n, target := serve(t)
	phone, err := caller.New(t.Context(), caller.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = phone.Close() })
	for voice, floor := range floors() {
		said := sentences()
		if !long {
			if voice != "rms" {
				continue
			}
			said = said[:6]
		}
		heard := make([]string, len(said))
		const lines = 2
		var wg sync.WaitGroup
		for l := range lines {
			wg.Go(func() {
				for i := l; i < len(said); i += lines * 3 {
					group := []int{i}
					for _, more := range []int{i + lines, i + 2*lines} {
						if more < len(said) {
							group = append(group, more)
						}
					}
					if err := talk(t, n, phone, target, voice, group, said, heard); err != nil {
						t.Error(voice, err)
						return
					}
				}
			})
		}
		wg.Wait()
		c := count{voice: voice, floor: floor}
		if !long {
			c.floor = 0.4 // that the path works; the count is the other test's
		}
		for i, s := range said {
			c.add(t, s, heard[i])
		}
		c.judge(t, "words right over RTP")
	}
}

// talk says some sentences in one call and notes what was heard of each.
func talk(t *testing.T, n *node.Node, phone *caller.Phone, target, voice string, group []int, said, heard []string) error {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	call, err := phone.Call(ctx, target, sip.DialOptions{From: fmt.Sprintf("c%d", group[0])})
	if err != nil {
		return err
	}
	since := time.Now().Add(-time.Second)
	for _, i := range group {
		if err := call.WaitQuiet(ctx, since, 700*time.Millisecond); err != nil {
			return err
		}
		pcm, err := speak(t, voice, said[i])
		if err != nil {
			return err
		}
		s, err := call.Say(ctx, pcm)
		if err != nil {
			return err
		}
		since = s.Last
	}
	if err := call.WaitQuiet(ctx, since, 700*time.Millisecond); err != nil {
		return err
	}
	id := call.SIP().CallID()
	call.Hangup()
	lines := utterances(t, n, id)
	// A sentence may have been taken as two turns: all of it counts for the last.
	for k, i := range group {
		if k < len(lines) {
			heard[i] = lines[k]
		}
	}
	if len(lines) > len(group) {
		heard[group[len(group)-1]] = strings.Join(lines[len(group)-1:], " ")
	}
	return nil
}

// utterances reads what was heard in the call with a SIP Call-ID.
func utterances(t *testing.T, n *node.Node, callID string) []string {
	session, last := "", n.Journal().Position()
	var out []string
	for e, err := range n.Journal().Subscribe(t.Context(), 1) {
		if err != nil {
			t.Error(err)
			return nil
		}
		switch b := e.Body.(type) {
		case event.CallOffered:
			if b.SIPCallID == callID {
				session = b.Session
			}
		default:
		}
		if e.Position >= last {
			break
		}
	}
	for e, err := range n.Journal().Subscribe(t.Context(), 1) {
		if err != nil {
			t.Error(err)
			return nil
		}
		if b, ok := e.Body.(event.UtteranceHeard); ok && e.Stream.ID == session {
			out = append(out, b.Text.Text)
		}
		if e.Position >= last {
			break
		}
	}
	return out
}

// speak renders a sentence with a foreign program, as a caller's telephone would send it.
func speak(t *testing.T, voice, text string) ([]int16, error) {
	file := filepath.Join(t.TempDir(), "x.wav")
	cmd := exec.Command("flite", "-voice", voice, "-t", text, "-o", file)
	if voice == "espeak" {
		cmd = exec.Command("espeak-ng", "-v", "en-us", "-w", file, text)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	b, err := exec.Command("cat", file).Output()
	if err != nil {
		return nil, err
	}
	a, err := wav.Read(bytes.NewReader(b), wav.Limits{})
	if err != nil {
		return nil, err
	}
	return resample.All(a.Mono(), a.RateHz, caller.RateHz)
}

func distance(a, b []string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		prev := row[0]
		row[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			old := row[j+1]
			row[j+1] = min(row[j+1]+1, row[j]+1, prev+cost)
			prev = old
		}
	}
	return row[len(b)]
}

// TestSilenceHoldsNoWords listens to 60 s of a quiet line, ten lines at once.
func TestSilenceHoldsNoWords(t *testing.T) {
	n, target := serve(t)
	phone, err := caller.New(t.Context(), caller.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = phone.Close() })
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			call, err := phone.Call(ctx, target, sip.DialOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			// Faint noise, as a line has it, a different amount on each.
			noise := make([]int16, 10*caller.RateHz)
			x := uint32(i + 1)
			for j := range noise {
				x = x*1664525 + 1013904223
				noise[j] = int16(int32(x>>16)%int32(1+4*i)) - int16(2*i)
			}
			if _, err := call.Say(ctx, noise); err != nil {
				t.Error(err)
			}
			id := call.SIP().CallID()
			call.Hangup()
			for _, w := range utterances(t, n, id) {
				if w != "" {
					t.Errorf("heard %q in noise %d", w, i)
				}
			}
		})
	}
	wg.Wait()
	t.Log("figure: 60 s of quiet lines: no words")
}
