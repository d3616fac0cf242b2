package scenario

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/actors"
	"flametree/actors/actorstest"
	"flametree/engine/agent/demo"
	"flametree/engine/event"
	"flametree/engine/provider/builtin"
	"flametree/engine/replay"
	"flametree/engine/session"
)

var update = flag.Bool("update", false, "rewrite the golden transcripts")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestScripts plays every testdata/*.script and compares the transcript its
// journal tells with the .golden beside it.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.script")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(scripts), 8)
	for _, script := range scripts {
		name := strings.TrimSuffix(script, ".script")
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(script)
			require.NoError(t, err)
			var got string
			synctest.Test(t, func(t *testing.T) {
				defer time.Sleep(time.Second) // protoactor counts dead letters a little longer
				p := &play{t: t}
				defer p.end()
				p.perform(string(text))
				p.end()
				got = p.transcript()
			})
			if *update {
				require.NoError(t, os.WriteFile(name+".golden", []byte(got), 0o644))
			}
			want, err := os.ReadFile(name + ".golden")
			require.NoError(t, err, "run with -update")
			if got != string(want) {
				t.Errorf("transcript changed (run with -update if meant):\n--- got\n%s--- want\n%s", got, want)
			}
		})
	}
}

// play is one script on its stage.
type play struct {
	t     *testing.T
	h     *actorstest.House
	phone *actorstest.Phone // nil in a chat
	file  string
	chat  bool
	wrote int
}

func (p *play) perform(script string) {
	for n, line := range strings.Split(script, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" || p.setting(line) {
			continue
		}
		if p.h == nil {
			p.open()
		}
		if !p.deed(line) {
			p.t.Fatalf("line %d: %q is no deed", n+1, line)
		}
	}
}

// setting takes a line that comes before the conversation.
func (p *play) setting(line string) bool {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "agent":
		for _, f := range demo.Files() {
			if f.Name == rest {
				p.file = string(f.Text)
			}
		}
		require.NotEmpty(p.t, p.file, "no agent %q", rest)
	case "channel":
		p.chat = rest == "chat"
	case "env":
		if !strings.Contains(p.file, "\nenv:\n") {
			p.file += "\nenv:\n"
		}
		p.file = strings.Replace(p.file, "\nenv:\n", "\nenv:\n  "+rest+"\n", 1)
	default:
		return false
	}
	return true
}

// open begins the conversation.
func (p *play) open() {
	p.h = actorstest.New(p.t, time.Hour)
	p.h.Agent(p.t, p.file)
	p.h.Cast.Thinks = builtin.New()
	if p.chat {
		p.h.Begin(p.t, "s")
		return
	}
	p.phone = p.h.Ring(p.t, "s")
	p.phone.Line.Up()
	p.quiet()
}

func (p *play) deed(line string) bool {
	verb, rest, _ := strings.Cut(line, " ")
	if p.chat {
		if verb == "say" {
			p.write(rest)
			return true
		}
		return false
	}
	switch verb {
	case "after":
		after, then, _ := strings.Cut(rest, " ")
		p.spoken(p.length(after))
		return p.deed(then)
	case "say":
		p.phone.Say(rest)
	case "cough":
		p.phone.Noise(p.length(rest))
	case "press":
		p.phone.Press(rest)
	case "wait":
		time.Sleep(p.length(rest))
	case "hold":
		p.phone.Line.Hold()
		time.Sleep(p.length(rest))
		p.phone.Line.Unhold()
	case "ears":
		p.h.Ears.Die()
		return true // in the middle of whatever happens
	case "voice":
		p.h.Voice.Die()
		return true
	case "hang":
		p.phone.Line.End("hangup")
	default:
		return false
	}
	if verb != "after" {
		p.quietUnless(line)
	}
	return true
}

func (p *play) length(s string) time.Duration {
	d, err := time.ParseDuration(s)
	require.NoError(p.t, err)
	return d
}

// write sends a message and waits for the reply.
func (p *play) write(text string) {
	p.wrote++
	_, err := p.h.Dir.Ask(p.t.Context(), p.h.Session("s"), &actors.Write{ClientID: fmt.Sprint(p.wrote), Text: text})
	require.NoError(p.t, err)
	time.Sleep(time.Second)
}
