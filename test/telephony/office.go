package telephony

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/cluster/config"
	"flametree/cluster/node"
	"flametree/engine/event"
)

// Plan says what an Office is to be.
type Plan struct {
	Agents  []string          // texts of agent files, see Agent
	Set     map[string]string // settings over those of the office
	Builtin bool              // the built-in speech in place of the played one
	Lost    time.Duration     // see node.Options
}

// Office is a running server. Its fields do not change once it runs; its
// methods may be called from any goroutine.
type Office struct {
	*node.Node
	SIP   string // host:port over UDP and TCP
	Brain *Brain
	Log   *Log

	mu     sync.Mutex // guards what follows
	events []event.Envelope
	more   chan struct{}
}

// Agent writes the file of an agent that is called by its alias. Variables of
// its environment come as KEY, value, KEY, value.
func Agent(alias, kind string, env ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "name: Agent %s\nalias: %s\ntype: %s\nidentity: You work at a switchboard.\ntask: Put people through.\n"+
		"welcome_message: Hello and good day.\nknowledge:\n  core: The switchboard is open at any hour.\nmodels:\n  llm: played\n  stt: played\n  tts: played\nenv:\n  VOICE_NO_INPUT_TIMEOUT: 60\n", alias, alias, kind)
	for i := 0; i+1 < len(env); i += 2 {
		fmt.Fprintf(&b, "  %s: %q\n", env[i], env[i+1])
	}
	return b.String()
}

// Open starts an office; it ends with the test.
func Open(t testing.TB, p Plan) *Office {
	t.Helper()
	port := FreePort(t, "127.0.0.1")
	o := &Office{SIP: fmt.Sprintf("127.0.0.1:%d", port), Brain: NewBrain(), Log: &Log{}, more: make(chan struct{})}
	flags := map[string]string{
		"data": t.TempDir(), "http": "127.0.0.1:0", "sip": o.SIP, "rtp": "0-0", "metrics": "off", "disk.low": "16MB",
		"disk.ballast": "1MB", "admission.pacer-late-p99": "10s", "session.idle": "1s",
	}
	maps.Copy(flags, p.Set)
	c, err := config.Load(config.Sources{Flags: flags, Getenv: func(string) string { return "" }})
	require.NoError(t, err)
	opt := node.Options{Config: c, Version: "test", Lost: p.Lost, Log: slog.New(slog.NewTextHandler(o.Log, nil))}
	for i, text := range p.Agents {
		opt.Agents = append(opt.Agents, node.AgentFile{Name: fmt.Sprintf("agent%d", i), Text: []byte(text)})
	}
	if !p.Builtin {
		opt.Providers = o.Brain.providers
	}
	o.Node, err = node.Start(context.Background(), opt)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { o.follow(ctx) })
	t.Cleanup(func() {
		if t.Failed() {
			text := o.Log.String()
			t.Logf("the server's log ends:\n%s", text[max(0, len(text)-6000):])
		}
		cancel()
		work.Wait()
		o.Stop(0)
		require.NotContains(t, o.Log.String(), "panic", "a fault that was contained is one all the same")
	})
	return o
}

func (o *Office) follow(ctx context.Context) {
	for e, err := range o.Journal().Subscribe(ctx, 1) {
		if err != nil {
			return
		}
		o.mu.Lock()
		o.events = append(o.events, e)
		close(o.more)
		o.more = make(chan struct{})
		o.mu.Unlock()
	}
}

// Events are those there are by now.
func (o *Office) Events() []event.Envelope {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.events[:len(o.events):len(o.events)]
}

// Until waits for an event that fits and fails the test when none comes.
func (o *Office) Until(t testing.TB, what string, most time.Duration, fits func(event.Envelope) bool) event.Envelope {
	t.Helper()
	late := time.After(most)
	for seen := 0; ; {
		o.mu.Lock()
		all, more := o.events, o.more
		o.mu.Unlock()
		for ; seen < len(all); seen++ {
			if fits(all[seen]) {
				return all[seen]
			}
		}
		select {
		case <-more:
		case <-late:
			t.Fatalf("no event after %v: %s\n%s", most, what, o.tell(what))
		}
	}
}

// tell names the events of the streams that what names, or of all calls where it
// names none, for a failing test.
func (o *Office) tell(what string) string {
	var b, all strings.Builder
	for _, e := range o.Events() {
		line := fmt.Sprintf("%s %s/%s %s %+v\n", e.Time.Format("05.000"), e.Stream.Kind, e.Stream.ID, e.Body.Kind(), e.Body)
		if strings.Contains(what, e.Stream.ID) {
			b.WriteString(line)
		}
		if e.Stream.Kind == event.CallStream || e.Stream.Kind == event.SessionStream {
			all.WriteString(line)
		}
	}
	text := b.String()
	if text == "" {
		text = all.String()
	}
	return text[max(0, len(text)-4000):]
}

// CallOf waits for the call that somebody of this name makes and gives its id
// and that of its session.
func (o *Office) CallOf(t testing.TB, from string) (call, session string) {
	t.Helper()
	e := o.Until(t, "the call of "+from, 10*time.Second, func(e event.Envelope) bool {
		b, ok := e.Body.(event.SessionCreated)
		return ok && b.Phone.Text == from
	})
	b, _ := e.Body.(event.SessionCreated)
	return b.Call, e.Stream.ID
}

