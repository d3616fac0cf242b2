// Package recording_test calls the real program and looks at everything that it
// leaves on the disk: the sound of a recorded call and the keys of a card are
// nowhere in the clear, at no moment, and who may listen can.
package recording_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/media/caller"
	"flametree/media/g711"
	"flametree/media/sip"
	"flametree/media/wav"
	"flametree/test/house"
)

func TestMain(m *testing.M) { os.Exit(house.Main(m)) }

// card is a number that no test but this one knows.
const card = "4929570718341066"

// serve runs a server with both desks, and tells all it logs.
func serve(t *testing.T, data string) *house.Server {
	t.Helper()
	var files []string
	for _, name := range []string{"pay", "desk"} {
		path, err := filepath.Abs(filepath.Join("testdata", name+".yaml"))
		require.NoError(t, err)
		files = append(files, path)
	}
	if data != "" { // it knows its agents
		return house.Serve(t, house.Options{Data: data, Log: "debug", Whole: true})
	}
	return house.Serve(t, house.Options{Agents: files, Log: "debug", Whole: true})
}

// canary is a sound that comes through µ-law as it is: two levels that no
// speech has side by side for so long.
func canary(length time.Duration) []int16 {
	out := make([]int16, int(length.Seconds()*caller.RateHz))
	for i := range out {
		out[i] = level(i)
	}
	return out
}

func level(i int) int16 {
	var out [1]int16
	g711.MuLaw.Decode(out[:], []byte{[]byte{0x93, 0x1b}[i%2]})
	return out[0]
}

// traces are the bytes by which the canary's sound is known: alone, and beside
// an agent that is silent, and as it came in.
func traces() map[string][]byte {
	var mono, stereo, coded []byte
	for i := range 16 {
		v := level(i)
		mono = append(mono, byte(v), byte(v>>8))
		stereo = append(stereo, byte(v), byte(v>>8), 0, 0)
		coded = append(coded, []byte{0x93, 0x1b}[i%2])
	}
	return map[string][]byte{"alone": mono, "left of a recording": stereo, "as it came in": coded, "a WAV file": []byte("WAVEfmt "), "the card": []byte(card)}
}

// search looks for all traces in every file of a folder.
func search(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // what goes away while it is looked at holds nothing
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil //nolint:nilerr // as above
		}
		files++
		for what, mark := range traces() {
			if bytes.Contains(b, mark) {
				t.Errorf("%s lies in the clear in %s", what, path)
			}
		}
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, files, 3, "there is something to search")
}

// watch searches the folder again and again until it is stopped.
func watch(t *testing.T, dir string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			search(t, dir)
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	return func() { cancel(); <-done }
}

