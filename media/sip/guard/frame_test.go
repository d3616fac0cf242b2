package guard_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/media/sip/guard"
)

// frames feeds a stream in the given pieces and gives what came out.
func frames(pieces ...string) (messages []string, pings int, err error) {
	var f guard.Framer
	for _, piece := range pieces {
		f.Write([]byte(piece))
		for {
			frame, ok, err := f.Next()
			if err != nil {
				return messages, pings, err
			}
			if !ok {
				break
			}
			if frame.Ping {
				pings++
				continue
			}
			messages = append(messages, string(frame.Bytes))
		}
	}
	return messages, pings, nil
}

// However TCP cuts a stream, the same messages come out.
func TestAnyCutGivesTheSameMessages(t *testing.T) {
	parts := []string{good, "\r\n\r\n", "\r\n", "\x00", strings.Replace(good, "Content-Length: 4", "l:4", 1)}
	rapid.Check(t, func(t *rapid.T) {
		var stream strings.Builder
		want := 0
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(parts)-1), 1, 8).Draw(t, "parts") {
			stream.WriteString(parts[i])
			if i == 0 || i == 4 {
				want++
			}
		}
		stream.WriteString(good)
		text := stream.String()
		var pieces []string
		for len(text) > 0 {
			n := rapid.IntRange(1, len(text)).Draw(t, "cut")
			pieces = append(pieces, text[:n])
			text = text[n:]
		}
		got, _, err := frames(pieces...)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != want+1 || got[want] != good {
			t.Fatalf("got %d messages, want %d", len(got), want+1)
		}
	})
}

// Two line ends between messages are a ping, one is nothing.
func TestPings(t *testing.T) {
	_, pings, err := frames("\r\n\r\n", "\r\n", "\x00", good, "\r", "\n\r", "\n")
	require.NoError(t, err)
	require.Equal(t, 2, pings)
	var f guard.Framer
	f.Write([]byte("\r\n"))
	require.False(t, f.Waiting(), "a line end alone is no message that must end")
	f.Write([]byte("I"))
	require.True(t, f.Waiting())
}

// A stream whose next message cannot be measured is over.
func TestHopelessStreams(t *testing.T) {
	for name, test := range map[string]struct{ stream, want string }{
		"negative":     {strings.Replace(good, "Length: 4", "Length: -4", 1), "400 Content-Length is not a number"},
		"missing":      {strings.Replace(good, "Content-Length: 4\r\n", "", 1), "400 Missing Content-Length header"},
		"contradicted": {strings.Replace(good, "Length: 4", "Length: 4\r\nl: 5", 1), "400 More than one"},
		"too large":    {strings.Replace(good, "Length: 4", "Length: 65536", 1), "513 Message Too Large"},
		"overflowing":  {strings.Replace(good, "Length: 4", "Length: 4294967300", 1), "513 Message Too Large"},
		"endless":      {"INVITE sip:a@b SIP/2.0\r\n" + strings.Repeat("X: y\r\n", 12000), "513 Message Too Large"},
		"no line":      {strings.Repeat("x", 9000), "drop: start line too long"},
		"http":         {"POST / HTTP/1.1\r\nHost: x\r\n", "drop: not SIP"},
		"response":     {"SIP/2.0 200 OK\r\nVia: x\r\n\r\n", "drop: Missing Content-Length"},
	} {
		_, _, err := frames(test.stream)
		require.Error(t, err, name)
		require.Contains(t, err.Error(), test.want, name)
	}
}
