// Package mail_test lets the program mail the results of conversations through a
// real mail server, which refuses, waits, goes away and comes back, and ends the
// program at the worst moment.
package mail_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/gateway/mail/mailtest"
	"flametree/test/house"
)

func TestMain(m *testing.M) { os.Exit(house.Main(m)) }

const agentFile = `name: Harbour desk
type: inbound_text
identity: You are the desk of the harbour.
speech_style: Friendly. English.
task: Answer, and find out who is writing.
welcome_message: Good day!
conversation_result:
  - field_name: HumanFullName
    field_title: Who
    field_description: full name of the human
    kind: FormInfoField
knowledge:
  core: The harbour opens at six.
env:
  RESULTS_EMAIL_TO: %s
`

// desk is a program whose results go to a mail server.
type desk struct {
	*house.Server
	t   *testing.T
	opt house.Options
}

func open(t *testing.T, s *mailtest.Server, to string, env ...string) *desk {
	t.Helper()
	file := filepath.Join(t.TempDir(), "desk.yaml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, agentFile, to), 0o600))
	d := &desk{t: t, opt: house.Options{
		Data: filepath.Join(t.TempDir(), "data"), Agents: []string{file}, Log: "debug", Silent: true,
		Env: append([]string{
			"FLAMETREE_MAIL_SMTP=" + s.Address, "FLAMETREE_MAIL_CA=" + s.CA, "FLAMETREE_MAIL_FROM=Harbour <desk@harbour.example>",
			"FLAMETREE_MAIL_RETRY=300ms", "FLAMETREE_MAIL_TIMEOUT=3s", "FLAMETREE_PUBLIC_URL=https://harbour.example",
		}, env...),
	}}
	d.Server = house.Serve(t, d.opt)
	return d
}

// again starts the program on what the last one left.
func (d *desk) again() { d.Server = house.Serve(d.t, d.opt) }

// talk is a conversation of somebody who says who they are and goes.
func (d *desk) talk() (session string) {
	d.t.Helper()
	chat := d.Chat(d.Agent(d.t, "Harbour"))
	session = chat.MustOpen(d.t, "u1")
	chat.MustSay(d.t, session, "My name is Aigul Bek.")
	a := chat.JSON(d.t, http.MethodDelete, "/session/"+session, map[string]string{"status": "completed"})
	require.Equal(d.t, http.StatusOK, a.Status, "%s", a.Body)
	return session
}

// mailed is what the journal says became of a session's mail.
type mailed struct {
	MessageID              string
	Taken, Given, Attempts int
	Fault                  string
}

func (d *desk) mailed(session string) (out mailed) {
	d.t.Helper()
	d.Until(d.t, "results.mailed of "+session, 30*time.Second, func(e house.Event) bool {
		return e.Kind == "results.mailed.v1" && e.Stream == "session/"+session
	}).Into(d.t, &out)
	return out
}

// The results arrive once, over STARTTLS with a password, and
// nothing of them is in the log.
func TestResultsArriveOnce(t *testing.T) {
	t.Parallel()
	s := mailtest.Start(t, mailtest.Options{Security: "starttls", User: "harbour", Password: "sesame-4711"})
	d := open(t, s, "ann@mail.example, bob@mail.example", "FLAMETREE_MAIL_USER=harbour", "FLAMETREE_MAIL_PASSWORD=sesame-4711")
	session := d.talk()
	got := s.Next(t)
	require.True(t, got.Encrypted)
	require.Equal(t, "harbour", got.User)
	require.Equal(t, "desk@harbour.example", got.From)
	require.Equal(t, []string{"ann@mail.example", "bob@mail.example"}, got.To)
	m := got.Message(t)
	require.Equal(t, "Results of a conversation with Harbour desk", m.Header.Get("Subject"))
	require.Equal(t, "<results."+session+"@harbour.example>", m.Header.Get("Message-Id"))
	require.Contains(t, got.Text, "Who: Aigul Bek")
	require.Contains(t, strings.ReplaceAll(got.Text, "=\r\n", ""), "https://harbour.example/#/sessions/"+session)
	require.Equal(t, mailed{MessageID: "results." + session, Taken: 2, Attempts: 1}, d.mailed(session))
	require.Zero(t, d.Stop(t))
	log := d.Log()
	d.again()
	other := d.talk()
	require.Contains(t, s.Next(t).Text, other, "the next mail is that of the next session")
	d.mailed(other)
	require.Zero(t, s.Waiting())
	for _, private := range []string{"Aigul", "mail.example", "sesame"} {
		require.NotContains(t, log+d.Log(), private)
	}
	require.NotContains(t, house.Must(t, "--data", d.Data, "config", "print"), "sesame")
}

// A conversation without results, or whose agent names nobody, is not mailed.
func TestConversationsWithoutResultsAreNotMailed(t *testing.T) {
	t.Parallel()
	s := mailtest.Start(t, mailtest.Options{Security: "none"})
	d := open(t, s, "ann@mail.example", "FLAMETREE_MAIL_TLS=none")
	chat := d.Chat(d.Agent(t, "Harbour"))
	quiet := chat.MustOpen(t, "u1")
	chat.MustSay(t, quiet, "When does the harbour open?")
	chat.JSON(t, http.MethodDelete, "/session/"+quiet, map[string]string{"status": "completed"})
	d.mailed(d.talk())
	s.Next(t)
	require.Zero(t, s.Waiting())
}

// What a server refuses for now is tried again, alone; what it refuses for good
// is given up with the reason, without the address.
func TestAServerThatRefuses(t *testing.T) {
	t.Parallel()
	s := mailtest.Start(t, mailtest.Options{Security: "none"})
	d := open(t, s, "ann@mail.example, bob@mail.example", "FLAMETREE_MAIL_TLS=none")
	s.Rule(t, mailtest.Rule{Stage: "rcpt", Address: "ann@mail.example", Answer: "451 4.7.1 try again", Times: 2})
	s.Rule(t, mailtest.Rule{Stage: "rcpt", Address: "bob@mail.example", Answer: "550 5.1.1 no bob@mail.example"})
	session := d.talk()
	got := s.Next(t)
	require.Equal(t, []string{"ann@mail.example"}, got.To)
	require.Equal(t, mailed{
		MessageID: "results." + session, Taken: 1, Given: 1, Attempts: 3,
		Fault: "the mail server does not take the address: it answers 550 5.1.1: denied",
	}, d.mailed(session))
	s.Rule(t, mailtest.Rule{Stage: "data", Answer: "554 5.7.1 no"})
	session = d.talk()
	require.Equal(t, 2, d.mailed(session).Given)
	require.Zero(t, s.Waiting())
	require.NotContains(t, d.Log(), "mail.example")
}

// A server that is away is waited for, also by the next process.
func TestAServerThatIsAwayAndComesBack(t *testing.T) {
	t.Parallel()
	s := mailtest.Start(t, mailtest.Options{Security: "none"})
	d := open(t, s, "ann@mail.example", "FLAMETREE_MAIL_TLS=none")
	s.Stop()
	session := d.talk()
	require.Eventually(t, func() bool { return strings.Contains(d.Log(), "results are mailed later") }, 20*time.Second, 20*time.Millisecond)
	d.Kill()
	d.again()
	back := mailtest.Start(t, mailtest.Options{Security: "none", Address: s.Address})
	require.Contains(t, back.Next(t).Text, session)
	got := d.mailed(session)
	require.Equal(t, 1, got.Taken)
	require.Greater(t, got.Attempts, 1)
	require.Zero(t, back.Waiting())
}

// The process is killed after the server took the mail and before that was
// written down: it comes once more, as the same mail, and then no more.
func TestKilledBetweenSendingAndRecording(t *testing.T) {
	t.Parallel()
	s := mailtest.Start(t, mailtest.Options{Security: "starttls"})
	d := open(t, s, "ann@mail.example")
	s.Rule(t, mailtest.Rule{Stage: "data", Hold: true})
	session := d.talk()
	first := s.Next(t)
	d.Kill()
	d.again()
	second := s.Next(t)
	id := first.Message(t).Header.Get("Message-Id")
	require.Equal(t, "<results."+session+"@harbour.example>", id)
	require.Equal(t, id, second.Message(t).Header.Get("Message-Id"))
	require.Equal(t, mailed{MessageID: "results." + session, Taken: 1, Attempts: 2}, d.mailed(session))
	d.mailed(d.talk())
	s.Next(t)
	require.Zero(t, s.Waiting())
}

// Settings that cannot work are told before anything is served.
func TestWrongSettingsAreToldAtTheStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ env, want string }{
		"no sender":           {"FLAMETREE_MAIL_SMTP=mail.example:587", `the sender "" is not like name@example.com`},
		"no port":             {"FLAMETREE_MAIL_SMTP=mail.example", "is not HOST:PORT"},
		"no such certificate": {"FLAMETREE_MAIL_SMTP=mail.example:587 FLAMETREE_MAIL_CA=/none.pem FLAMETREE_MAIL_FROM=a@b.example", "setting mail.ca"},
		"a password in clear": {"FLAMETREE_MAIL_SMTP=mail.example:25 FLAMETREE_MAIL_TLS=none FLAMETREE_MAIL_FROM=a@b.example FLAMETREE_MAIL_USER=u FLAMETREE_MAIL_PASSWORD=sesame-4711", "would go in clear"},
	} {
		_, err := house.Start(t, house.Options{Env: strings.Fields(c.env)})
		require.ErrorContains(t, err, c.want, name)
		require.NotContains(t, err.Error(), "sesame", name)
	}
}

