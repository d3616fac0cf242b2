package scenario

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
	sent  int // frames, at the last deed

	saying sync.WaitGroup
	ended  bool
}

func (p *play) perform(script string) {
	for n, line := range strings.Split(script, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' || p.setting(line) {
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

// deed does one line. What is said goes on beside what comes next.
func (p *play) deed(line string) bool {
	verb, rest, _ := strings.Cut(line, " ")
	switch {
	case p.chat && verb == "say":
		p.write(rest)
		return true
	case p.chat:
		return false
	case verb == "wait":
		time.Sleep(p.length(rest))
		return true
	}
	if when, then, _ := strings.Cut(rest, " "); verb == "after" || verb == "during" {
		if verb == "after" {
			p.answered()
		}
		time.Sleep(p.length(when))
		return p.act(then)
	}
	p.quiet()
	return p.act(line)
}

// act does at once what a caller on the telephone, the network or a vendor can do.
func (p *play) act(line string) bool {
	verb, rest, _ := strings.Cut(line, " ")
	p.sent = len(p.phone.Sent())
	switch verb {
	case "say":
		p.saying.Go(func() { p.phone.Say(rest) })
	case "cough":
		p.phone.Noise(p.length(rest))
	case "press":
		p.phone.Keys(rest)
	case "hold":
		p.phone.Line.Hold()
		time.Sleep(p.length(rest))
		p.phone.Line.Unhold()
	case "ears":
		p.h.Ears.Die()
	case "voice":
		p.h.Voice.Die()
	case "hang":
		p.phone.Line.End("hangup")
	default:
		return false
	}
	return true
}

// quiet waits until the caller has finished and nothing was sent for two seconds.
func (p *play) quiet() {
	p.saying.Wait()
	for n := -1; n < len(p.phone.Sent()); time.Sleep(2 * time.Second) {
		n = len(p.phone.Sent())
	}
}

// answered waits until the agent speaks again since the last deed.
func (p *play) answered() {
	p.saying.Wait()
	for range 1000 {
		if len(p.phone.Sent()) > p.sent {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.t.Fatal("the agent does not answer")
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

// end closes what is open and proves that what was lived is what is written.
func (p *play) end() {
	if p.h == nil || p.ended {
		return
	}
	p.ended = true
	if p.phone != nil {
		if !p.t.Failed() {
			p.quiet()
		}
		p.phone.Line.End("hangup")
		time.Sleep(time.Second)
		calls, err := replay.Call(p.h.CallEvents(p.t, "s"), nil)
		require.NoError(p.t, err)
		require.Empty(p.t, calls.Differences)
	}
	live, err := p.h.Dir.Ask(p.t.Context(), p.h.Session("s"), &actors.Look{})
	require.NoError(p.t, err)
	events := p.h.Events(p.t, "s")
	require.Equal(p.t, live.(*actors.View).State, replay.State(events))
	require.Empty(p.t, replay.Session(events, p.h.Cast.Revision).Differences)
}

// transcript is what the journal tells of the conversation, as people read it.
func (p *play) transcript() string {
	events := append(p.h.Events(p.t, "s"), p.h.CallEvents(p.t, "s")...)
	slices.SortStableFunc(events, func(a, b event.Envelope) int { return cmp.Or(last(a)-last(b), cmp.Compare(a.Position, b.Position)) })
	var out strings.Builder
	for _, e := range events {
		if who, what := told(e.Body); who != "" {
			fmt.Fprintf(&out, "%-8s %s\n", who+":", what)
		}
	}
	state := replay.State(p.h.Events(p.t, "s"))
	slices.SortFunc(state.Results, func(a, b session.Result) int { return strings.Compare(a.Field, b.Field) })
	for _, r := range state.Results {
		fmt.Fprintf(&out, "%-8s %s = %s\n", "result:", r.Field, r.Value)
	}
	status := "open"
	if state.Ended {
		status = string(state.Status)
	}
	fmt.Fprintf(&out, "%-8s %s\n", "status:", status)
	return out.String()
}

// last is 1 for the end of a call: its stream and the session's are written
// beside each other.
func last(e event.Envelope) int {
	if _, end := e.Body.(event.CallEnded); end {
		return 1
	}
	return 0
}

// told is how a transcript tells of an event; "" for those that it leaves out.
func told(e event.Event) (who, what string) {
	switch b := e.(type) {
	case event.UtteranceHeard:
		switch {
		case b.Unheard:
			return "caller", "(not understood)"
		case b.Digits:
			return "caller", "(keys) " + b.Text.Text
		}
		return "caller", b.Text.Text
	case event.MessageReceived:
		return "human", b.Text.Text
	case event.ReplySpoken:
		if b.Interrupted {
			return "agent", strings.TrimSpace(b.Text.Text + " -- (interrupted)")
		}
		return "agent", b.Text.Text
	case event.ReplySent:
		what = b.Text.Text
		if len(b.Options) > 0 {
			what += " [" + strings.Join(b.Options, "] [") + "]"
		}
		return "agent", what
	case event.ReplyLost:
		return "agent", "(lost: " + b.Reason + ")"
	case event.StateEntered:
		return "state", b.State
	case event.ToolCalled:
		if b.Refused != "" {
			return "tool", b.Call.Name + " refused: " + b.Refused
		}
		return "tool", b.Call.Name
	case event.CallHeld:
		return "line", "held"
	case event.CallResumed:
		return "line", "resumed"
	case event.CallEnded:
		return "line", "ended by " + b.By + ": " + b.Reason
	default:
		return "", ""
	}
}
