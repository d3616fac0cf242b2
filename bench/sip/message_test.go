package sip

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const answered = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:1;branch=z9hG4bK1\r\nRecord-Route: <sip:a;lr>, <sip:b;lr>\r\nf: <sip:x@y>;tag=1\r\n" +
	"To: <sip:bench@127.0.0.1>;tag=2\r\ni: 7@here\r\nCSeq: 1 INVITE\r\nContact: \"A\" <sip:bench@127.0.0.1:5060>;q=1\r\nContent-Length: 0\r\n\r\n"

func TestAnAnswerIsReadAsADialogNeedsIt(t *testing.T) {
	m, ok := read([]byte(answered))
	require.True(t, ok)
	require.Equal(t, 200, m.code)
	require.Equal(t, "INVITE", m.method)
	require.Equal(t, "7@here", m.callID)
	require.Equal(t, "<sip:bench@127.0.0.1>;tag=2", m.to)
	require.Equal(t, "sip:bench@127.0.0.1:5060", m.contact)
	require.Equal(t, []string{"<sip:a;lr>", "<sip:b;lr>"}, m.routes)
	require.Len(t, m.echo, 5)
	c := call{socket: &socket{name: "127.0.0.1:1"}}
	c.to, c.remote = m.to, m.contact
	require.Contains(t, c.request("BYE", 2), "BYE sip:bench@127.0.0.1:5060 SIP/2.0\r\n")
}

func TestWhatIsNoMessageIsNotRead(t *testing.T) {
	for _, bad := range []string{"", "\r\n\r\n", "HELLO", "SIP/2.0 abc OK\r\nCall-ID: 1\r\n\r\n", "SIP/2.0 99 OK\r\nCall-ID: 1\r\nCSeq: 1 BYE\r\n\r\n", "BYE x SIP/2.0\r\n\r\n"} {
		_, ok := read([]byte(bad))
		require.False(t, ok, "%q", bad)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(answered))
	f.Add([]byte("BYE sip:x SIP/2.0\r\nCall-ID: 1\r\nCSeq: 2 BYE\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if m, ok := read(raw); ok {
			require.NotEmpty(t, m.callID)
			require.NotEmpty(t, m.method)
		}
	})
}
