package mail_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/engine/fault"
	"flametree/gateway/mail"
	"flametree/gateway/mail/mailtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// letter has something of everything.
func letter() mail.Letter {
	at := time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	return mail.Letter{
		ID: "results.s-1", Language: "en-GB", Agent: "Mia", Status: "completed", Started: at, Ended: at.Add(12 * time.Minute),
		Results: []mail.Result{{"Name", "Aigul Bek"}, {"Reason", "a coat & <shoes>\nfor \"winter\""}},
		Summary: "She wants advice.", Link: "https://desk.example/#/sessions/s-1",
	}
}

// sender makes a Sender for a server.
func sender(t testing.TB, s *mailtest.Server, o mail.Options) *mail.Sender {
	t.Helper()
	o.Server, o.Roots = s.Address, s.Roots
	if o.From == "" {
		o.From = "Flametree <bot@bank.example>"
	}
	out, err := mail.New(o)
	require.NoError(t, err)
	return out
}

// bodies are the parts of a mail by their type.
func bodies(t testing.TB, m *netmail.Message) map[string]string {
	t.Helper()
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/alternative", kind)
	out := map[string]string{}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
		var in io.Reader = p
		switch p.Header.Get("Content-Transfer-Encoding") {
		case "quoted-printable":
			in = quotedprintable.NewReader(p)
		case "base64":
			in = base64.NewDecoder(base64.StdEncoding, p)
		}
		text, err := io.ReadAll(in)
		require.NoError(t, err)
		kind, _, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
		require.NoError(t, err)
		out[kind] = strings.ReplaceAll(string(text), "\r\n", "\n")
	}
}

func subject(t testing.TB, m *netmail.Message) string {
	t.Helper()
	s, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	require.NoError(t, err)
	return s
}

func TestALetterArrivesOverEachKindOfConnection(t *testing.T) {
	for name, c := range map[string]struct {
		server mailtest.Options
		opt    mail.Options
	}{
		"STARTTLS with a password": {mailtest.Options{Security: "starttls", User: "bot", Password: "sesame"}, mail.Options{User: "bot", Password: "sesame"}},
		"TLS from the first byte":  {mailtest.Options{Security: "tls", User: "bot", Password: "sesame"}, mail.Options{Security: mail.TLS, User: "bot", Password: "sesame"}},
		"in clear":                 {mailtest.Options{Security: "none"}, mail.Options{Security: mail.Plain}},
	} {
		t.Run(name, func(t *testing.T) {
			s := mailtest.Start(t, c.server)
			errs := sender(t, s, c.opt).Send(t.Context(), letter(), []string{"desk@mail.example", "ann@mail.example"})
			require.Equal(t, []error{nil, nil}, errs)
			got := s.Next(t)
			require.Equal(t, "bot@bank.example", got.From)
			require.Equal(t, []string{"desk@mail.example", "ann@mail.example"}, got.To)
			require.Equal(t, c.server.Security != "none", got.Encrypted)
			require.Equal(t, c.server.User, got.User)
			require.Zero(t, s.Waiting(), "one mail for all addresses")
			m := got.Message(t)
			require.Equal(t, "<results.s-1@bank.example>", m.Header.Get("Message-ID"))
			require.Equal(t, "auto-generated", m.Header.Get("Auto-Submitted"))
			require.Equal(t, "Results of a conversation with Mia", subject(t, m))
			require.Equal(t, "en", m.Header.Get("Content-Language"))
		})
	}
}

