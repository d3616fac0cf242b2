package mcp

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/fault"
	"flametree/engine/tool/remote"
)

func TestADeclarationThatCannotWorkIsRefused(t *testing.T) {
	good := Server{Code: "WEATHER", Transport: StreamableHTTP, Endpoint: "https://weather.example/mcp"}
	require.NoError(t, good.Validate())
	require.NoError(t, Server{Code: "a1", Transport: Stdio, Endpoint: `uvx "my server" --x`}.Validate())
	cases := map[string]struct {
		change func(*Server)
		want   string
	}{
		"no code":               {func(s *Server) { s.Code = "" }, "letters and digits"},
		"a code with a dash":    {func(s *Server) { s.Code = "WEATHER-2" }, "letters and digits"},
		"a code beyond ASCII":   {func(s *Server) { s.Code = "WETTERÄ" }, "letters and digits"},
		"a code of 33 letters":  {func(s *Server) { s.Code = strings.Repeat("a", 33) }, "letters and digits"},
		"an unknown transport":  {func(s *Server) { s.Transport = "websocket" }, "none of"},
		"a command over HTTP":   {func(s *Server) { s.Endpoint = "uvx server" }, "starts with http"},
		"a file":                {func(s *Server) { s.Endpoint = "file:///etc/passwd" }, "starts with http"},
		"a URL for stdio":       {func(s *Server) { s.Transport = Stdio }, "a command, not a URL"},
		"an open quote":         {func(s *Server) { s.Transport, s.Endpoint = Stdio, `run "x` }, "a quote is not closed"},
		"no command":            {func(s *Server) { s.Transport, s.Endpoint = Stdio, "  " }, "it is empty"},
		"a password in the URL": {func(s *Server) { s.Endpoint = "https://me:pw@weather.example" }, "into the authentication"},
		"a token for stdio": {func(s *Server) {
			s.Transport, s.Endpoint, s.Auth = Stdio, "x", remote.Auth{Kind: remote.AuthBearer, Value: "x"}
		}, "as variables"},
		"a token that breaks":      {func(s *Server) { s.Auth = remote.Auth{Kind: remote.AuthBearer, Value: "a\r\nHost: b"} }, "breaks its line"},
		"a header without a name":  {func(s *Server) { s.Auth = remote.Auth{Kind: remote.AuthHeader, Value: "a"} }, "the header's name"},
		"basic without a password": {func(s *Server) { s.Auth = remote.Auth{Kind: remote.AuthBasic, Value: "me"} }, "user:password"},
		"an unknown kind":          {func(s *Server) { s.Auth = remote.Auth{Kind: "magic", Value: "x"} }, "none of none"},
		"an hour":                  {func(s *Server) { s.Timeout = time.Hour }, "timeout"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := good
			c.change(&s)
			err := s.Validate()
			require.ErrorIs(t, err, fault.Invalid)
			assert.ErrorContains(t, err, c.want)
			assert.NotContains(t, err.Error(), "pw@")
		})
	}
}

// The filter's pattern agrees with a regular expression that means the same.
func TestPatternsMeanWhatTheySay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab*]{0,8}`).Draw(t, "pattern")
		name := rapid.StringMatching(`[ab]{0,10}`).Draw(t, "name")
		re := "^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$"
		if got, want := matches(pattern, name), regexp.MustCompile(re).MatchString(name); got != want {
			t.Fatalf("matches(%q, %q) = %v, want %v", pattern, name, got, want)
		}
	})
}

func TestACommandIsSplitWithoutAShell(t *testing.T) {
	for command, want := range map[string][]string{
		`uvx  weather --key 1`:     {"uvx", "weather", "--key", "1"},
		`a "b c" 'd "e' f\ g "" h`: {"a", "b c", `d "e`, "f g", "", "h"},
		`a;rm -rf $HOME | b > c`:   {"a;rm", "-rf", "$HOME", "|", "b", ">", "c"},
		`"C:\\x" '\n'`:             {`C:\x`, `\n`},
	} {
		got, err := split(command)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

// Any text makes a schema or an error, and a schema is one that can be used.
func FuzzSchema(f *testing.F) {
	for _, s := range []string{
		`{"type":"object"}`, `{"type":"object","$ref":"#"}`, `{"$ref":"#/a~1b/c","a/b":{"c":{"type":"object"}}}`,
		`{"type":"object","properties":{"a":{"anyOf":[{"$ref":"#"},{"type":"null"}]}}}`, `[]`, `{"not":true,"items":[{},{}]}`,
	} {
		f.Add(s, `{"a":{"a":null}}`)
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		v, ok := parsed(text).(map[string]any)
		if !ok {
			return
		}
		s, err := compile(v)
		if err != nil {
			return
		}
		if strings.Contains(string(s.Raw), `"$ref":"`) && !strings.Contains(text, `enum`) && !strings.Contains(text, `default`) {
			t.Logf("a reference is left in a value: %s", s.Raw)
		}
		_ = s.Fits(parsed(value))
	})
}

// Whatever words are quoted come back as they were.
func FuzzCommand(f *testing.F) {
	f.Add(`uvx "a b" 'c' \d`, "")
	f.Add("it's", `\`)
	quoted := func(w string) string { return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'" }
	f.Fuzz(func(t *testing.T, a, b string) {
		_, _ = split(a)
		if !utf8.ValidString(a) || !utf8.ValidString(b) {
			return
		}
		words, err := split(quoted(a) + "\t " + quoted(b))
		if err != nil || !slices.Equal(words, []string{a, b}) {
			t.Fatalf("%q and %q became %q, %v", a, b, words, err)
		}
	})
}

func parsed(text string) any {
	var v any
	_ = json.Unmarshal([]byte(text), &v)
	return v
}
