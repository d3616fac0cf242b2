// Package browser_test calls the real program from a real browser: a headless
// Chromium opens the page, presses the button and speaks with a microphone that
// a foreign voice has filled. What the browser played is recorded in the page and
// recognised; what the page showed, what the journal tells and what was heard
// must agree.
package browser_test

import (
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/media/keypair/keypairtest"
	"flametree/test/browser/cdp"
	"flametree/test/house"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Calls wait for sound most of the time, and browsers are large.
	if err := flag.Set("test.parallel", "3"); err != nil {
		panic(err)
	}
	os.Exit(house.Main(m))
}

// ear records in the page what it plays.
//
//go:embed testdata/ear.js
var ear string

// rateHz is of the sound that browsers play.
const rateHz = 48000

// serve runs a server whose WebRTC port and relay are on loopback, if no other
// flags say something else.
func serve(t *testing.T, args ...string) *house.Server {
	t.Helper()
	return serveWith(t, nil, args...)
}

func serveWith(t *testing.T, env []string, args ...string) *house.Server {
	t.Helper()
	var agents []string
	for _, name := range []string{"island", "reader"} {
		path, err := filepath.Abs("testdata/" + name + ".yaml")
		require.NoError(t, err)
		agents = append(agents, path)
	}
	args = append([]string{"--webrtc", "127.0.0.1:0", "--turn", "127.0.0.1:0"}, args...)
	return house.Serve(t, house.Options{Demo: true, Agents: agents, Args: args, Env: env})
}

// serveSafe is serve with a relay that speaks TLS. believe is the file of the
// authority that its certificate is of.
func serveSafe(t *testing.T) (s *house.Server, believe string) {
	t.Helper()
	a := keypairtest.New(t)
	cert, key := a.Issue("relay", "localhost")
	return serveWith(t, []string{
		"FLAMETREE_TURN_TLS=127.0.0.1:0", "FLAMETREE_TURN_TLS_NAME=localhost", "FLAMETREE_TURN_TLS_CERT=" + cert, "FLAMETREE_TURN_TLS_KEY=" + key,
	}), a.File
}

// spoken is a part of what a microphone hears: silence, then words.
type spoken struct {
	after time.Duration
	words string
}

// microphone renders what is said into a file, with a foreign voice.
func microphone(t *testing.T, parts ...spoken) string {
	t.Helper()
	dir := t.TempDir()
	var files []string
	for i, p := range parts {
		loud, wide := filepath.Join(dir, fmt.Sprintf("%d.wav", i)), filepath.Join(dir, fmt.Sprintf("%d.48.wav", i))
		execute(t, "flite", "-voice", "rms", "-t", p.words, "-o", loud)
		execute(t, "sox", loud, "-r", "48000", "-e", "signed", "-b", "16", "-c", "1", wide, "gain", "-n", "-4", "pad", fmt.Sprint(p.after.Seconds()))
		files = append(files, wide)
	}
	out := filepath.Join(dir, "microphone.wav")
	execute(t, "sox", append(files, out, "pad", "0", "40")...)
	return out
}

// quiet is the microphone of somebody who says nothing.
func quiet(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "quiet.wav")
	execute(t, "sox", "-n", "-r", "48000", "-b", "16", "-c", "1", out, "trim", "0", "90")
	return out
}

func execute(t *testing.T, name string, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	require.NoError(t, err, "%s: %s", name, out)
}

// visitor is a person in front of the page.
type visitor struct {
	*cdp.Page
	t *testing.T
	s *house.Server
	b *cdp.Browser
}

// tell says what the agent understood, when the test has failed.
func (v *visitor) tell() {
	if !v.t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	events, _ := v.s.Events(ctx, 1)
	for _, e := range events {
		if e.Text != "" {
			v.t.Logf("%s: %s", e.Kind, e.Text)
		}
	}
}

// visit opens the page with a recorder in it, at the island's tab.
func visit(t *testing.T, s *house.Server, o cdp.Options, script string) *visitor {
	t.Helper()
	return visitAt(t, s, s.HTTP, "Island desk", o, script)
}

// visitAt opens the page by an address, at an agent's tab.
func visitAt(t *testing.T, s *house.Server, address, agent string, o cdp.Options, script string) *visitor {
	t.Helper()
	b := cdp.Launch(t, o)
	v := &visitor{b.Open("http://"+address+"/", ear+script), t, s, b}
	t.Cleanup(v.tell)
	v.Wait("the agent's tab", fmt.Sprintf(`[...document.querySelectorAll(".tab")].some((t) => t.textContent === %q && (t.id = "ours"))`, agent))
	v.Click("#ours")
	return v
}

// call presses the button and waits until the call is up.
func (v *visitor) call() {
	v.t.Helper()
	v.press(".call-start")
	v.state("up")
}

// box is the chat box that is shown.
const box = ".box:not([hidden]) "

func (v *visitor) press(selector string) {
	v.t.Helper()
	v.Click(box + selector)
}

func (v *visitor) state(want string) {
	v.t.Helper()
	v.Wait("the call is "+want, fmt.Sprintf(`document.querySelector(".box:not([hidden]) .callbox").dataset.state === %q`, want))
}

// heard is what the page played so far, 48 kHz.
func (v *visitor) heard() []int16 {
	v.t.Helper()
	var text string
	v.Eval("ear.sound()", &text)
	b, err := base64.StdEncoding.DecodeString(text)
	require.NoError(v.t, err)
	out := make([]int16, len(b)/2)
	for i := range out {
		out[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return out
}

// caption is a line of the captions.
type caption struct{ Who, Text string }

func (v *visitor) captions() []caption {
	v.t.Helper()
	var out []caption
	v.Eval(`Array.from(document.querySelectorAll(".box:not([hidden]) .caption"), (c) => ({Who: c.classList.contains("AI") ? "AI" : "USER", Text: c.lastChild.textContent}))`, &out)
	return out
}

// stats are the numbers of the browser's own statistics that are looked at.
type stats struct {
	Local, Remote, Protocol, RelayProtocol, Address string
	Received, Lost, Concealed, Samples              float64
	JitterBufferMS, RoundTripMS                     float64
}

func (v *visitor) stats() stats {
	v.t.Helper()
	var out stats
	v.Eval("ear.stats()", &out)
	return out
}

// journal waits for the end of the call and gives how it ended.
func (v *visitor) ended() ending {
	v.t.Helper()
	e := v.s.Until(v.t, "the call has ended", 30*time.Second, func(e house.Event) bool { return e.Kind == "call.ended.v1" })
	var b ending
	e.Into(v.t, &b)
	return b
}

// ending is how a call ended.
type ending struct {
	Reason, By           string
	Received, Lost, Sent uint64
	Talked               time.Duration
}

// show is for messages of failures.
func show(v any) string {
	b, _ := json.Marshal(v) // what cannot be shown is not
	return string(b)
}
