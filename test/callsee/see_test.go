// Package callsee_test calls the real program over SIP and RTP and looks at the
// calls from outside by its commands and its API: who must hear whom does, and
// nobody else.
package callsee_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"flametree/gateway/ws"
	"flametree/media/wav"
	"flametree/test/house"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Calls wait for sound most of the time.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	os.Exit(house.Main(m))
}

const agentFile = `name: Quiet desk
alias: quiet
type: inbound_voice
identity: You are Ines, the assistant of a yacht harbour.
speech_style: Friendly.
task: Answer questions about the harbour from the knowledge.
welcome_message: Hello.
knowledge:
  core: The harbour lies at the mouth of the river.
env:
  VOICE_RECORD: True
  VOICE_NO_INPUT_TIMEOUT: 300
`

// serve runs a server with one agent that says little.
func serve(t *testing.T) *house.Server {
	t.Helper()
	path := filepath.Join(t.TempDir(), "quiet.yaml")
	require.NoError(t, os.WriteFile(path, []byte(agentFile), 0o600))
	return house.Serve(t, house.Options{Agents: []string{path}})
}

// call has a customer call the agent and gives the session.
func call(t *testing.T, s *house.Server, customer *phone, from string) string {
	t.Helper()
	customer.dial("sip:quiet@"+s.SIP, from)
	session := ""
	require.Eventually(t, func() bool {
		events, err := s.Events(t.Context(), 1)
		require.NoError(t, err)
		for _, e := range events {
			var b struct {
				From struct{ Text string }
			}
			if e.Kind == "call.offered.v1" {
				e.Into(t, &b)
				if strings.Contains(b.From.Text, from+"@") {
					session = e.Session
				}
			}
			if e.Kind == "call.answered.v1" && session != "" {
				return true
			}
		}
		return false
	}, 10*time.Second, 50*time.Millisecond)
	return session
}

// kinds are the bodies of the call's events of a kind, as they are printed.
func kinds(t *testing.T, s *house.Server, kind string) []string {
	t.Helper()
	events, err := s.Events(t.Context(), 1)
	require.NoError(t, err)
	var out []string
	for _, e := range events {
		if e.Kind == kind {
			out = append(out, e.Raw)
		}
	}
	return out
}

func flametree(t *testing.T, s *house.Server, args ...string) string {
	t.Helper()
	return house.Must(t, append([]string{"--data", s.Data}, args...)...)
}

// The sound of a running call comes as a WAV, the customer left and the agent
// right, and ends with the call. Several listen at once, one over the API.
func TestListeningOverACommandAndASocket(t *testing.T) {
	t.Parallel()
	s := serve(t)
	customer := newPhone(t, 1000)
	session := call(t, s, customer, "alice")
	out := filepath.Join(t.TempDir(), "live.wav")
	var said bytes.Buffer
	cmd := exec.Command(house.Program(), "--data", s.Data, "call", "listen", session, "--wav", out, "--by", "anna")
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Start())

	a := s.Agents[0]
	sock, resp, err := websocket.DefaultDialer.Dial("ws://"+s.HTTP+"/chatbot/"+a.ID+"/session/"+session+"/listen?by=bert", http.Header{"Authorization": {"Bearer " + a.Token}})
	require.NoError(t, err)
	_ = resp.Body.Close()
	defer func() { _ = sock.Close() }()
	kind, text, err := sock.ReadMessage()
	require.NoError(t, err)
	require.Equal(t, websocket.TextMessage, kind)
	var format struct {
		Format   string
		RateHz   int `json:"rate_hz"`
		Channels int
	}
	require.NoError(t, json.Unmarshal(text, &format))
	require.Equal(t, "s16le", format.Format)
	require.Equal(t, 2, format.Channels)
	var left []int16
	for range 100 {
		kind, b, err := sock.ReadMessage()
		require.NoError(t, err)
		require.Equal(t, websocket.BinaryMessage, kind)
		for i := 0; i+3 < len(b); i += 4 {
			left = append(left, int16(uint16(b[i])|uint16(b[i+1])<<8))
		}
	}
	require.Greater(t, level(left[len(left)/2:], float64(format.RateHz), 1000), 60.0, "the customer is heard")
	customer.lately(2 * time.Second)
	customer.hangUp(0)
	require.NoError(t, cmd.Wait(), said.String())
	_, _, err = sock.ReadMessage()
	for err == nil {
		_, _, err = sock.ReadMessage()
	}
	require.True(t, websocket.IsCloseError(err, websocket.CloseNormalClosure), "%v", err)

	b, err := os.ReadFile(out)
	require.NoError(t, err)
	sound, err := wav.Decode(b)
	require.NoError(t, err)
	require.Equal(t, 2, sound.Channels)
	require.Greater(t, sound.Length(), 2*time.Second)
	last := func(ch int) []int16 { c := sound.Channel(ch); return c[len(c)/2:] }
	rate := float64(sound.RateHz)
	require.Greater(t, level(last(0), rate, 1000), 60.0)
	require.Less(t, level(last(1), rate, 1000), level(last(0), rate, 1000)-40, "the customer is on one side only")
	for _, who := range []string{"anna", "bert"} { // their ends are written when they have heard the end
		require.Eventually(t, func() bool {
			return strings.Count(strings.Join(kinds(t, s, "call.observed.v1"), "\n"), `"`+who+`"`) >= 2
		}, 5*time.Second, 20*time.Millisecond, "%s comes and goes", who)
	}
	seen := strings.Join(kinds(t, s, "call.observed.v1"), "\n")
	for _, who := range []string{"anna", "bert"} {
		require.Equal(t, 2, strings.Count(seen, `"`+who+`"`), "%s", seen)
	}
	stranger, resp, err := websocket.DefaultDialer.Dial("ws://"+s.HTTP+"/chatbot/"+a.ID+"/session/"+session+"/listen", http.Header{"Authorization": {"Bearer wrong"}})
	require.NoError(t, err)
	_ = resp.Body.Close()
	_, _, err = stranger.ReadMessage()
	require.True(t, websocket.IsCloseError(err, ws.CloseDenied), "%v", err)
	require.NoError(t, stranger.Close())
}

