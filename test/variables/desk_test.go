package variables

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/cluster/config"
	"flametree/cluster/node"
	"flametree/engine/provider"
	"flametree/test/house"
)

// teller is a model that answers with what it was asked with, so that whatever
// a variable changes in a request can be seen in the reply.
type teller struct{}

// Complete implements provider.Completer.
func (teller) Complete(_ context.Context, r provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		text, calls := tell(r)
		finish := provider.FinishStop
		for _, c := range calls {
			finish = provider.FinishTools
			if !yield(provider.Delta{Call: &c}, nil) {
				return
			}
		}
		if text != "" && !yield(provider.Delta{Text: text}, nil) {
			return
		}
		yield(provider.Delta{Finish: finish}, nil)
	}
}

func tell(r provider.Request) (string, []provider.ToolCall) {
	if len(r.Schema) > 0 {
		return "{}", nil
	}
	last := r.Messages[len(r.Messages)-1]
	if last.Role == provider.RoleTool {
		return "Noted.", nil
	}
	switch word, rest, _ := strings.Cut(last.Text, " "); word {
	case "rules":
		if strings.HasPrefix(part(r, provider.PartRules), "Speak like a sailor.\n") { // it must not be recited
			return "Aye.", nil
		}
		return "Yes.", nil
	case "style":
		return part(r, provider.PartStyle), nil
	case "temperature":
		return fmt.Sprint(r.Temperature), nil
	case "tokens":
		return fmt.Sprint(r.MaxTokens), nil
	case "deadline":
		return r.Deadline.String(), nil
	case "history":
		return fmt.Sprint(len(r.Messages)), nil
	case "leaflets":
		n := 0
		for _, p := range r.System {
			if p.Kind == provider.PartKnowledge {
				n++
			}
		}
		return fmt.Sprint(n), nil
	case "nothing":
		return "", nil
	case "person":
		return "", []provider.ToolCall{{ID: "p", Name: "TransferToHuman", Args: `{"reason":"wished","summary":"none"}`}}
	case "report":
		var calls []provider.ToolCall
		for i := range len(rest) {
			calls = append(calls, provider.ToolCall{ID: fmt.Sprint("r", i), Name: "ReportUnansweredQuestion", Args: `{"question":"why"}`})
		}
		return "", calls
	}
	return "Yes.", nil
}

func part(r provider.Request, kind provider.PartKind) string {
	for _, p := range r.System {
		if p.Kind == kind {
			return p.Text
		}
	}
	return ""
}

// file is an agent with some variables.
func file(name string, env map[string]string) string {
	out := "name: " + name + `
type: inbound_text
identity: You tell what you are told.
speech_style: Plain.
task: Tell.
welcome_message: Welcome.
handoff: {allow: true}
knowledge:
  texts:
`
	for town := range strings.FieldsSeq("Aachen Bremen Chemnitz Dresden Erfurt Flensburg Gotha Hannover") {
		out += "    - {title: Leaflet of " + town + ", text: The leaflets of " + town + " tell about leaflets and fees in " + town + ".}\n"
	}
	if len(env) > 0 {
		out += "env:\n"
	}
	for _, k := range slices.Sorted(maps.Keys(env)) {
		out += fmt.Sprintf("  %s: %q\n", k, env[k])
	}
	return out
}

