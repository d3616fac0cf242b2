package script

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
)

// door is a server of the Chat API as its document describes it.
type door struct {
	t       *testing.T
	replies []string
	results []string // conversation_result after the greeting and each message
	traces  []string // "" = it shows none
	ends    bool     // with the last reply
	kept    bool     // the trace is shown after the end

	heard   []string
	ids     map[string]bool
	deleted int
	open    bool
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer t0ken" {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"detail":"this is not the token of this agent","kind":"denied"}`))
		return
	}
	session := "/chatbot/a%2Fb/session/s1"
	switch at := r.Method + " " + r.URL.EscapedPath(); {
	case at == "POST /chatbot/a%2Fb/session":
		var body struct {
			UserID string `json:"user_id"`
		}
		require.NoError(d.t, json.NewDecoder(r.Body).Decode(&body))
		require.Equal(d.t, "terminal", body.UserID)
		d.open, d.ids = true, map[string]bool{}
		_, _ = w.Write([]byte(`{"session_id":"s1","start_phrase":"Hello!","conversation_result":null,"greeting_text":"Agent"}`))
	case !d.open && !(d.kept && strings.HasSuffix(at, "/trace")):
		w.WriteHeader(http.StatusNotFound)
	case at == "POST "+session+"/run_v2":
		require.NoError(d.t, r.ParseMultipartForm(1<<20))
		d.heard = append(d.heard, r.FormValue("message"))
		require.False(d.t, d.ids[r.FormValue("client_id")], "an id is used twice")
		d.ids[r.FormValue("client_id")] = true
		d.open = !d.ends || len(d.heard) < len(d.replies)
		_, _ = fmt.Fprintf(w, `{"response":%q,"metadata":{"mode":"REGULAR","options":["Yes","No"]}}`, d.replies[len(d.heard)-1])
	case at == "GET "+session:
		_, _ = fmt.Fprintf(w, `{"session_id":"s1","conversation_result":%s}`, d.results[len(d.heard)])
	case at == "GET "+session+"/trace":
		if d.traces == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write([]byte(d.traces[len(d.heard)]))
	case at == "DELETE "+session:
		d.deleted++
		d.open = false
		_, _ = w.Write([]byte(`{"session_id":"s1","status":"completed"}`))
	default:
		d.t.Errorf("%s is none of the Chat API", at)
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func remote(t *testing.T, h http.Handler) *Remote {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	r := &Remote{BaseURL: s.URL + "/", Agent: "a/b", Token: "t0ken"}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func TestRemoteSpeaksTheChatAPI(t *testing.T) {
	d := &door{
		t: t, replies: []string{"Well.", "Done."}, results: []string{"null", `{"Budget":500,"Name":"John","Topics":["a"],"Sure":true,"None":null}`, "{}"},
		traces: []string{
			`{"turns":[{"turn":0,"state":"Advice"}]}`,
			`{"turns":[{"turn":0,"state":"Advice"},{"turn":1,"state":"Contact","calls":[{"name":"PostLead","args":{"n":1},"refused":"","result":"{\"ok\":true}","took_ms":1.5},{"name":"X","args":{},"refused":"no","fault":"denied: no","result":"Refused"}],
			  "passages":[{"source":"faq/1","title":"Fees","score":0.5}],"models":[{"provider":"p","name":"","input":10,"output":2,"first_ms":0.25,"whole_ms":1},{"provider":"p","name":"m","input":11,"output":3,"first_ms":9,"whole_ms":2}],"parts":[{"kind":"rules","title":"","tokens":7}],"cost":1}]}`,
			`{"turns":[{"turn":1,"state":"Contact","calls":[{"name":"PostLead"}]},{"turn":2,"calls":[{"name":"to_end","move":true},{"name":"to_there"}]},{"turn":3,"state":"END"}]}`,
		},
	}
	r := remote(t, d)
	r.Moves = []string{"to_there"}
	turn, err := r.Begin(t.Context())
	require.NoError(t, err)
	require.Equal(t, "s1", r.Session())
	require.Equal(t, []string{"Hello!"}, turn.Says)
	require.Equal(t, "Advice", turn.State)
	require.Equal(t, map[string]string{}, turn.Results)
	require.NotNil(t, turn.Trace)

	turn, err = r.Say(t.Context(), "I want – a \"call\"\n")
	require.NoError(t, err)
	require.Equal(t, []string{"I want – a \"call\"\n"}, d.heard)
	require.Positive(t, turn.Took)
	turn.Took = 0
	require.Equal(t, Turn{
		Says: []string{"Well."}, Options: []string{"Yes", "No"}, State: "Contact",
		Results: map[string]string{"Budget": "500", "Name": "John", "Topics": `["a"]`, "Sure": "true"},
		Calls: []Call{
			{Name: "PostLead", Args: `{"n":1}`, Result: `{"ok":true}`, Took: 1500 * time.Microsecond},
			{Name: "X", Args: "{}", Refused: "no", Fault: "denied: no", Result: "Refused"},
		},
		Trace: &Trace{
			Passages: []Passage{{"faq/1", "Fees", 0.5}}, Parts: []Part{{"rules", "", 7}},
			Model: Model{Name: "m", Input: 21, Output: 5, First: 250 * time.Microsecond, Whole: 3 * time.Millisecond},
		},
	}, turn)

	turn, err = r.Say(t.Context(), "yes")
	require.NoError(t, err)
	require.Equal(t, []Call{{Name: "to_end", Move: true}, {Name: "to_there", Move: true}}, turn.Calls, "calls of earlier turns are not told again")
	require.Equal(t, "END", turn.State)
	require.NoError(t, r.Close())
	require.NoError(t, r.Close())
	require.Equal(t, 1, d.deleted)
}

// A server that shows no trace leaves state and calls unknown, and a script
// that expects some does not pass.
func TestRemoteWithoutATrace(t *testing.T) {
	for expect, want := range map[string]string{
		"says: [well]":               "",
		"results: {Name: John}":      "",
		"calls: []":                  "script: step 1 (line 3): expected no call, the calls are not known",
		"calls: [A]":                 "script: step 1 (line 3): expected the call A, the calls are not known",
		"state: Contact":             "script: step 1 (line 3): expected the state Contact, the state is not known",
		"says: [well]\n    state: A": "script: step 1 (line 4): expected the state A, the state is not known",
	} {
		d := &door{t: t, replies: []string{"Well."}, results: []string{"null", `{"Name":"John"}`}}
		s := parsed(t, "- human: hi\n  expect:\n    "+expect)
		s.File = ""
		err := Play(t.Context(), remote(t, d), s, nil)
		if want == "" {
			require.NoError(t, err, expect)
		} else {
			require.EqualError(t, err, want)
		}
		require.Equal(t, 1, d.deleted)
	}
}

func TestRemoteSeesTheEnd(t *testing.T) {
	d := &door{t: t, replies: []string{"Goodbye!"}, results: []string{"{}"}, ends: true}
	r := remote(t, d)
	_, err := r.Begin(t.Context())
	require.NoError(t, err)
	turn, err := r.Say(t.Context(), "bye")
	require.NoError(t, err)
	require.True(t, turn.Ended)
	require.Equal(t, []string{"Goodbye!"}, turn.Says)
	require.Nil(t, turn.Results, "those of the last turn are not known")
	_, err = r.Say(t.Context(), "again")
	require.ErrorIs(t, err, fault.NotFound)
	require.NoError(t, r.Close())
	require.Zero(t, d.deleted, "what has ended is not ended again")
}

// The trace of a session that has ended tells its last results.
func TestRemoteKnowsTheLastResultsFromTheTrace(t *testing.T) {
	d := &door{t: t, replies: []string{"Goodbye!"}, results: []string{"{}"}, ends: true, kept: true, traces: []string{
		`{"turns":[]}`, `{"turns":[{"turn":1,"state":"END"}],"results":[{"name":"Topic","value":"fees"}]}`,
	}}
	s := parsed(t, "- human: bye\n  expect: {state: END, results: {Topic: fees}}")
	require.NoError(t, Play(t.Context(), remote(t, d), s, nil))
}

func TestRemoteTellsWhatIsWrong(t *testing.T) {
	answers := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	for name, c := range map[string]struct {
		h    http.Handler
		kind fault.Kind
		want string
	}{
		"a wrong token":          {&door{t: t}, fault.Denied, "open a session: 401: this is not the token of this agent: denied"},
		"no such agent":          {answers(404, `{"detail":"agent \"x\": not found"}`), fault.NotFound, `agent "x": not found`},
		"too many sessions":      {answers(429, `{"detail":"full"}`), fault.Exhausted, "full"},
		"a server that stops":    {answers(503, "<html>"), fault.Unavailable, "Service Unavailable"},
		"another server":         {answers(200, "<html>"), fault.Unavailable, "not the JSON of the Chat API"},
		"no session":             {answers(200, "{}"), fault.Unavailable, "the answer names none"},
		"an answer without end":  {answers(200, strings.Repeat(" ", maxAnswer+1)), fault.Exhausted, "larger than 8 MB"},
		"a request it refuses":   {answers(422, `{"detail":"body.user_id: must\nnot be blank"}`), fault.Invalid, "must not be blank"},
		"a session that is busy": {answers(409, ""), fault.Conflict, "Conflict"},
	} {
		t.Run(name, func(t *testing.T) {
			r := remote(t, c.h)
			r.Token = "wr0ng"
			_, err := r.Begin(t.Context())
			require.ErrorContains(t, err, c.want)
			require.Equal(t, c.kind, fault.KindOf(err))
			require.NotContains(t, err.Error(), "wr0ng", "the token is never told")
		})
	}
	for _, address := range []string{"", "localhost:1", "ftp://x", "http://", "http://\x7f"} {
		_, err := (&Remote{BaseURL: address, Token: "wr0ng"}).Begin(t.Context())
		require.Equal(t, fault.Invalid, fault.KindOf(err), address)
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	r := &Remote{BaseURL: gone.URL, Agent: "a", Token: "wr0ng"}
	_, err := r.Begin(t.Context())
	require.Equal(t, fault.Unavailable, fault.KindOf(err))
	require.NotContains(t, err.Error(), "wr0ng")
	require.NoError(t, r.Close())
}

func TestRemoteEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := remote(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a server sees that a client has left once it has read its request
		cancel()
		<-r.Context().Done()
	}))
	_, err := r.Begin(ctx)
	require.Equal(t, fault.Cancelled, fault.KindOf(err))
}

func FuzzTrace(f *testing.F) {
	for _, s := range []string{
		`{"turns":[{"turn":1,"state":"A","calls":[{"name":"x","args":{},"refused":"","result":"1","took_ms":-1}],"passages":[{"score":1e300}],"models":[{"first_ms":1e300}],"parts":[{"tokens":-5}]}]}`,
		`{"turns":[{"turn":18446744073709551615}],"results":[{"name":"a","value":""}]}`, `{}`, `{"turns":[{}]}`, `{"turns":null}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var w traceWire
		if json.Unmarshal(b, &w) != nil {
			return
		}
		var r Remote
		var turn Turn
		r.fold(w, &turn)
		require.NotNil(t, turn.Calls)
		require.NotNil(t, turn.Trace)
		var out strings.Builder
		turn.Ended = true
		require.NoError(t, Chat(t.Context(), &booth{turns: []Turn{turn}}, strings.NewReader(""), &out))
		for _, c := range turn.Calls {
			require.GreaterOrEqual(t, c.Took, time.Duration(0))
		}
		again := Turn{}
		r.fold(w, &again)
		require.Empty(t, again.Calls, "no call is told twice")
	})
}
