// Package drain_test ends the real program while telephone calls run, and has it
// fall behind: who is on the line is not cut off, and who calls now is told to
// call elsewhere or later.
package drain_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/media/caller"
	"flametree/media/sip"
	"flametree/test/house"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// They wait for calls most of the time.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	os.Exit(house.Main(m))
}

// serve runs a server with the night porter.
func serve(t *testing.T, o house.Options) *house.Server {
	t.Helper()
	path, err := filepath.Abs("testdata/porter.yaml")
	require.NoError(t, err)
	o.Agents = []string{path}
	return house.Serve(t, o)
}

// phone is a telephone of the project's own caller.
func phone(t *testing.T) *caller.Phone {
	t.Helper()
	p, err := caller.New(t.Context(), caller.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// call places a call that has to be answered.
func call(t *testing.T, p *caller.Phone, s *house.Server, from string) *caller.Call {
	t.Helper()
	c, err := p.Call(t.Context(), s.Agent(t, "porter").SIP, sip.DialOptions{From: from, Codecs: []string{"PCMU"}})
	require.NoError(t, err)
	return c
}

// reply is what a stranger was answered.
type reply struct {
	code  int
	after int // seconds of Retry-After, 0 without
}

// ask sends one request, again when nothing comes, and reads its final answer.
// An INVITE that is taken is ended at once.
func ask(t *testing.T, s *house.Server, method string) reply {
	t.Helper()
	conn, err := net.Dial("udp4", s.SIP)
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	me, id := conn.LocalAddr().String(), strconv.FormatInt(time.Now().UnixNano(), 36)
	write := func(method, to, branch string, seq int, body string) {
		kind := ""
		if body != "" {
			kind = "Content-Type: application/sdp\r\n"
		}
		_, err := fmt.Fprintf(conn, "%s sip:porter@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\n"+
			"From: <sip:stranger@%s>;tag=%s\r\nTo: %s\r\nCall-ID: %s@drain\r\nCSeq: %d %s\r\nContact: <sip:stranger@%s>\r\n%sContent-Length: %d\r\n\r\n%s",
			method, s.SIP, me, branch, me, id, to, id, seq, method, me, kind, len(body), body)
		require.NoError(t, err)
	}
	to, body := "<sip:porter@"+s.SIP+">", ""
	if method == "INVITE" {
		body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
	}
	buf := make([]byte, 1<<16)
	for range 20 {
		write(method, to, id, 1, body)
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		for {
			n, err := conn.Read(buf)
			if err != nil {
				break
			}
			got := read(t, string(buf[:n]))
			if got.code < 200 {
				continue
			}
			if method == "INVITE" {
				tagged := header(string(buf[:n]), "To")
				if got.code == 200 {
					write("ACK", tagged, id+"a", 1, "")
					write("BYE", tagged, id+"b", 2, "")
				} else {
					write("ACK", tagged, id, 1, "")
				}
			}
			return got
		}
	}
	t.Fatalf("%s has no answer in 20 s", method)
	return reply{}
}

func read(t *testing.T, text string) (r reply) {
	t.Helper()
	_, err := fmt.Sscanf(text, "SIP/2.0 %d", &r.code)
	require.NoError(t, err, text)
	r.after, _ = strconv.Atoi(header(text, "Retry-After")) // without it, 0
	return r
}

func header(text, name string) string {
	for line := range strings.SplitSeq(text, "\r\n") {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(key, name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// eventually asks again until something holds, at most for a while.
func eventually(t *testing.T, most time.Duration, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(most); !holds(); {
		require.True(t, time.Now().Before(end), "%s, for %v", what, most)
		<-tick.C
	}
}

// endings are how calls and sessions ended, in the journal of a server.
func endings(t *testing.T, data string) (calls, sessions []string) {
	t.Helper()
	for _, e := range house.Journal(t, data) {
		switch e.Kind {
		case "call.ended.v1":
			var b struct{ Reason, By string }
			e.Into(t, &b)
			calls = append(calls, b.By+" "+b.Reason)
		case "session.ended.v1":
			var b struct{ Status string }
			e.Into(t, &b)
			sessions = append(sessions, b.Status)
		}
	}
	return calls, sessions
}

// metrics is where a server shows them.
func metrics(t *testing.T, s *house.Server) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.Data, "run.json"))
	require.NoError(t, err)
	var run struct{ Metrics string }
	require.NoError(t, json.Unmarshal(b, &run))
	return "http://" + run.Metrics + "/metrics"
}
