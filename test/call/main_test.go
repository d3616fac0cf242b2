// Package call_test calls the real program with foreign telephones: sipp with
// sounds of foreign voices, linphone, a handset of our own hand, and the
// project's own caller. What was understood, what came back and what the
// journal tells must agree.
package call_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Calls wait for sound most of the time.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(house.Main(m))
}

// serve runs a server with the agents of testdata.
func serve(t *testing.T, names ...string) *house.Server {
	t.Helper()
	files := make([]string, len(names))
	for i, n := range names {
		path, err := filepath.Abs(filepath.Join("testdata", n+".yaml"))
		require.NoError(t, err)
		files[i] = path
	}
	return house.Serve(t, house.Options{Agents: files})
}

// story is what the journal tells of one call.
type story struct {
	session, call string
	inSession     []house.Event
	inCall        []house.Event
}

// told waits for the end of the call of a caller and returns its story.
func told(t *testing.T, s *house.Server, from string) story {
	t.Helper()
	var out story
	until := time.Now().Add(15 * time.Second)
	for {
		events, err := s.Events(t.Context(), 1)
		require.NoError(t, err)
		if out.find(t, events, from) {
			return out
		}
		if time.Now().After(until) {
			t.Fatalf("the call of %s does not end", from)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// find gathers the events of a caller's call and reports whether it has ended.
func (k *story) find(t *testing.T, events []house.Event, from string) bool {
	t.Helper()
	*k = story{}
	for _, e := range events {
		if e.Kind == "session.created.v1" && k.session == "" {
			var b struct {
				Call  string
				Phone struct{ Text string }
			}
			e.Into(t, &b)
			if b.Phone.Text == from {
				k.session, k.call = e.Session, b.Call
			}
		}
	}
	if k.call == "" {
		return false
	}
	k.inSession, k.inCall = house.OfStream(events, "session/"+k.session), house.OfStream(events, "call/"+k.call)
	return len(k.of("session.ended.v1")) > 0 && len(k.of("call.ended.v1")) > 0
}

// of are the events of a kind.
func (k *story) of(kind string) []house.Event {
	var out []house.Event
	for _, e := range append(append([]house.Event(nil), k.inSession...), k.inCall...) {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// heard is what the agent understood.
func (k *story) heard() []string {
	var out []string
	for _, e := range k.of("utterance.heard.v1") {
		out = append(out, e.Text)
	}
	return out
}

// said is one line of the agent as the caller heard it.
type said struct {
	Text, Full  struct{ Text string }
	Interrupted bool
	Played      time.Duration
}

func (k *story) said(t *testing.T) []said {
	t.Helper()
	var out []said
	for _, e := range k.of("reply.spoken.v1") {
		var s said
		e.Into(t, &s)
		out = append(out, s)
	}
	return out
}

// status is how the session ended.
func (k *story) status(t *testing.T) string {
	t.Helper()
	var b struct{ Status string }
	k.of("session.ended.v1")[0].Into(t, &b)
	return b.Status
}

// ending is how the call ended.
type ending struct {
	Reason, By           string
	Received, Lost, Sent uint64
	Talked               time.Duration
}

func (k *story) ending(t *testing.T) ending {
	t.Helper()
	var b ending
	k.of("call.ended.v1")[0].Into(t, &b)
	return b
}

// report is what replay prints.
type report struct {
	Inputs, Decisions int
	Differences       []struct {
		Pos                  uint64
		Recorded, Recomputed string
	}
}

// replay decides the conversation again, with settings changed.
func (k *story) replay(t *testing.T, s *house.Server, set ...string) report {
	t.Helper()
	args := []string{"--data", s.Data, "replay", k.session, "--json"}
	for _, x := range set {
		args = append(args, "--set", x)
	}
	var r report
	require.NoError(t, json.Unmarshal([]byte(house.Must(t, args...)), &r))
	require.NotZero(t, r.Inputs)
	return r
}

// equal requires that every decision comes out the same.
func (k *story) equal(t *testing.T, s *house.Server) {
	t.Helper()
	r := k.replay(t, s)
	require.Empty(t, r.Differences)
	require.NotZero(t, r.Decisions)
}

// understood compares what was said with what was heard, and adds to a count.
func understood(t *testing.T, sentences, heard []string) (right, all int) {
	t.Helper()
	r, n := house.WordsRight(strings.Join(sentences, " "), strings.Join(heard, " "))
	for i := range max(len(sentences), len(heard)) {
		a, b := "", ""
		if i < len(sentences) {
			a = sentences[i]
		}
		if i < len(heard) {
			b = heard[i]
		}
		t.Logf("said %q, heard %q", a, b)
	}
	return r, n
}

// resynthesis is how long a text lasts when the agent's voice says it again,
// sentence by sentence as it speaks, without the silence around it.
func resynthesis(t *testing.T, s *house.Server, a house.Agent, text string) time.Duration {
	t.Helper()
	var all []int16
	for _, sentence := range strings.SplitAfter(text, ". ") {
		all = append(all, narrow(t, s.Chat(a), sentence)...)
	}
	return lasts(trim(all))
}

func name(i int, what string) string { return fmt.Sprintf("%s-%d", what, i) }