// An operator listens on his telephone: he hears the customer, the customer
// never hears him.
func TestAnOperatorListensUnheard(t *testing.T) {
	t.Parallel()
	s := serve(t)
	customer, operator := newPhone(t, 1000), newPhone(t, 440)
	session := call(t, s, customer, "alice")
	flametree(t, s, "call", "listen", session, "--to", operator.uri(), "--by", "anna")
	hears(t, "operator", operator.lately(2 * time.Second)[8000:], 16000, 1000, 440)
	quiet := customer.lately(2 * time.Second)
	require.Less(t, level(quiet, 16000, 440), 30.0, "the customer hears nothing of him")
	customer.hangUp(0)
	require.Eventually(t, func() bool { return operator.gone() == 1 }, 10*time.Second, 20*time.Millisecond, "his telephone is hung up with the call")
}

// An operator barges in: he and the customer hear each other, and the agent is
// back when he hangs up.
func TestBargingIn(t *testing.T) {
	t.Parallel()
	s := serve(t)
	customer, operator := newPhone(t, 1000), newPhone(t, 440)
	session := call(t, s, customer, "alice")
	customer.lately(time.Second)
	said := flametree(t, s, "call", "barge", session, "--to", operator.uri(), "--by", "anna")
	require.Contains(t, said, "speaks with the customer")
	customer.lately(500 * time.Millisecond)
	hears(t, "customer", customer.lately(2*time.Second), 16000, 440, 1000)
	hears(t, "operator", operator.lately(2*time.Second), 16000, 1000, 440)
	require.Contains(t, flametree(t, s, "calls", "list"), "barge_in by anna")
	require.Len(t, kinds(t, s, "session.handed_over.v1"), 1)
	operator.hangUp(0)
	require.Eventually(t, func() bool { return len(kinds(t, s, "session.handed_over.v1")) == 2 }, 10*time.Second, 50*time.Millisecond)
	require.Less(t, level(customer.lately(2 * time.Second)[8000:], 16000, 440), 55.0, "he is gone; the agent's voice has some of it")
	require.Zero(t, customer.gone(), "the customer is still there")
	// A failure changes nothing.
	r := house.Command(t, "--data", s.Data, "call", "barge", session, "--to", "sip:nobody@"+s.SIP, "--by", "anna")
	require.NotZero(t, r.Code)
	require.Len(t, kinds(t, s, "session.handed_over.v1"), 2)
	customer.hangUp(0)
}