func TestWhatALetterTells(t *testing.T) {
	s := mailtest.Start(t, mailtest.Options{Security: "none"})
	send := func(l mail.Letter) *netmail.Message {
		require.Equal(t, []error{nil}, sender(t, s, mail.Options{Security: mail.Plain}).Send(t.Context(), l, []string{"desk@mail.example"}))
		return s.Next(t).Message(t)
	}
	parts := bodies(t, send(letter()))
	require.Equal(t, `Agent: Mia
Started: 2026-03-01 09:30 UTC
Ended: 2026-03-01 09:42 UTC
Status: completed

Results

- Name: Aigul Bek
- Reason: a coat & <shoes>
    for "winter"

Summary

She wants advice.

Open the session: https://desk.example/#/sessions/s-1
`, parts["text/plain"])
	page := parts["text/html"]
	require.Contains(t, page, `<td valign="top" style="border:1px solid #bbb">a coat &amp; &lt;shoes&gt;<br>for &#34;winter&#34;</td>`)
	require.Contains(t, page, `<a href="https://desk.example/#/sessions/s-1">Open the session</a>`)
	require.Contains(t, page, `lang="en" dir="ltr"`)
	require.NotContains(t, page, "<script")

	l := letter()
	l.Language, l.Summary, l.Link = "ar", "", ""
	m := send(l)
	require.Equal(t, "نتائج محادثة مع Mia", subject(t, m))
	parts = bodies(t, m)
	require.Contains(t, parts["text/html"], `dir="rtl"`)
	require.NotContains(t, parts["text/html"], "href")
	require.NotContains(t, parts["text/plain"], "الملخص", "no heading without a summary")
	l.Language = "xx"
	require.Equal(t, "Results of a conversation with Mia", subject(t, send(l)), "other languages are told in English")
}

// What people and agents' files say ends in the body, never in the head.
func TestNoTextAddsAHeader(t *testing.T) {
	s := mailtest.Start(t, mailtest.Options{Security: "none"})
	evil := "x\r\nBcc: thief@evil.example\r\n\r\nbody\r\n.\r\nMAIL FROM:<a@b.example>"
	l := letter()
	l.ID, l.Agent, l.Status, l.Summary, l.Link = evil, evil, evil, evil, ""
	l.Results = []mail.Result{{evil, evil}, {"rtl", "safe\u202egpj.exe"}}
	require.Equal(t, []error{nil}, sender(t, s, mail.Options{Security: mail.Plain}).Send(t.Context(), l, []string{"desk@mail.example"}))
	got := s.Next(t)
	require.Equal(t, []string{"desk@mail.example"}, got.To)
	m := got.Message(t)
	require.Empty(t, m.Header.Get("Bcc"))
	require.Equal(t, "Results of a conversation with x Bcc: thief@evil.example body . MAIL FROM:<a@b.example>", subject(t, m))
	require.Contains(t, bodies(t, m)["text/plain"], "safegpj.exe")
	require.Zero(t, s.Waiting())
	for _, to := range []string{"desk@mail.example\r\nBcc: thief@evil.example", "a@b.example>\r\nDATA", "", "two@a.example,three@b.example"} {
		errs := sender(t, s, mail.Options{Security: mail.Plain}).Send(t.Context(), letter(), []string{to})
		require.ErrorIs(t, errs[0], fault.Invalid)
		require.NotContains(t, errs[0].Error(), "example")
	}
	require.Zero(t, s.Waiting())
}

func TestWhatAServerRefuses(t *testing.T) {
	s := mailtest.Start(t, mailtest.Options{Security: "starttls"})
	for name, c := range map[string]struct {
		rule  mailtest.Rule
		kinds []fault.Kind // of each address, "" = taken
		text  string
		comes int
	}{
		"one address for good":            {mailtest.Rule{Stage: "rcpt", Address: "ann@mail.example", Answer: "550 5.1.1 no ann@mail.example here"}, []fault.Kind{"", fault.Denied}, "does not take the address: it answers 550 5.1.1: denied", 1},
		"one address for now":             {mailtest.Rule{Stage: "rcpt", Address: "desk@mail.example", Answer: "451 4.7.1 grey"}, []fault.Kind{fault.Unavailable, ""}, "answers 451 4.7.1", 1},
		"all addresses for good":          {mailtest.Rule{Stage: "rcpt", Answer: "550 no", Times: 2}, []fault.Kind{fault.Denied, fault.Denied}, "answers 550: denied", 0},
		"the letter for good":             {mailtest.Rule{Stage: "data", Answer: "554 5.7.1 spam"}, []fault.Kind{fault.Denied, fault.Denied}, "does not take the letter: it answers 554 5.7.1", 0},
		"the letter for now":              {mailtest.Rule{Stage: "data", Answer: "452 4.3.1 full"}, []fault.Kind{fault.Unavailable, fault.Unavailable}, "answers 452 4.3.1", 0},
		"the sender, which may be mended": {mailtest.Rule{Stage: "mail", Answer: "550 5.7.1 not you"}, []fault.Kind{fault.Unavailable, fault.Unavailable}, "does not take the sender", 0},
	} {
		t.Run(name, func(t *testing.T) {
			s.Rule(t, c.rule)
			errs := sender(t, s, mail.Options{}).Send(t.Context(), letter(), []string{"desk@mail.example", "ann@mail.example"})
			for i, kind := range c.kinds {
				if kind == "" {
					require.NoError(t, errs[i])
					continue
				}
				require.Equal(t, kind, fault.KindOf(errs[i]), "%v", errs[i])
				require.ErrorContains(t, errs[i], c.text)
				require.NotContains(t, errs[i].Error(), "@", "no address in an error")
			}
			require.Equal(t, c.comes, s.Waiting())
			for range c.comes {
				s.Next(t)
			}
		})
	}
}

