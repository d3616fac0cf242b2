package telephony

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Baresip is a foreign telephone that sends a tone and keeps what it hears. Its
// user is bare and its tone, such as bare1500.
type Baresip struct {
	*Child
	dir  string
	port int
	conn net.Conn
	keys net.Conn

	mu     sync.Mutex // guards events
	events []string
	done   chan struct{}
}

// BaresipPlan says how one speaks. The zero value is UDP, plain, on 127.0.0.1.
type BaresipPlan struct {
	Host      string // "" = 127.0.0.1
	Transport string // udp tcp tls
	Codec     string // as baresip names it, "" = PCMU/8000/1
	Sealing   string // srtp-mand, dtls_srtp, "" = none
	Hz        int    // its tone
	Papers    Papers // for tls
	Route     string // host:port that all its calls go through
}

// StartBaresip runs one until the test ends; it takes every call.
func StartBaresip(t testing.TB, p BaresipPlan) *Baresip {
	t.Helper()
	if p.Host == "" {
		p.Host = "127.0.0.1"
	}
	if p.Codec == "" {
		p.Codec = "PCMU/8000/1"
	}
	if p.Transport == "" {
		p.Transport = "udp"
	}
	b, control, console := p.start(t)
	for range 2 { // somebody else may have taken a port that was free
		if !strings.Contains(b.Said(), "Address already in use") {
			break
		}
		b.End()
		b, control, console = p.start(t)
	}
	b.control(t, control)
	var err error
	b.keys, err = net.Dial("udp", console)
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.keys.Close() })
	return b
}

// start runs the program until it is ready, and gives the addresses of its
// control and its console.
func (p BaresipPlan) start(t testing.TB) (b *Baresip, control, console string) {
	t.Helper()
	b = &Baresip{dir: t.TempDir(), port: FreePort(t, p.Host), done: make(chan struct{})}
	control = fmt.Sprintf("127.0.0.1:%d", FreePort(t, "127.0.0.1"))
	console = fmt.Sprintf("127.0.0.1:%d", FreePort(t, "127.0.0.1"))
	at := net.JoinHostPort(p.Host, strconv.Itoa(b.port))
	config := fmt.Sprintf("poll_method epoll\nsip_listen %s\ncall_local_timeout 60\ncall_max_calls 4\naudio_source ausine,%d\naudio_buffer 20-160\nausrc_srate 48000\nausrc_channels 2\n"+
		"ctrl_tcp_listen %s\ncons_listen %s\nsnd_path %s\nmodule_path /usr/lib/baresip/modules\nnet_interface %s\n", at, p.Hz, control, console, b.dir, p.Host)
	if p.Papers.Both != "" {
		config += "sip_certificate " + p.Papers.Both + "\nsip_cafile " + p.Papers.Root + "\n"
	}
	if strings.Contains(p.Host, ":") {
		config += "prefer_ipv6 yes\n"
	}
	for _, m := range []string{"g711", "g722", "opus", "ausine", "sndfile", "srtp", "dtls_srtp", "rtcpsummary"} {
		config += "module " + m + ".so\n"
	}
	config += "module_tmp account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\nmodule cons.so\n"
	account := fmt.Sprintf("<sip:bare%d@%s;transport=%s>;regint=0;answermode=auto;audio_codecs=%s", p.Hz, at, p.Transport, p.Codec)
	if p.Sealing != "" {
		account += ";mediaenc=" + p.Sealing
	}
	if p.Route != "" {
		account += fmt.Sprintf(";outbound=\"sip:%s;lr;transport=%s\"", p.Route, p.Transport)
	}
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, "config"), []byte(config), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, "accounts"), []byte(account+"\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, "contacts"), nil, 0o600))
	b.Child = Run(t, b.dir, "baresip", "-f", b.dir)
	b.Says(t, "baresip is ready", 15*time.Second)
	return b, control, console
}

func (b *Baresip) control(t testing.TB, at string) {
	t.Helper()
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", at)
		b.conn = c
		return err == nil
	}, 10*time.Second, 20*time.Millisecond, "baresip does not start: %s", b.Said())
	go func() {
		defer close(b.done)
		r := bufio.NewReader(b.conn)
		for {
			n, err := r.ReadString(':')
			if err != nil {
				return
			}
			size, err := strconv.Atoi(strings.TrimSuffix(n, ":"))
			if err != nil {
				return
			}
			text := make([]byte, size+1)
			if _, err := io.ReadFull(r, text); err != nil {
				return
			}
			b.mu.Lock()
			b.events = append(b.events, string(text[:size]))
			b.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = b.conn.Close()
		<-b.done
	})
}

// Addr is where it speaks SIP.
func (b *Baresip) Addr() string { return fmt.Sprintf("127.0.0.1:%d", b.port) }

// Do gives it a command of its menu.
func (b *Baresip) Do(t testing.TB, command, params string) {
	t.Helper()
	text, err := json.Marshal(map[string]string{"command": command, "params": params, "token": "t"})
	require.NoError(t, err)
	_, err = fmt.Fprintf(b.conn, "%d:%s,", len(text), text)
	require.NoError(t, err)
}

// Press presses keys on its telephone.
func (b *Baresip) Press(t testing.TB, keys string) {
	t.Helper()
	for i := range len(keys) {
		_, err := b.keys.Write([]byte{keys[i]})
		require.NoError(t, err)
	}
}

// Tells waits for an event, such as CALL_ESTABLISHED.
func (b *Baresip) Tells(t testing.TB, what string, most time.Duration) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(b.told(), `"`+what+`"`) }, most, 20*time.Millisecond, "baresip does not tell %s", what)
}

func (b *Baresip) told() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.events, "\n")
}

// Heard is how loud a tone was in what it heard, in its loudest half second,
// in dB; it ends the program first, which completes its file.
func (b *Baresip) Heard(t testing.TB, hz ...float64) float64 {
	t.Helper()
	b.End()
	files, err := filepath.Glob(filepath.Join(b.dir, "dump-*-dec.wav"))
	require.NoError(t, err)
	require.NotEmpty(t, files, "baresip heard nothing")
	most := -120.0
	for _, name := range files {
		a := sound(t, name)
		t.Logf("%s keeps %v of sound at %d Hz, %d channels", filepath.Base(name), a.Length(), a.RateHz, a.Channels)
		for _, tone := range hz {
			most = max(most, Loudest(a.Mono(), tone, a.RateHz))
		}
	}
	return most
}
