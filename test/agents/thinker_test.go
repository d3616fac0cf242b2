package agents_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"flametree/engine/provider/vendortest"
)

// thinker is a model on loopback that does as it is told, so that a dialogue
// shows what an agent was given: "use NAME {…}" calls a tool, "who" says the
// name in its instructions, and what a tool gave it repeats. How it speaks is
// checked as the vendor's server does.
type thinker struct {
	*vendortest.Server
	url string
}

func newThinker(t testing.TB) *thinker {
	t.Helper()
	th := &thinker{Server: vendortest.OpenAI("")}
	th.url, _ = vendortest.Local(t, th)
	return th
}

var (
	useLine  = regexp.MustCompile(`^use (\S+) ?(.*)$`)
	nameLine = regexp.MustCompile(`Your name is (\w+)`)
)

// ServeHTTP implements http.Handler.
func (th *thinker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	th.Then(thought(body))
	th.Server.ServeHTTP(w, r)
}

func thought(body []byte) vendortest.Reply {
	var q struct {
		Messages []struct{ Role, Content string }
		Format   json.RawMessage `json:"response_format"`
	}
	if json.Unmarshal(body, &q) != nil || len(q.Messages) == 0 || len(q.Format) > 0 {
		return vendortest.Reply{} // an extraction gets the JSON of its schema
	}
	say := func(s string) vendortest.Reply { return vendortest.Reply{Text: []string{s}} }
	last := q.Messages[len(q.Messages)-1]
	if last.Role == "tool" {
		return say("The tool gave this: " + last.Content)
	}
	if m := useLine.FindStringSubmatch(strings.TrimSpace(last.Content)); m != nil {
		args := m[2]
		if args == "" {
			args = "{}"
		}
		return vendortest.Reply{Calls: []vendortest.Call{{ID: "call_1", Name: m[1], Args: []string{args}}}}
	}
	if last.Content == "who" {
		for _, s := range q.Messages {
			if m := nameLine.FindStringSubmatch(s.Content); m != nil {
				return say("My name is " + m[1] + ".")
			}
		}
	}
	return say("I have understood that.")
}