// serve starts one node with all agents.
func serve(t *testing.T, agents map[string]map[string]string) (visit func(name string) *house.Chat) {
	t.Helper()
	c, err := config.Load(config.Sources{Getenv: func(string) string { return "" }, Flags: map[string]string{
		"data": t.TempDir(), "http": "127.0.0.1:0", "sip": "off", "webrtc": "off", "rtp": "0-0", "metrics": "off",
		"disk.low": "16MB", "disk.ballast": "1MB",
	}})
	require.NoError(t, err)
	var files []node.AgentFile
	for _, name := range slices.Sorted(maps.Keys(agents)) {
		files = append(files, node.AgentFile{Name: name, Text: []byte(file(name, agents[name]))})
	}
	n, err := node.Start(t.Context(), node.Options{
		Config: c, Agents: files, Log: slog.New(slog.DiscardHandler),
		Providers: func(string) (node.Providers, error) {
			p, err := node.Builtins(c)
			if err == nil {
				p.Completers["builtin"], p.Transcribers["builtin"] = teller{}, meter{}
			}
			return p, err
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { n.Stop(0) })
	return func(name string) *house.Chat {
		for _, a := range n.Agents() {
			if a.Name == name {
				return &house.Chat{HTTP: n.Addresses().HTTP, Agent: a.ID, Token: a.Token}
			}
		}
		t.Fatalf("no agent %s", name)
		return nil
	}
}

// session is as much of a session as variables change.
type session struct {
	ID          string   `json:"session_id"`
	Mode        string   `json:"mode"`
	StartPhrase string   `json:"start_phrase"`
	Timeout     *float64 `json:"timeout"`
	Thoughts    bool     `json:"show_thoughts"`
}

func begin(t *testing.T, c *house.Chat) session {
	t.Helper()
	a := c.JSON(t, http.MethodPost, "/session", map[string]string{"user_id": "u1"})
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	var s session
	a.Into(t, &s)
	return s
}

// saying is the answer to the last of some lines.
func saying(lines ...string) func(*testing.T, *house.Chat) string {
	return func(t *testing.T, c *house.Chat) string {
		s, last := begin(t, c), ""
		for _, l := range lines {
			last = c.MustSay(t, s.ID, l).Text
		}
		return last
	}
}

// granted is how many calls of some lines, each with so many, were not refused.
func granted(lines, calls int) func(*testing.T, *house.Chat) string {
	return func(t *testing.T, c *house.Chat) string {
		s := begin(t, c)
		for range lines {
			c.MustSay(t, s.ID, "report "+strings.Repeat("x", calls))
		}
		var trace struct {
			Turns []struct{ Calls []struct{ Refused string } }
		}
		c.JSON(t, http.MethodGet, "/session/"+s.ID+"/trace", nil).Into(t, &trace)
		n := 0
		for _, u := range trace.Turns {
			for _, call := range u.Calls {
				if call.Refused == "" {
					n++
				}
			}
		}
		return fmt.Sprint(n)
	}
}

// ending is what a socket shows within three seconds: the timeout and what is
// said then, or nothing; and the status that the session has afterwards.
func ending(t *testing.T, c *house.Chat) string {
	s := begin(t, c)
	socket := c.Socket(t, s.ID, "")
	ended := make(chan string, 1)
	go func() {
		for {
			f, err := socket.Next()
			if err != nil {
				ended <- "open"
				return
			}
			if f.Type == "timeout" {
				ended <- strings.TrimSpace("ended "+f.Text) + " as "
				return
			}
		}
	}()
	select {
	case how := <-ended:
		return how + status(t, c, s.ID)
	case <-time.After(2500 * time.Millisecond):
		socket.Close()
		<-ended
		return "open"
	}
}

// status is how a session ended, as the refusal to show it says.
func status(t *testing.T, c *house.Chat, id string) string {
	t.Helper()
	for range 50 { // the frame comes a moment before the record
		if a := c.JSON(t, http.MethodGet, "/session/"+id, nil); a.Status == http.StatusNotFound {
			_, rest, _ := strings.Cut(a.Problem(t).Detail, "(")
			how, _, _ := strings.Cut(rest, ")")
			return how
		}
		<-time.After(20 * time.Millisecond)
	}
	return "open"
}

// resumed is the mode of a session a while after it was handed over.
func resumed(t *testing.T, c *house.Chat) string {
	s := begin(t, c)
	c.MustSay(t, s.ID, "person please")
	for range 30 { // 3 s
		var now session
		c.JSON(t, http.MethodGet, "/session/"+s.ID, nil).Into(t, &now)
		if now.Mode == "REGULAR" {
			return now.Mode
		}
		<-time.After(100 * time.Millisecond)
	}
	return "OPERATOR"
}
