package guard

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/workflow/located"
)

func part(name string, line int, text string) Part {
	return Part{Name: name, Node: located.Node{Kind: located.Text, Line: line, Col: 3, Text: text}}
}

func TestContradictionsArePointedOut(t *testing.T) {
	for name, c := range map[string]struct {
		parts []Part
		want  []string // beginnings
	}{
		"two languages": {
			[]Part{part("speech style", 4, "Always reply in English."), part("task", 9, "Help people. Speak only German.")},
			[]string{`9:3: task wants the language German ("Speak only German."), speech style wants the language English ("Always reply in English.")`},
		},
		"asking and never asking": {
			[]Part{part("task", 2, "Never ask for the phone number."), part("state Contact", 7, "- Greet.\n- Ask the human for their phone number.")},
			[]string{`7:3: state Contact wants to ask for their phone number`},
		},
		"never asking for one of several": {
			[]Part{part("task", 2, "Do not ask for card numbers, PINs or passwords."), part("state", 7, "Ask for the PIN.")},
			[]string{`7:3: state wants to ask for the pin`},
		},
		"two ways of address": {
			[]Part{part("style", 2, "Speak in a formal tone."), part("identity", 1, "You are casual and funny.")},
			[]string{`1:3: identity wants informal speech`},
		},
		"two lengths": {
			[]Part{part("style", 2, "Keep answers short."), part("task", 5, "Give long and detailed answers.")},
			[]string{`5:3: task wants long answers`},
		},
		"within one text": {
			[]Part{part("style", 2, "Answer in French. Be formal. Answer in Spanish.")},
			[]string{`2:3: style wants the language Spanish`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := Contradictions(c.parts)
			require.Len(t, got, len(c.want), "%v", got)
			for i, w := range c.want {
				require.Contains(t, got[i].String(), w)
			}
		})
	}
}

func TestWhatIsNoContradiction(t *testing.T) {
	for name, parts := range map[string][]Part{
		"a condition":            {part("style", 1, "Speak English. If the human prefers it, speak German.")},
		"two together":           {part("style", 1, "Speak English or German."), part("task", 2, "Answer in English.")},
		"other things":           {part("task", 1, "Never ask for passwords."), part("state", 2, "Ask for the name and the telephone number.")},
		"neither of the two":     {part("style", 1, "Be neither too formal nor too casual."), part("task", 2, "Be formal.")},
		"a long explanation":     {part("style", 1, "Short sentences."), part("task", 2, "Explain the fees in detail if asked.")},
		"said twice":             {part("style", 1, "Keep replies short."), part("task", 2, "Be brief.")},
		"nothing":                {part("style", 1, ""), {}},
		"not to ask, said twice": {part("task", 1, "Never ask for the PIN."), part("state", 2, "Remember: do not ask for the PIN.")},
	} {
		require.Empty(t, Contradictions(parts), name)
	}
}

func TestShippedAgentsDoNotContradictThemselves(t *testing.T) {
	files, err := filepath.Glob("../agent/demo/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		r := located.NewReport("file")
		n := located.Parse(text, r)
		require.NoError(t, r.Err())
		parts := []Part{{"identity", n.Get("identity")}, {"speech style", n.Get("speech_style")}, {"task", n.Get("task")}}
		for _, s := range n.Get("workflow").Items {
			parts = append(parts, Part{"state " + s.Get("name").Text, s.Get("description")})
		}
		require.Greater(t, len(parts), 3)
		require.Empty(t, Contradictions(parts), f)
	}
}