// What was signalled, how the call sounded and what it waited for is shown while
// it runs and afterwards.
func TestLadderAndStory(t *testing.T) {
	t.Parallel()
	s := serve(t)
	customer := newPhone(t, 0)
	session := call(t, s, customer, "alice")
	flametree(t, s, "call", "whisper", session, "be brief", "--by", "anna")
	customer.lately(3 * time.Second)
	live := flametree(t, s, "calls", "ladder", session)
	require.Contains(t, live, "INVITE (SDP) udp")
	require.Contains(t, live, "200 OK udp")
	require.Regexp(t, `MOS 4\.\d`, flametree(t, s, "calls", "list"))
	customer.hangUp(0)
	require.Eventually(t, func() bool { return len(kinds(t, s, "call.ended.v1")) == 1 }, 10*time.Second, 50*time.Millisecond)
	full := flametree(t, s, "calls", "ladder", session, "--full")
	for _, word := range []string{"INVITE sip:quiet@", "m=audio", "ACK ", "BYE "} {
		require.Contains(t, full, word)
	}
	require.Greater(t, strings.Count(full, "200 OK"), 2, "the answer to BYE is there as well")
	story := flametree(t, s, "calls", "show", session)
	require.Contains(t, story, "whisper by anna: be brief")
	require.Contains(t, story, "estimated MOS 4.")
	require.Contains(t, story, "AI: Hello.")
	require.Contains(t, story, "turn 0")
	require.Len(t, kinds(t, s, "call.traced.v1"), 1)
	require.Len(t, kinds(t, s, "operator.whispered.v1"), 1)
	// The same over the API, with the agent's token.
	for _, path := range []string{"/call", "/call/ladder"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.HTTP+"/chatbot/"+s.Agents[0].ID+"/session/"+session+path, nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+s.Agents[0].Token)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		var got map[string]any
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&got))
		_ = resp.Body.Close()
		require.Equal(t, http.StatusOK, resp.StatusCode, "%v", got)
		require.Equal(t, session, got["session_id"])
	}
	http.DefaultClient.CloseIdleConnections()
	found := false
	require.NoError(t, filepath.WalkDir(s.Data, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			found = true
			require.NotContains(t, string(b), "INVITE", "the ladder is sealed")
		}
		return err
	}))
	require.True(t, found)
}

// A capture is read by tcpdump, holds sound of both ways and the signalling,
// lies sealed, and nothing of it is a pressed key.
func TestACaptureIsReadByTcpdump(t *testing.T) {
	t.Parallel()
	s := serve(t)
	customer := newPhone(t, 1000)
	session := call(t, s, customer, "alice")
	said := flametree(t, s, "call", "capture", session, "--for", "3s", "--keep", "1m", "--by", "anna")
	require.Contains(t, said, "not captured: pressed keys")
	r := house.Command(t, "--data", s.Data, "call", "capture", session)
	require.NotZero(t, r.Code, "one at a time")
	press, ok := customer.call.Leg().(interface {
		Press(digit byte, length time.Duration) error
	})
	require.True(t, ok)
	for _, key := range []byte("4111") {
		require.NoError(t, press.Press(key, 0))
	}
	out := filepath.Join(t.TempDir(), "call.pcap")
	require.Eventually(t, func() bool {
		return house.Command(t, "--data", s.Data, "call", "capture", "get", session, "--out", out).Code == 0
	}, 20*time.Second, 300*time.Millisecond)
	listing, err := exec.Command("tcpdump", "-nn", "-tt", "-vv", "-A", "-r", out).CombinedOutput()
	text := string(listing)
	require.NoError(t, err, "%.500s", text)
	require.True(t, strings.Contains(text, "INVITE sip:quiet@"), "the signalling from the beginning on")
	require.Greater(t, strings.Count(text, "length 172"), 200, "sound both ways")
	require.False(t, strings.Contains(text, "length 16\n"), "a telephone event is 16 bytes")
	require.False(t, strings.Contains(text, "bad "), "the checksums are right")
	files, err := filepath.Glob(filepath.Join(s.Data, "capture", "*"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	b, err := os.ReadFile(files[0])
	require.NoError(t, err)
	require.NotContains(t, string(b), "INVITE", "sealed at rest")
	seen := strings.Join(kinds(t, s, "call.observed.v1"), "\n")
	require.Equal(t, 2, strings.Count(seen, `"capture"`), "%s", seen)
	customer.hangUp(0)
}