// Who names an address where no mail server is set up is told so when saving,
// and a wrong address with its place; the journal says why nothing was mailed.
func TestWithoutAMailServer(t *testing.T) {
	t.Parallel()
	d := &desk{t: t, Server: house.Serve(t, house.Options{Silent: true})}
	dir := t.TempDir()
	file := filepath.Join(dir, "desk.yaml")
	save := func(to string) house.Result {
		require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, agentFile, to), 0o600))
		return house.Command(t, "--data", d.Data, "agent", "save", file)
	}
	r := save("ann@mail.example, nobody")
	require.NotZero(t, r.Code)
	require.Contains(t, r.Err, "file 15:39: RESULTS_EMAIL_TO: address 2 is not like name@example.com")
	r = save("ann@mail.example")
	require.Zero(t, r.Code, r.Err)
	require.Contains(t, r.Out, "no mail server is set up, so results are not mailed (see setting mail.smtp)")
	d.Agents = []house.Agent{agentOf(t, r.Out)}
	got := d.mailed(d.talk())
	require.Equal(t, "no mail server is set up (see setting mail.smtp)", got.Fault)
	require.Equal(t, 1, got.Given)
}

// agentOf reads the agent that a command made.
func agentOf(t *testing.T, out string) (a house.Agent) {
	t.Helper()
	for line := range strings.Lines(out) {
		switch f := strings.Fields(line); {
		case len(f) > 1 && f[0] == "agent":
			a.ID, a.Name = f[1], line
		case len(f) > 1 && f[0] == "token":
			a.Token = f[1]
		}
	}
	require.NotEmpty(t, a.ID, out)
	require.NotEmpty(t, a.Token, out)
	return a
}
