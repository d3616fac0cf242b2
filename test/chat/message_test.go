package chat_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

// An agent that nobody here has seen answers from its file and says so when it
// does not know.
func TestAnswersFromItsFileAlone(t *testing.T) {
	t.Parallel()
	s := serve(t, "kayak")
	chat := s.Chat(s.Agents[0])
	id := chat.MustOpen(t, "guest")
	right := 0
	asked := [][2]string{
		{"How much is a kayak per hour?", "€11"},
		{"And the canoe?", "€19"},
		{"What is the price of a canoe for one hour?", "€19"},
		{"At what time do you open?", "nine"},
		{"Must I know how to swim?", "able to swim"},
		{"What if there is a thunderstorm?", "leave the water"},
		{"Can my dog come with me?", "canoes"},
		{"How long does it take to get to the old mill?", "two hours"},
		{"How do I get back from the mill? Is there a bus?", "half hour"},
		{"Is a life jacket included?", "free"},
	}
	for _, ask := range asked {
		r := chat.MustSay(t, id, ask[0])
		require.Equal(t, "REGULAR", r.Mode)
		require.NotEmpty(t, r.Message)
		if strings.Contains(r.Text, ask[1]) {
			right++
		} else {
			t.Logf("%s %s", ask[0], r.Text)
		}
	}
	declined := 0
	unknown := []string{
		"Who won the world cup in 1974?", "What is the price of a helicopter flight?", "Can you give me the telephone number of the mayor?",
		"How deep is the river at the bridge?", "Do you sell second hand tents?",
	}
	for _, question := range unknown {
		r := chat.MustSay(t, chat.MustOpen(t, "guest"), question)
		require.NotRegexp(t, `[0-9]`, r.Text, "an invented figure: %s", question)
		if strings.Contains(r.Text, "sorry") {
			declined++
		} else {
			t.Logf("%s %s", question, r.Text)
		}
	}
	t.Logf("figure: %d of %d questions answered, %d of %d declined that it cannot know", right, len(asked), declined, len(unknown))
	require.GreaterOrEqual(t, right*100, len(asked)*80)
	require.GreaterOrEqual(t, declined*100, len(unknown)*80)
}

// The conversation has results, follows its workflow and ends politely.
func TestResultsWorkflowAndEnd(t *testing.T) {
	t.Parallel()
	s := serve(t, "kayak")
	chat := s.Chat(s.Agents[0])
	id := chat.MustOpen(t, "guest")
	chat.MustSay(t, id, "I would like to reserve a canoe.")
	chat.MustSay(t, id, "My name is Peter Vogel.")
	var got struct {
		Results map[string]any `json:"conversation_result"`
	}
	chat.JSON(t, http.MethodGet, "/session/"+id, nil).Into(t, &got)
	require.Equal(t, "Peter Vogel", got.Results["HumanFullName"])
	require.Equal(t, "Canoe", got.Results["Boat"])
	bye := chat.MustSay(t, id, "No thank you, that is all. Goodbye.")
	require.NotEmpty(t, bye.Text)
	require.Equal(t, http.StatusNotFound, chat.JSON(t, http.MethodGet, "/session/"+id, nil).Status, "the conversation has ended")
	states := []string{}
	for _, e := range house.OfStream(house.Journal(t, s.Data), "session/"+id) {
		if e.Kind == "state.entered.v1" {
			var b struct{ State string }
			e.Into(t, &b)
			states = append(states, b.State)
		}
	}
	require.Equal(t, []string{"Advice", "Contact"}, states[:min(2, len(states))])
	require.Equal(t, "completed", sessions(t, s.Data)[0].Status)
}

