package crash_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

// customer writes numbered messages, one after the other, and remembers what it
// was told. What it got no answer to it sends again, with the same id.
type customer struct {
	name  string
	agent house.Agent
	talks []*talk
	sent  *atomic.Int64 // of all customers
}

// talk is one session of a customer.
type talk struct {
	key     string // of its creation
	session string // "" until that was acknowledged
	lines   []*line
	closing bool
	closed  bool // acknowledged
}

type line struct {
	id, text string
	reply    house.Reply
	known    bool // acknowledged
}

// linesPerTalk is how much is said before a session is closed and the next begun.
const linesPerTalk = 12

// endStatus is what customers close with.
const endStatus = "resolved_by_operator"

// questions are asked in turn.
func question(n int) string {
	all := []string{
		"When does the first ferry leave?", "What does a ticket cost?", "May I bring my bicycle?",
		"How much luggage may I bring?", "What happens in a storm?",
	}
	return fmt.Sprintf("Number %d. %s", n, all[n%len(all)])
}

// run talks until the server is gone. caught is true when a request of ours was
// on its way then; err is an answer that must not be.
func (c *customer) run(ctx context.Context, s *house.Server) (caught bool, err error) {
	chat := s.Chat(c.agent)
	for {
		if err := c.step(ctx, chat); err != nil {
			if _, ok := errors.AsType[*house.Answer](err); ok {
				return false, fmt.Errorf("%s: %w", c.name, err)
			}
			return !errors.Is(err, syscall.ECONNREFUSED), nil
		}
	}
}

// step makes the next request: whatever was not acknowledged comes first.
func (c *customer) step(ctx context.Context, chat *house.Chat) (err error) {
	c.sent.Add(1)
	if len(c.talks) == 0 || c.talks[len(c.talks)-1].closed {
		c.talks = append(c.talks, &talk{key: fmt.Sprintf("%s-%d", c.name, len(c.talks))})
	}
	t := c.talks[len(c.talks)-1]
	if t.session == "" {
		t.session, err = chat.Open(ctx, c.name, t.key)
		return err
	}
	if t.closing {
		return c.close(ctx, chat, t)
	}
	n := len(t.lines)
	if n == 0 || t.lines[n-1].known {
		if n == linesPerTalk {
			t.closing = true
			return nil
		}
		t.lines = append(t.lines, &line{id: fmt.Sprintf("%s-%d", t.key, n), text: question(n)})
		n++
	}
	l := t.lines[n-1]
	if l.reply, err = chat.Say(ctx, t.session, l.id, l.text); err == nil {
		l.known = true
	}
	return err
}

func (c *customer) close(ctx context.Context, chat *house.Chat, t *talk) error {
	a, err := chat.Do(ctx, house.Request{
		Method: http.MethodDelete, Path: "/session/" + t.session, Type: "application/json",
		Body: strings.NewReader(`{"status":"` + endStatus + `"}`),
	})
	if err != nil {
		return err
	}
	// 404 is the answer to a repetition: the first one was carried out.
	if a.Status != http.StatusOK && a.Status != http.StatusNotFound {
		return a
	}
	t.closed = true
	return nil
}

// check compares what the customer was told with the journal.
func (c *customer) check(t *testing.T, l *ledger) {
	t.Helper()
	mine := 0
	for _, s := range l.sessions {
		if s.user == c.name {
			mine++
		}
	}
	known := len(c.talks)
	if known > 0 && c.talks[known-1].session == "" {
		known--
	}
	require.Contains(t, []int{known, len(c.talks)}, mine, "%s: sessions created, of %d asked for and %d acknowledged", c.name, len(c.talks), known)
	for _, talk := range c.talks {
		if talk.session != "" {
			talk.check(t, l.sessions[talk.session])
		}
	}
}

func (k *talk) check(t *testing.T, s *session) {
	t.Helper()
	require.NotNil(t, s, "session %s of %s was acknowledged and is missing", k.session, k.key)
	said, known := make([]string, len(k.lines)), 0
	for i, l := range k.lines {
		said[i] = l.id
		if l.known {
			known++
		}
	}
	require.LessOrEqual(t, len(s.heard), len(said), "%s: invented messages", k.session)
	require.GreaterOrEqual(t, len(s.heard), known, "%s: acknowledged messages are missing", k.session)
	require.Equal(t, said[:len(s.heard)], append([]string{}, s.heard...), "%s: order of messages", k.session)
	for _, l := range k.lines[:known] {
		require.Equal(t, l.text, s.texts[l.id], "%s: text of %s", k.session, l.id)
		got := s.replies[s.turns[l.id]]
		require.Equal(t, reply{message: l.reply.Message, text: l.reply.Text}, got, "%s: acknowledged reply to %s", k.session, l.id)
	}
	if k.closed {
		require.Equal(t, endStatus, s.ended, "%s: acknowledged end", k.session)
	}
}