// dial calls a desk and hears its greeting.
func dial(t *testing.T, s *house.Server, alias, from string, codecs ...string) *caller.Call {
	t.Helper()
	phone, err := caller.New(t.Context(), caller.Options{Keep: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = phone.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := phone.Call(ctx, "sip:"+alias+"@"+s.SIP, sip.DialOptions{From: from, Codecs: append(codecs, "PCMU")[:1]})
	require.NoError(t, err)
	require.NoError(t, c.WaitVoice(ctx, time.Time{}, 300*time.Millisecond))
	require.NoError(t, c.WaitQuiet(ctx, time.Time{}, 700*time.Millisecond))
	return c
}

// card enters the card and ends the entry.
func enter(t *testing.T, c *caller.Call, keys string) {
	t.Helper()
	for _, k := range []byte(keys + "#") {
		require.NoError(t, c.SIP().Info(t.Context(), k, 100*time.Millisecond))
	}
}

type closed struct {
	Blob, Peaks    string
	Length, Paused time.Duration
	Cut            bool
}

// kept waits for the recording of the call of somebody.
func kept(t *testing.T, s *house.Server, from string) (session string, b closed) {
	t.Helper()
	for range 200 {
		events, err := s.Events(t.Context(), 1)
		require.NoError(t, err)
		call := ""
		for _, e := range events {
			if e.Kind == "session.created.v1" {
				var born struct {
					Call  string
					Phone struct{ Text string }
				}
				e.Into(t, &born)
				if born.Phone.Text == from {
					session, call = e.Session, born.Call
				}
			}
			if e.Kind == "recording.closed.v1" && e.Stream == "call/"+call {
				e.Into(t, &b)
				return session, b
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the recording of %s is not kept", from)
	return "", b
}

// sound is a recording as the command gives it.
func sound(t *testing.T, data, session string) wav.Audio {
	t.Helper()
	path := filepath.Join(t.TempDir(), "out.wav")
	house.Must(t, "--data", data, "recording", "get", session, "--out", path)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	a, err := wav.Decode(b)
	require.NoError(t, err)
	return a
}

// holds reports whether a side has the canary in it.
func holds(side []int16) bool {
	for i := 0; i+16 < len(side); i++ {
		n := 0
		for n < 16 && (side[i+n] == level(n)) {
			n++
		}
		if n == 16 {
			return true
		}
	}
	return false
}

func TestARecordedCallIsSealedFromItsFirstByteAndCanBeListenedTo(t *testing.T) {
	t.Parallel()
	s := serve(t, "")
	stop := watch(t, s.Data)
	c := dial(t, s, "desk", "anna")
	_, err := c.Say(t.Context(), canary(1500*time.Millisecond))
	require.NoError(t, err)
	search(t, s.Data)
	spools, err := os.ReadDir(filepath.Join(s.Data, "spool"))
	require.NoError(t, err)
	require.Len(t, spools, 1, "it is spooled while the call runs")
	c.Hangup()
	session, b := kept(t, s, "anna")
	stop()
	search(t, s.Data)
	require.False(t, b.Cut)
	require.Less(t, b.Paused, 5*time.Second)

	a := sound(t, s.Data, session)
	require.True(t, holds(a.Channel(0)), "the canary is in the recording, or the search proves nothing")
	require.False(t, holds(a.Channel(1)))
	require.InDelta(t, b.Length.Seconds(), a.Length().Seconds(), 0.01)
	require.Contains(t, house.Must(t, "--data", s.Data, "recording", "list"), session)
	require.Contains(t, house.Must(t, "--data", s.Data, "recording", "peaks", session), "caller ")
	byAPI(t, s, session, b)

	// With no server running the folder is read as it lies.
	require.Zero(t, s.Stop(t))
	require.Equal(t, a.PCM, sound(t, s.Data, session).PCM)
	require.Contains(t, house.Must(t, "--data", s.Data, "recording", "list"), session)

	s = serve(t, s.Data)
	house.Must(t, "--data", s.Data, "recording", "delete", session)
	require.NotZero(t, house.Command(t, "--data", s.Data, "recording", "get", session).Code)
	for _, name := range []string{b.Blob, b.Peaks} {
		_, err := os.Stat(filepath.Join(s.Data, "blob", "sha256", name[:2], name))
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	require.Contains(t, story(t, s, session), "recording deleted: asked")
}

// story is the call as the owner of the data is told it.
func story(t *testing.T, s *house.Server, session string) string {
	t.Helper()
	way := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(s.Data, "admin.sock"))
	}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://admin/calls/"+session, nil)
	require.NoError(t, err)
	resp, err := (&http.Client{Transport: way}).Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode, string(b))
	return string(b)
}

// A wide codec is recorded at the rate of the wire.
func TestAWideCallIsRecordedAtItsOwnRate(t *testing.T) {
	t.Parallel()
	s := serve(t, "")
	c := dial(t, s, "desk", "dora", "G722")
	tone := make([]int16, caller.RateHz)
	for i := range tone {
		tone[i] = int16(9000 * math.Sin(2*math.Pi*700*float64(i)/caller.RateHz))
	}
	_, err := c.Say(t.Context(), tone)
	require.NoError(t, err)
	c.Hangup()
	session, b := kept(t, s, "dora")
	a := sound(t, s.Data, session)
	require.Equal(t, 16000, a.RateHz)
	require.InDelta(t, b.Length.Seconds(), a.Length().Seconds(), 0.01)
	loud := 0
	for _, v := range a.Channel(0) {
		if v > 6000 {
			loud++
		}
	}
	require.Greater(t, loud, 16000/8, "the tone is there")
	search(t, s.Data)
}

// byAPI listens with the token of the agent.
func byAPI(t *testing.T, s *house.Server, session string, b closed) {
	t.Helper()
	desk, other := s.Agent(t, "Recorded desk"), s.Agent(t, "Payment desk")
	get := func(a house.Agent, path, span string) (*http.Response, []byte) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.HTTP+"/chatbot/"+a.ID+"/session/"+session+path, nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+a.Token)
		if span != "" {
			req.Header.Set("Range", span)
		}
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		require.NoError(t, err)
		defer func() { require.NoError(t, resp.Body.Close()) }()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp, body
	}
	resp, all := get(desk, "/recording", "")
	require.Equal(t, 200, resp.StatusCode, string(all[:min(len(all), 300)]))
	require.Equal(t, "audio/wav", resp.Header.Get("Content-Type"))
	require.Equal(t, "bytes", resp.Header.Get("Accept-Ranges"))
	a, err := wav.Decode(all)
	require.NoError(t, err)
	require.Equal(t, b.Length, a.Length())
	for span, want := range map[string]string{
		"bytes=0-43":     string(all[:44]),
		"bytes=1000-":    string(all[1000:]),
		"bytes=-99":      string(all[len(all)-99:]),
		"bytes=50-90000": string(all[50:min(90001, len(all))]),
	} {
		resp, part := get(desk, "/recording", span)
		require.Equal(t, http.StatusPartialContent, resp.StatusCode, span)
		require.Equal(t, want, string(part), span)
		require.True(t, strings.HasSuffix(resp.Header.Get("Content-Range"), fmt.Sprintf("/%d", len(all))))
	}
	resp, _ = get(desk, "/recording", "bytes=999999999-")
	require.Equal(t, http.StatusRequestedRangeNotSatisfiable, resp.StatusCode)
	resp, _ = get(other, "/recording", "")
	require.Equal(t, http.StatusNotFound, resp.StatusCode, "another agent's token opens nothing")
	resp, _ = get(house.Agent{ID: desk.ID, Token: "wrong"}, "/recording", "")
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)

	resp, text := get(desk, "/recording/peaks", "")
	require.Equal(t, 200, resp.StatusCode)
	var p struct {
		StepMS      int64 `json:"step_ms"`
		Left, Right []int
	}
	require.NoError(t, json.Unmarshal(text, &p))
	require.Len(t, p.Right, len(p.Left))
	require.InDelta(t, b.Length.Milliseconds(), p.StepMS*int64(len(p.Left)), float64(p.StepMS))
}