// A repeated message is taken once, whichever way its id is given.
func TestRepeatedMessage(t *testing.T) {
	t.Parallel()
	s := serve(t, "kayak")
	chat := s.Chat(s.Agents[0])
	id := chat.MustOpen(t, "guest")
	first, err := chat.Say(t.Context(), id, "m-1", "What does a kayak cost for an hour?")
	require.NoError(t, err)
	again, err := chat.Say(t.Context(), id, "m-1", "What does a kayak cost for an hour?")
	require.NoError(t, err)
	require.Equal(t, first, again)
	body, typ := house.Form("", "What does a canoe cost for an hour?")
	text := body.String()
	var answers []string
	for range 2 {
		a, err := chat.Do(t.Context(), house.Request{
			Method: http.MethodPost, Path: "/session/" + id + "/run_v2", Type: typ, Body: strings.NewReader(text),
			Header: http.Header{"Idempotency-Key": {"k-1"}},
		})
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
		answers = append(answers, a.Header.Get("Flametree-Message-Id")+string(a.Body))
	}
	require.Equal(t, answers[0], answers[1])
	require.Equal(t, 2, sessions(t, s.Data)[0].Turns)
}

// Messages that come at once on one session are answered one after the other;
// more than may wait are refused, and what is refused was not taken.
func TestTwoMessagesAtOnce(t *testing.T) {
	t.Parallel()
	s := serve(t, "kayak")
	chat := s.Chat(s.Agents[0])
	id := chat.MustOpen(t, "guest")
	const many = 60
	replies := make([]house.Reply, many)
	errs := make([]error, many)
	var work sync.WaitGroup
	for i := range many {
		work.Go(func() {
			replies[i], errs[i] = chat.Say(t.Context(), id, fmt.Sprint("m-", i), fmt.Sprintf("%d. What does a canoe cost for an hour?", i))
		})
	}
	work.Wait()
	answered, refused := map[string]string{}, 0
	for i, err := range errs {
		var no *house.Answer
		switch {
		case err == nil:
			answered[fmt.Sprint("m-", i)] = replies[i].Message
		case errors.As(err, &no):
			refused++
			require.Equal(t, http.StatusTooManyRequests, no.Problem(t).Status, "%s", no.Body)
			require.NotEmpty(t, no.Header.Get("Retry-After"))
		default:
			t.Error(err)
		}
	}
	require.GreaterOrEqual(t, len(answered), 2)
	t.Logf("figure: of %d messages at once %d answered in turn, %d refused with 429", many, len(answered), refused)
	taken, open := map[string]string{}, false
	for _, e := range house.OfStream(house.Journal(t, s.Data), "session/"+id) {
		var b struct{ ExternalID, Message string }
		e.Into(t, &b)
		switch e.Kind {
		case "message.received.v1":
			require.False(t, open, "a message was taken over an open reply")
			require.NotContains(t, taken, b.ExternalID)
			taken[b.ExternalID] = b.Message + "R"
		case "reply.started.v1":
			open = true
		case "reply.sent.v1":
			open = false
		}
	}
	require.Equal(t, answered, taken)
}

// A changed agent file makes a new revision: new sessions run on it, running
// ones keep theirs.
func TestChangedAgentFile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(agents(t, "kayak")[0])
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "kayak.yaml")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	s := house.Serve(t, house.Options{Silent: true, Agents: []string{file}})
	was := s.Agents[0]
	old := s.Chat(was).MustOpen(t, "early")
	require.Zero(t, s.Stop(t))
	text = []byte(strings.ReplaceAll(strings.ReplaceAll(string(text), "€11", "€13"), "this is Lena", "this is Rosa"))
	require.NoError(t, os.WriteFile(file, text, 0o600))
	s = house.Serve(t, house.Options{Silent: true, Data: s.Data, Agents: []string{file}})
	require.Equal(t, was.ID, s.Agents[0].ID)
	require.Equal(t, was.Token, s.Agents[0].Token, "the same agent with the same token")
	chat := s.Chat(s.Agents[0])
	fresh := chat.MustOpen(t, "late")
	require.Contains(t, chat.MustSay(t, fresh, "What does a kayak cost for an hour?").Text, "€13")
	require.Contains(t, string(chat.JSON(t, http.MethodGet, "/session/"+fresh, nil).Body), "this is Rosa")
	require.Contains(t, string(chat.JSON(t, http.MethodGet, "/session/"+old, nil).Body), "this is Lena")
	chat.MustSay(t, old, "When does the boat hire open?")
	replays(t, s)
}
