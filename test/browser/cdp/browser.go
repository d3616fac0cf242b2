package cdp

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Options of a Browser.
type Options struct {
	Microphone string   // a WAV of 48 kHz, 16 bit, mono; it begins when a page asks for the microphone and does not repeat
	Denied     bool     // the microphone is refused instead
	Flags      []string // further
	Trust      string   // PEM file of an authority whose certificates are believed, "" = none besides the known ones
	Network    bool     // calls go over the machine's interfaces, and not over loopback
}

// Browser is a running Chromium. It is safe for concurrent use.
type Browser struct {
	PID int

	t      testing.TB
	conn   *conn
	cmd    *exec.Cmd
	ended  chan struct{}
	errors bytes.Buffer

	mu    sync.Mutex // guards pages
	pages map[string]*Page
}

// patience bounds what a browser may take for anything but a script.
const patience = 30 * time.Second

// Launch starts a browser with a folder of its own. It ends with the test.
func Launch(t testing.TB, o Options) *Browser {
	t.Helper()
	b := &Browser{t: t, ended: make(chan struct{}), pages: map[string]*Page{}}
	hisIn, ourIn, err := os.Pipe()
	require.NoError(t, err)
	ourOut, hisOut, err := os.Pipe()
	require.NoError(t, err)
	b.cmd = exec.Command("chromium", o.flags(t.TempDir())...)
	b.cmd.ExtraFiles = []*os.File{hisIn, hisOut} // 3 and 4, where it looks for them
	b.cmd.Stderr = &b.errors
	b.cmd.Env = append(os.Environ(), "DBUS_SESSION_BUS_ADDRESS=disabled:", "ALSA_CONFIG_PATH=/dev/null")
	if o.Trust != "" {
		b.cmd.Env = append(b.cmd.Env, "HOME="+believing(t, o.Trust))
	}
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, b.cmd.Start(), "chromium is installed by .ci/setup test")
	b.PID = b.cmd.Process.Pid
	_ = hisIn.Close()
	_ = hisOut.Close()
	b.conn = newConn(ourIn, ourOut, b.event)
	go func() {
		defer close(b.ended)
		_ = b.cmd.Wait() // how it ended does not matter
	}()
	t.Cleanup(func() {
		b.Close()
		_ = ourIn.Close()
		_ = ourOut.Close()
		<-b.conn.done
		if t.Failed() {
			t.Logf("chromium says:\n%s", b.errors.Bytes()[max(0, b.errors.Len()-3000):])
		}
	})
	return b
}

// believing makes a home whose browser believes an authority: Chromium looks for
// further ones in the store of NSS there.
func believing(t testing.TB, authority string) (home string) {
	t.Helper()
	home = t.TempDir()
	store := filepath.Join(home, ".pki", "nssdb")
	require.NoError(t, os.MkdirAll(store, 0o700))
	for _, args := range [][]string{{"-N", "--empty-password"}, {"-A", "-t", "C,,", "-n", "authority", "-i", authority}} {
		out, err := exec.CommandContext(t.Context(), "certutil", append([]string{"-d", "sql:" + store}, args...)...).CombinedOutput()
		require.NoError(t, err, "certutil: %s", out)
	}
	return home
}

func (o Options) flags(dir string) []string {
	flags := []string{
		"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions",
		"--disable-breakpad", "--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding",
		"--mute-audio", "--force-prefers-reduced-motion", "--window-size=900,700", "--use-fake-device-for-media-stream",
		"--remote-debugging-pipe", "--user-data-dir=" + dir,
	}
	if o.Denied {
		flags = append(flags, "--deny-permission-prompts")
	} else {
		flags = append(flags, "--use-fake-ui-for-media-stream")
	}
	if o.Microphone != "" {
		flags = append(flags, "--use-file-for-fake-audio-capture="+o.Microphone+"%noloop")
	}
	if !o.Network {
		flags = append(flags, "--allow-loopback-in-peer-connection")
	}
	return append(append(flags, o.Flags...), "about:blank")
}

// Close asks the browser to end and, if it does not, ends it by its process id.
func (b *Browser) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = b.conn.do(ctx, "", "Browser.close", struct{}{}, nil)
	select {
	case <-b.ended:
	case <-ctx.Done():
		_ = b.cmd.Process.Kill()
		<-b.ended
	}
}

func (b *Browser) event(m message) {
	b.mu.Lock()
	p := b.pages[m.Session]
	b.mu.Unlock()
	if p != nil {
		p.event(m)
	}
}

// Page is a tab. It is safe for concurrent use.
type Page struct {
	b               *Browser
	target, session string

	mu   sync.Mutex // guards said
	said []string
}

// Open opens a page and waits until it is loaded. script, if any, runs in it
// before its own scripts.
func (b *Browser) Open(url, script string) *Page {
	b.t.Helper()
	p := &Page{b: b}
	var target struct{ TargetID string }
	b.do("", "Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var session struct{ SessionID string }
	b.do("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session)
	p.target, p.session = target.TargetID, session.SessionID
	b.mu.Lock()
	b.pages[p.session] = p
	b.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		p.do(domain+".enable", struct{}{}, nil)
	}
	if script != "" {
		p.do("Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": script}, nil)
	}
	p.do("Page.navigate", map[string]any{"url": url}, nil)
	p.Wait("the page loads", `document.readyState === "complete" && location.href !== "about:blank"`)
	return p
}