func TestACardIsNeitherRecordedNorShown(t *testing.T) {
	t.Parallel()
	s := serve(t, "")
	stop := watch(t, s.Data)
	c := dial(t, s, "pay", "bert")
	since := time.Now()
	enter(t, c, card)
	require.NoError(t, c.WaitVoice(t.Context(), since, 300*time.Millisecond))
	_, err := c.Say(t.Context(), canary(500*time.Millisecond))
	require.NoError(t, err)
	require.NoError(t, c.WaitQuiet(t.Context(), since, 700*time.Millisecond))
	c.Hangup()
	session, b := kept(t, s, "bert")
	stop()
	search(t, s.Data)
	a := sound(t, s.Data, session)
	require.InDelta(t, b.Length.Seconds(), b.Paused.Seconds(), 0.2, "all of the call was sensitive")
	for i, v := range a.PCM {
		if v != 0 && i > 8000/5 { // the state was entered when the call was answered
			t.Fatalf("sample %d is %d", i, v)
		}
	}
	pressed, heard := 0, 0
	for _, e := range house.Journal(t, s.Data) {
		switch e.Kind {
		case "call.digit.v1":
			pressed++
		case "utterance.heard.v1":
			heard++
		}
	}
	require.Equal(t, len(card)+1, pressed, "the keys arrived, or their absence proves nothing")
	require.NotZero(t, heard)
	shown := map[string]string{
		"journal tail":          house.Must(t, "--data", s.Data, "journal", "tail"),
		"journal tail --json":   house.Must(t, "--data", s.Data, "journal", "tail", "--json"),
		"the story of the call": story(t, s, session),
	}
	require.Zero(t, s.Stop(t))
	shown["what the server printed"], shown["what it logged"] = s.Said(), s.Log()
	for where, text := range shown {
		require.NotContains(t, text, card, where)
		require.NotContains(t, text, card[:6], where)
		for _, key := range []string{`"Digit":{"Text":"4"`, `digit=4`, `key=4`} {
			require.NotContains(t, text, key, where)
		}
	}
}

func TestACallThatWasKilledIsRecoveredSealed(t *testing.T) {
	t.Parallel()
	s := serve(t, "")
	c := dial(t, s, "desk", "cleo")
	_, err := c.Say(t.Context(), canary(2500*time.Millisecond))
	require.NoError(t, err)
	s.Kill()
	search(t, s.Data)
	spools, err := os.ReadDir(filepath.Join(s.Data, "spool"))
	require.NoError(t, err)
	require.Len(t, spools, 1)
	s = serve(t, s.Data)
	session, b := kept(t, s, "cleo")
	search(t, s.Data)
	require.True(t, b.Cut)
	a := sound(t, s.Data, session)
	require.True(t, holds(a.Channel(0)), "what was said before is there")
	require.InDelta(t, b.Length.Seconds(), a.Length().Seconds(), 0.01)
	require.NotEmpty(t, b.Peaks)
	spools, err = os.ReadDir(filepath.Join(s.Data, "spool"))
	require.NoError(t, err)
	require.Empty(t, spools)
	require.Zero(t, s.Stop(t))
	search(t, s.Data)
}
