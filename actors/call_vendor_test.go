package actors_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/actors/actorstest"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/policy"
	"flametree/engine/turn"
)

// asked notes what recognisers and voices were opened with.
type asked struct {
	provider.Transcriber
	provider.Synthesizer

	mu        sync.Mutex
	languages []string
	voices    []provider.Voice
}

type askedEars struct{ *asked }

func (a askedEars) Open(ctx context.Context, f provider.Format) (provider.Transcription, error) {
	a.mu.Lock()
	a.languages = append(a.languages, f.Language)
	a.mu.Unlock()
	return a.Transcriber.Open(ctx, f)
}

type askedMouth struct{ *asked }

func (a askedMouth) Open(ctx context.Context, v provider.Voice) (provider.Speech, error) {
	a.mu.Lock()
	a.voices = append(a.voices, v)
	a.mu.Unlock()
	return a.Synthesizer.Open(ctx, v)
}

// noted puts a notepad before a house's recogniser and voice.
func noted(h *actorstest.House) *asked {
	a := &asked{Transcriber: h.Cast.Hears, Synthesizer: h.Cast.Speaks}
	h.Cast.Hears, h.Cast.Speaks = askedEars{a}, askedMouth{a}
	return a
}

const polyglot = "\nspeech:\n  languages: [en, de]\n"

func multilingual(t *testing.T, h *actorstest.House) {
	t.Helper()
	h.Agent(t, actorstest.VoiceFile("VOICE_SPECULATE: False")+polyglot)
}

// bodies are the events of a kind in a call.
func bodies[B event.Event](c *call) []B {
	c.t.Helper()
	var out []B
	for _, e := range c.h.CallEvents(c.t, "s") {
		if b, ok := e.Body.(B); ok {
			out = append(out, b)
		}
	}
	return out
}

// languageInputs are the languages that the turn machine was told.
func languageInputs(c *call) (all []string) {
	c.t.Helper()
	for _, b := range bodies[event.CallInputs](c) {
		for _, in := range b.Inputs {
			if in.Kind == turn.Language.String() {
				all = append(all, in.Text.Text)
			}
		}
	}
	return all
}

// replayed fails if the journal's inputs lead to other decisions.
func replayed(c *call) {
	c.t.Helper()
	var inputs []event.TurnInput
	for _, b := range bodies[event.CallInputs](c) {
		inputs = append(inputs, b.Inputs...)
	}
	start := bodies[event.CallAnswered](c)[0]
	cfg := turn.Default()
	for _, p := range start.Machine {
		require.NoError(c.t, cfg.Set(p.Key, p.Value))
	}
	require.Empty(c.t, turn.Rerun(cfg, start.Seed, inputs))
}

// TestTheModelChangesTheLanguage has the caller speak German: the model switches,
// and from then on the caller is heard and answered in German, in the same reply
// already; the turn machine knows it, and a replay decides the same.
func TestTheModelChangesTheLanguage(t *testing.T) {
	var a *asked
	before := func(h *actorstest.House) {
		multilingual(t, h)
		a = noted(h)
		h.Model.Reply = func(r provider.Request) []provider.Delta {
			last := r.Messages[len(r.Messages)-1]
			switch {
			case last.Role == provider.RoleTool:
				return actorstest.Says("Gern, wir sprechen jetzt Deutsch.")
			case strings.Contains(last.Text, "deutsch"):
				return []provider.Delta{{Call: &provider.ToolCall{ID: "1", Name: "SwitchLanguage", Args: `{"language":"de"}`}}, {Finish: provider.FinishTools}}
			}
			return actorstest.Says("Fine.")
		}
	}
	inHouse(t, nil, before, func(t *testing.T, h *actorstest.House) {
		c := &call{Phone: h.Ring(t, "s"), t: t, h: h}
		defer c.hangUp()
		c.greeted()
		c.Say("sprechen sie deutsch")
		c.quiet()
		c.Say("danke")
		c.quiet()
		require.Equal(t, []string{"HUMAN: sprechen sie deutsch", "AI: ", "TOOL: Go on in de.", "AI: Gern, wir sprechen jetzt Deutsch.", "HUMAN: danke", "AI: Fine."}, c.lines()[1:])
		require.Equal(t, []string{"en", "de"}, a.languages)
		require.Len(t, a.voices, 2)
		require.Equal(t, []string{"en", "de"}, []string{a.voices[0].Language, a.voices[1].Language})
		require.Contains(t, c.Heard(2), "Deutsch")
		require.Equal(t, "de", c.look().State.Born.Language)
		c.Line.End("hangup")
		time.Sleep(time.Second)
		require.Equal(t, []string{"de"}, languageInputs(c))
		replayed(c)
	})
}

// TestALanguageIsChangedWhileTheAgentSpeaks sets the language from outside in the
// middle of a reply: what was begun is said to its end in the old voice, what
// follows in the new one, and no word is lost.
func TestALanguageIsChangedWhileTheAgentSpeaks(t *testing.T) {
	var a *asked
	before := func(h *actorstest.House) {
		multilingual(t, h)
		a = noted(h)
		h.Model.Reply = says(tale)
	}
	inHouse(t, nil, before, func(t *testing.T, h *actorstest.House) {
		c := &call{Phone: h.Ring(t, "s"), t: t, h: h}
		defer c.hangUp()
		c.greeted()
		c.Say("tell me something")
		c.talking(500 * time.Millisecond)
		german := "de"
		_, err := h.Dir.Ask(t.Context(), h.Session("s"), &actors.Amend{Change: event.SessionUpdated{Language: &german}})
		require.NoError(t, err)
		c.quiet()
		require.Greater(t, len(c.lines()), 2, "nothing was said")
		require.Equal(t, "AI: "+tale, c.lines()[2])
		c.Say("and now")
		c.quiet()
		require.Equal(t, "AI: "+tale, c.lines()[4])
		require.Equal(t, "de", a.voices[len(a.voices)-1].Language)
		require.Equal(t, []string{"en", "de"}, a.languages)
		c.over()
	})
}