// Of waits for an event of one stream that has a body of type B and fits.
func Of[B event.Event](t testing.TB, o *Office, stream string, fits func(B) bool) B {
	t.Helper()
	var zero B
	e := o.Until(t, string(zero.Kind())+" of "+stream, 20*time.Second, func(e event.Envelope) bool {
		b, ok := e.Body.(B)
		return ok && e.Stream.ID == stream && (fits == nil || fits(b))
	})
	b, _ := e.Body.(B)
	return b
}

// Ended waits for the end of a call and its session.
func (o *Office) Ended(t testing.TB, call, session string) (event.CallEnded, event.SessionEnded) {
	t.Helper()
	return Of[event.CallEnded](t, o, call, nil), Of[event.SessionEnded](t, o, session, nil)
}

// Active counts the calls that were offered and have not ended, as the journal
// tells them.
func (o *Office) Active() int {
	n := 0
	for _, e := range o.Events() {
		switch e.Body.(type) {
		case event.CallOffered:
			n++
		case event.CallEnded:
			n--
		default:
		}
	}
	return n
}

// Quiet waits until no call is active.
func (o *Office) Quiet(t testing.TB, most time.Duration) {
	t.Helper()
	require.Eventually(t, func() bool { return o.Active() == 0 }, most, 20*time.Millisecond, "calls are stuck")
}

// Connect makes a connection, lets an agent use it, starts it and waits until it
// is registered, or ready where there is nothing to register.
func (o *Office) Connect(t testing.TB, name, agent string, inbound bool, set map[string]string, password string) {
	t.Helper()
	f := node.ChannelForm{Type: "sip", Name: name, Settings: set}
	if password != "" {
		f.Secrets = map[string]string{"password": password}
	}
	_, err := o.ChannelCreate(t.Context(), f)
	require.NoError(t, err)
	if agent != "" {
		_, err = o.ChannelAttach(t.Context(), name, agent, inbound, false)
		require.NoError(t, err)
	}
	_, err = o.ChannelDo(t.Context(), name, &actors.StartChannel{})
	require.NoError(t, err)
	want := "registered"
	if set["register"] == "false" {
		want = "ready"
	}
	o.State(t, name, want)
}

// State waits until a connection stands as it should.
func (o *Office) State(t testing.TB, name, want string) node.ChannelCard {
	t.Helper()
	var card node.ChannelCard
	require.Eventually(t, func() bool {
		all, err := o.ChannelList(t.Context())
		for _, c := range all {
			if c.Name == name {
				card = c
			}
		}
		return err == nil && card.State == want
	}, 15*time.Second, 20*time.Millisecond, "connection %s is to be %s", name, want)
	return card
}

// Place has an agent call somebody.
func (o *Office) Place(t testing.TB, f node.CallForm) node.Placed {
	t.Helper()
	p, err := o.CallPlace(t.Context(), f)
	require.NoError(t, err)
	return p
}

// Log keeps what a server logs.
type Log struct {
	mu   sync.Mutex // guards text
	text []byte
}

var _ io.Writer = (*Log)(nil)

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.text) < 8<<20 {
		l.text = append(l.text, p...)
	}
	return len(p), nil
}

// String is what was logged so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// Held is what this process holds of the system.
type Held struct{ Sockets, Goroutines int }

// Holds counts sockets and goroutines of this process, but for the goroutines
// that a member keeps for its next mailboxes: see cluster/member.
func Holds(t testing.TB) Held {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	h := Held{Goroutines: busy(t)}
	for _, f := range all {
		if to, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			h.Sockets++
		}
	}
	return h
}

// Loopback is an address of this machine that nobody else is likely to use.
func Loopback() string {
	return fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
}

// busy counts goroutines that do not rest.
func busy(t testing.TB) int {
	t.Helper()
	var profile strings.Builder
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&profile, 1))
	_, rows, _ := strings.Cut(profile.String(), "\n") // behind the heading
	n := 0
	for alike := range strings.SplitSeq(strings.TrimSpace(rows), "\n\n") {
		var many int
		_, err := fmt.Sscanf(alike, "%d @", &many)
		require.NoError(t, err, alike)
		_, frames, _ := strings.Cut(alike, "\n#")
		if at, _, _ := strings.Cut(frames, "\n"); !strings.Contains(at, "member.(*crew).run+") {
			n += many
		}
	}
	return n
}

// FreePort finds a port that neither UDP nor TCP use at an address now. It lies
// below those that the system gives by itself, by chance, so that nobody is
// given it meanwhile.
func FreePort(t testing.TB, host string) int {
	t.Helper()
	for range 200 {
		port := 12_000 + rand.IntN(10_000)*2 // it keeps no secret; even, for RTP beside RTCP
		at := net.JoinHostPort(host, strconv.Itoa(port))
		l, err := net.Listen("tcp", at)
		if err != nil {
			continue
		}
		c, err := net.ListenPacket("udp", at)
		require.NoError(t, l.Close())
		if err == nil {
			require.NoError(t, c.Close())
			return port
		}
	}
	t.Fatal("no port is free for both UDP and TCP")
	return 0
}