// Where nobody can be sure of the server, nothing is said to it.
func TestServersThatAreNotTrusted(t *testing.T) {
	to := []string{"desk@mail.example"}
	s := mailtest.Start(t, mailtest.Options{Security: "starttls", User: "bot", Password: "sesame"})
	fails := func(o mail.Options, want string) {
		t.Helper()
		if o.From == "" {
			o.From = "bot@bank.example"
		}
		x, err := mail.New(o)
		require.NoError(t, err)
		errs := x.Send(t.Context(), letter(), to)
		require.ErrorIs(t, errs[0], fault.Unavailable)
		require.ErrorContains(t, errs[0], want)
		require.NotContains(t, errs[0].Error(), "sesame")
	}
	fails(mail.Options{Server: s.Address, User: "bot", Password: "sesame"}, "unknown authority")
	fails(mail.Options{Server: s.Address, Roots: s.Roots, User: "bot", Password: "sesame2"}, "does not take user and password: it answers 535")
	fails(mail.Options{Server: s.Address, Roots: s.Roots}, "does not take the sender: it answers 530")
	fails(mail.Options{Server: s.Address, Roots: s.Roots, Security: mail.TLS}, "does not speak TLS")
	plain := mailtest.Start(t, mailtest.Options{Security: "none"})
	fails(mail.Options{Server: plain.Address, Roots: s.Roots}, "offers no STARTTLS")
	gone := plain.Address
	plain.Stop()
	fails(mail.Options{Server: gone, Security: mail.Plain}, "is not reached: connect: connection refused")
	require.Zero(t, s.Waiting())
}

// A server that says nothing does not hold anybody.
func TestASilentServerIsLeft(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	x, err := mail.New(mail.Options{Server: ln.Addr().String(), From: "bot@bank.example", Timeout: 50 * time.Millisecond, AtOnce: 1})
	require.NoError(t, err)
	errs := x.Send(t.Context(), letter(), []string{"desk@mail.example"})
	require.ErrorIs(t, errs[0], fault.Unavailable)
	require.ErrorContains(t, errs[0], "it took too long")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	errs = x.Send(ctx, letter(), []string{"desk@mail.example"})
	require.ErrorIs(t, errs[0], fault.Unavailable)
}

func TestOptionsAreChecked(t *testing.T) {
	_, err := mail.New(mail.Options{Server: "mail.example", Security: "ssl", From: "bot", User: "bot"})
	require.ErrorIs(t, err, fault.Invalid)
	for _, want := range []string{`"mail.example" is not host:port`, `"ssl" is not starttls, tls or none`, `the sender "bot" is not like`, "user and password are needed both"} {
		require.ErrorContains(t, err, want)
	}
	_, err = mail.New(mail.Options{Server: "a.example:25", Security: mail.Plain, From: "bot@a.example", User: "bot", Password: "sesame"})
	require.ErrorContains(t, err, "would go in clear")
	require.NotContains(t, err.Error(), "sesame")
	for _, from := range []string{"bot@a.example\r\nBcc: x@y.example", "", "<>", "bot@localhost"} {
		_, err := mail.CheckFrom(from)
		require.ErrorIs(t, err, fault.Invalid, from)
	}
}
