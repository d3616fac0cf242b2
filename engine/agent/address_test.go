package agent

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/event"
	"flametree/engine/fault"
)

func TestAddressesOfAList(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want Addresses
		why  string
	}{
		"nothing":               {text: "  "},
		"one":                   {text: "desk@mail.example", want: Addresses{"desk@mail.example"}},
		"several, one twice":    {text: "a@b.example, c.d+e@f.example,A@B.example", want: Addresses{"a@b.example", "c.d+e@f.example"}},
		"an ASCII foreign name": {text: "a@xn--bcher-kva.example", want: Addresses{"a@xn--bcher-kva.example"}},
		"two commas":            {text: "a@b.example,,c@d.example", why: "address 2 is empty"},
		"semicolons":            {text: "a@b.example;c@d.example", why: "address 1 has no domain"},
		"no @":                  {text: "desk", why: "address 1 is not like name@example.com"},
		"a name beside it":      {text: "Desk <a@b.example>", why: "before the @ that is not allowed"},
		"a second header":       {text: "a@b.example\r\nBcc: x@y.example", why: "has no domain"},
		"a break in the name":   {text: "a\n@b.example", why: "before the @ that is not allowed"},
		"two dots":              {text: "a..b@c.example", why: "a dot before the @"},
		"a name without dots":   {text: "root@localhost", why: "has no domain like"},
		"letters of a language": {text: "a@bücher.example", why: "ASCII form"},
		"an address literal":    {text: "a@[127.0.0.1]", why: "has no domain like"},
		"a long local part":     {text: strings.Repeat("a", 65) + "@b.example", why: "too long"},
		"a label with a hyphen": {text: "a@-b.example", why: "has no domain like"},
		"twenty-one":            {text: strings.TrimSuffix(countedOut(21), ","), why: "address 21 is too many: 20 are allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseAddresses(c.text)
			require.Equal(t, c.want, got)
			if c.why == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, fault.Invalid)
			require.ErrorContains(t, err, c.why)
		})
	}
}

func countedOut(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("a" + strings.Repeat("b", i) + "@c.example,")
	}
	return b.String()
}

// A wrong address is told where it stands, and is no revision.
func TestAWrongAddressIsToldWhereItStands(t *testing.T) {
	head := "name: x\ntype: inbound_text\nknowledge: {core: c}\nenv:\n"
	for line, at := range map[string]string{
		"  RESULTS_EMAIL_TO: a@b.example, nobody\n":                "file 5:34: RESULTS_EMAIL_TO: address 2 is not like name@example.com",
		"  RESULTS_EMAIL_TO: \"nobody\"\n":                         "file 5:22: RESULTS_EMAIL_TO: address 1 is not like",
		"  RESULTS_EMAIL_TO: \"a@b.example\\nBcc: c@d.example\"\n": "RESULTS_EMAIL_TO: address 1 has no domain",
	} {
		_, _, err := Parse([]byte(head + line))
		require.ErrorContains(t, err, at)
		require.NotContains(t, err.Error(), "nobody", "an address may be somebody's")
	}
}

// What is accepted can stand in a header and in a command of SMTP as it is.
func FuzzParseAddresses(f *testing.F) {
	f.Add("a@b.example, c@d.example")
	f.Add("a@b.example\r\nBcc: c@d.example")
	f.Add("\"a b\"@c.example,<x@y.example>")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := ParseAddresses(text)
		if err != nil {
			require.ErrorIs(t, err, fault.Invalid)
			return
		}
		for _, a := range all {
			require.NotContains(t, a, ",")
			require.Equal(t, 1, strings.Count(a, "@"))
			for _, r := range a {
				require.True(t, r > ' ' && r < 0x7f && !strings.ContainsRune(`<>"()[]\;:`, r), "%q", a)
			}
			again, err := ParseAddresses(a)
			require.NoError(t, err)
			require.Equal(t, Addresses{a}, again)
		}
	})
}

func TestTheNameOfAFile(t *testing.T) {
	for file, want := range map[string]string{
		"name: Mia\ntype: inbound_text\n":             "Mia",
		"# a note\nname: 'Mia: two'  # said so\n":     "Mia: two",
		"type: inbound_text\r\nname: \"Mia\"\r\n\r\n": "Mia",
		"name: Mia\n  and Bob\ntype: inbound_text\n":  "Mia and Bob",
		"name: |\n  Mia\ntype: inbound_text\n":        "Mia",
		"{name: Mia, type: inbound_text}":             "Mia",
		"identity: |\n  name: Bob\nname: Mia\n":       "Mia",
		"type: inbound_text\n":                        "",
		"":                                            "",
		"name: [\n":                                   "",
	} {
		require.Equal(t, want, Title(file), "%q", file)
	}
}

// Title says what Parse says of every file that Parse accepts.
func TestTitleIsTheNameThatParseReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-zA-Zäß"'#:,.?|>&*!{}\[\] -]{1,20}`).Draw(t, "name")
		file := "type: inbound_text\nname: " + rapid.SampledFrom([]string{name, `"` + name + `"`, "'" + name + "'", Scalar(name, 2)}).Draw(t, "written") + "\nknowledge: {core: c}\n"
		spec, _, err := Parse([]byte(file))
		if err != nil {
			return
		}
		require.Equal(t, spec.Name, Title(file), "%q", file)
	})
}

// An agent is called what its newest revision calls it, and keeps its address.
func TestARevisionRenamesItsAgent(t *testing.T) {
	var s State
	seq := uint64(0)
	live := func(events []event.Event, err error) {
		require.NoError(t, err)
		for _, e := range events {
			seq++
			s.Apply(event.Envelope{Seq: seq, Body: e})
		}
	}
	live(s.Create(event.AgentCreated{Name: "Mia", Alias: "mia", TokenHash: TokenHash("t")}))
	save := func(file string) {
		events, _, err := s.KeepLive(file, nil)
		live(events, err)
	}
	body := "type: inbound_text\nalias: mia\nknowledge: {core: c}\n"
	save("name: Mia\n" + body)
	save("name: Lea\n" + body)
	require.Equal(t, "Lea", s.Name)
	require.Equal(t, "mia", s.Alias)
	require.Equal(t, uint64(2), s.Live)
	live(s.Drafted("name: Ida\ntype: nothing\n"))
	require.Equal(t, "Lea", s.Name, "a draft names nobody")
	events, _, err := s.Restore(1)
	live(events, err)
	require.Equal(t, "Mia", s.Name, "an old revision brings its name back")
	s.Apply(event.Envelope{Seq: seq + 1, Body: event.AgentSaved{Revision: 4, File: event.Private{Erased: true}}})
	require.Equal(t, "Mia", s.Name, "what cannot be read any more changes no name")
}