func (b *Browser) do(session, method string, params, into any) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	require.NoError(b.t, b.conn.do(ctx, session, method, params, into))
}

func (p *Page) do(method string, params, into any) {
	p.b.t.Helper()
	p.b.do(p.session, method, params, into)
}

// event keeps what the page complains about.
func (p *Page) event(m message) {
	var e struct {
		Type             string `json:"type"`
		Args             []struct{ Value, Description any }
		ExceptionDetails struct {
			Text      string
			Exception struct{ Description string }
		}
		Entry struct{ Level, Text, URL string }
	}
	if json.Unmarshal(m.Params, &e) != nil {
		return
	}
	var text string
	switch {
	case m.Method == "Runtime.exceptionThrown":
		text = "exception: " + e.ExceptionDetails.Text + " " + e.ExceptionDetails.Exception.Description
	case m.Method == "Log.entryAdded" && e.Entry.Level == "error":
		text = "log: " + e.Entry.Text + " " + e.Entry.URL
	case m.Method == "Runtime.consoleAPICalled":
		text = "console: " + fmt.Sprint(e.Args)
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, text)
}

// Said are exceptions, errors and console lines of the page so far: among them
// what its policy of content has refused.
func (p *Page) Said() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.said...)
}

// Eval runs an expression as in a click of a person, waits for its promise and
// reads its value into into, if that is not nil.
func (p *Page) Eval(expression string, into any) {
	p.b.t.Helper()
	require.NoError(p.b.t, p.TryEval(expression, into), "%.200s", expression)
}

// TryEval is Eval for what may fail.
func (p *Page) TryEval(expression string, into any) error {
	var out struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	ctx, cancel := context.WithTimeout(p.b.t.Context(), 2*time.Minute)
	defer cancel()
	err := p.b.conn.do(ctx, p.session, "Runtime.evaluate", map[string]any{
		"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true,
	}, &out)
	switch {
	case err != nil:
		return err
	case out.ExceptionDetails != nil:
		return fmt.Errorf("%s %s", out.ExceptionDetails.Text, out.ExceptionDetails.Exception.Description)
	case into == nil:
		return nil
	}
	return json.Unmarshal(out.Result.Value, into)
}

// Wait waits until an expression is true.
func (p *Page) Wait(what, expression string) {
	p.b.t.Helper()
	p.WaitFor(what, expression, patience)
}

// WaitFor is Wait with a patience of its own.
func (p *Page) WaitFor(what, expression string, most time.Duration) {
	p.b.t.Helper()
	for until := time.Now().Add(most); ; {
		ok := false
		err := p.TryEval("Boolean("+expression+")", &ok)
		if err == nil && ok {
			return
		}
		if time.Now().After(until) || p.b.t.Context().Err() != nil {
			require.FailNow(p.b.t, "it does not come: "+what, "%v\nthe page says: %q", err, p.Said())
		}
		time.Sleep(25 * time.Millisecond)
	}
}

// Click clicks the first element of a selector as a person would: with the mouse.
func (p *Page) Click(selector string) {
	p.b.t.Helper()
	var at struct{ X, Y float64 }
	p.Eval(fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.scrollIntoView({block: "center"});
		const r = e.getBoundingClientRect(); return {X: r.x + r.width / 2, Y: r.y + r.height / 2}; })()`, selector), &at)
	for _, kind := range []string{"mousePressed", "mouseReleased"} {
		p.do("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": at.X, "y": at.Y, "button": "left", "clickCount": 1}, nil)
	}
}

// Key presses a key such as Enter or Tab, with its code.
func (p *Page) Key(key string, code int) {
	p.b.t.Helper()
	for _, kind := range []string{"keyDown", "keyUp"} {
		params := map[string]any{"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code}
		if key == "Enter" && kind == "keyDown" {
			params["text"] = "\r"
		}
		p.do("Input.dispatchKeyEvent", params, nil)
	}
}

// Theme lets the system prefer dark or light.
func (p *Page) Theme(name string) {
	p.b.t.Helper()
	p.do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": name}}}, nil)
}

// Size sets the size of the window in CSS pixels.
func (p *Page) Size(width, height int) {
	p.b.t.Helper()
	p.do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
}

// Picture takes a picture of the page, as PNG.
func (p *Page) Picture() []byte {
	p.b.t.Helper()
	var out struct{ Data string }
	p.do("Page.captureScreenshot", map[string]any{"format": "png"}, &out)
	b, err := base64.StdEncoding.DecodeString(out.Data)
	require.NoError(p.b.t, err)
	return b
}

// Close closes the tab, as a person does who has had enough.
func (p *Page) Close() {
	p.b.t.Helper()
	p.b.do("", "Target.closeTarget", map[string]any{"targetId": p.target}, nil)
}