// TestALanguageThatIsNotSpokenIsRefused shows that the model cannot lead the
// conversation into a language that the agent does not have.
func TestALanguageThatIsNotSpokenIsRefused(t *testing.T) {
	before := func(h *actorstest.House) {
		multilingual(t, h)
		h.Model.Reply = func(r provider.Request) []provider.Delta {
			last := r.Messages[len(r.Messages)-1]
			if last.Role == provider.RoleTool {
				return actorstest.Says("I heard: " + last.Text)
			}
			return []provider.Delta{{Call: &provider.ToolCall{ID: "1", Name: "SwitchLanguage", Args: `{"language":"fr"}`}}, {Finish: provider.FinishTools}}
		}
	}
	inHouse(t, nil, before, func(t *testing.T, h *actorstest.House) {
		c := &call{Phone: h.Ring(t, "s"), t: t, h: h}
		defer c.hangUp()
		c.greeted()
		c.Say("parlez vous francais")
		c.quiet()
		require.Contains(t, strings.Join(c.lines(), "\n"), "language must be one of: en, de")
		require.Empty(t, c.look().State.Born.Language)
		c.over()
	})
}

// broken opens once and fails when it is told to.
type broken struct {
	provider.Transcriber
	fails error
}

func (b *broken) Open(ctx context.Context, f provider.Format) (provider.Transcription, error) {
	if b.fails != nil {
		return nil, b.fails
	}
	return b.Transcriber.Open(ctx, f)
}

// TestTheJournalTellsWhoTookOver lets vendors fail at the door and in the middle:
// the events name them, and why.
func TestTheJournalTellsWhoTookOver(t *testing.T) {
	before := func(h *actorstest.House) {
		denied := &broken{fails: fmt.Errorf("first: 401\nno: %w", fault.Denied)}
		h.Cast.Hears = policy.Ears([]policy.Ear{{Name: "first", Transcriber: denied}, {Name: "second", Transcriber: h.Cast.Hears}}, policy.LineOptions{})
		h.Cast.Speaks = policy.Mouths([]policy.Mouth{{Name: "voice", Synthesizer: h.Cast.Speaks}}, policy.LineOptions{})
	}
	inHouse(t, nil, before, func(t *testing.T, h *actorstest.House) {
		c := &call{Phone: h.Ring(t, "s"), t: t, h: h}
		defer c.hangUp()
		h.Model.Reply = says(tale)
		c.greeted()
		c.Say("tell me something")
		c.talking(300 * time.Millisecond)
		h.Voice.Die()
		c.quiet()
		require.Equal(t, "AI: "+tale, c.lines()[2])
		c.over()
		got := bodies[event.CallSpeechChanged](c)
		require.Len(t, got, 2)
		require.Equal(t, []string{"stt", "first", "second", "denied: first: 401; no: denied"}, []string{got[0].Role, got[0].From, got[0].To, got[0].Fault})
		require.Equal(t, []string{"tts", "voice", "voice"}, []string{got[1].Role, got[1].From, got[1].To})
		require.True(t, strings.HasPrefix(got[1].Fault, "unavailable: voice: "), got[1].Fault)
	})
}

// TestNobodyTookOver tells of the recogniser with which a call ended.
func TestNobodyTookOver(t *testing.T) {
	inCall(t, nil, func(c *call) {
		c.greeted()
		c.h.Ears.Fail(1000)
		c.h.Ears.Die()
		for range 200 {
			if c.Closed() {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Second)
		got := bodies[event.CallSpeechChanged](c)
		require.Len(c.t, got, 1)
		require.Equal(c.t, []string{"stt", ""}, []string{got[0].Role, got[0].To})
		require.True(c.t, strings.HasPrefix(got[0].Fault, "unavailable: "), got[0].Fault)
	})
}

// timedHearer is a recogniser that was measured.
type timedHearer struct {
	provider.Transcriber
	took time.Duration
	of   int
}

func (s timedHearer) P99() (time.Duration, int) { return s.took, s.of }

// TestLastWordsAreWaitedForAsLongAsTheyTake shows that a call goes by what was
// measured of its recogniser, where it was measured often enough and the agent
// has no wish of its own.
func TestLastWordsAreWaitedForAsLongAsTheyTake(t *testing.T) {
	for name, tt := range map[string]struct {
		took time.Duration
		of   int
		env  []string
		want time.Duration
	}{
		"not measured":        {0, 0, nil, turn.Default().STTFinalWait},
		"measured too few":    {300 * time.Millisecond, 19, nil, turn.Default().STTFinalWait},
		"a quick one":         {300 * time.Millisecond, 20, nil, 350 * time.Millisecond},
		"a slow one":          {1200 * time.Millisecond, 200, nil, 1250 * time.Millisecond},
		"one without end":     {time.Minute, 200, nil, turn.Default().STTTimeout},
		"the agent's wish":    {300 * time.Millisecond, 200, []string{"VOICE_STT_FINAL_WAIT_MS: 700"}, 700 * time.Millisecond},
		"one that is at once": {0, 200, nil, 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			h := actorstest.New(t, time.Hour)
			h.Agent(t, actorstest.VoiceFile(append([]string{"VOICE_SPECULATE: False"}, tt.env...)...))
			h.Cast.Hears = timedHearer{h.Cast.Hears, tt.took, tt.of}
			cfg, err := actors.Floor(h.Cast)
			require.NoError(t, err)
			require.Equal(t, tt.want, cfg.STTFinalWait)
		})
	}
}
