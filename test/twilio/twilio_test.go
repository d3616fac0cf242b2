package twilio

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/cluster/config"
	"flametree/cluster/node"
	"flametree/engine/connection"
	"flametree/engine/event"
	"flametree/media/twilio/twiliotest"
)

const (
	public  = "https://voice.example.org"
	account = "AC00000000000000000000000000000001"
	ours    = "+442079460018"
	them    = "+442079460999"
)

const agentFile = `name: Reception
alias: reception
agent_type: inbound_voice
task: Answer.
welcome_message: Welcome to the reception of the museum. How can I help you today?
knowledge:
  core: The museum opens at nine.
`

// house is a server with a connection to a local Twilio.
type house struct {
	*node.Node
	far  *twiliotest.Server
	card node.ChannelCard
}

func open(t *testing.T, speech string) *house {
	t.Helper()
	h := &house{far: twiliotest.Serve(&twiliotest.Server{Account: account, Token: "hush", Number: ours})}
	c, err := config.Load(config.Sources{Flags: map[string]string{
		"data": t.TempDir(), "http": "127.0.0.1:0", "sip": "off", "metrics": "off", "disk.low": "16MB", "disk.ballast": "1MB",
		"public-url": public, "egress.allow": strings.TrimPrefix(h.far.URL(), "http://"),
	}, Getenv: func(string) string { return "" }})
	require.NoError(t, err)
	h.Node, err = node.Start(context.Background(), node.Options{
		Config: c, Version: "test", Log: slog.New(slog.DiscardHandler),
		Agents: []node.AgentFile{{Name: "reception.yaml", Text: []byte(agentFile)}},
		Twilio: func(string) string { return h.far.URL() },
	})
	require.NoError(t, err)
	h.far.Reach = func(address string) string {
		return strings.NewReplacer(public, "http://"+h.Addresses().HTTP, strings.Replace(public, "https", "wss", 1), "ws://"+h.Addresses().HTTP).Replace(address)
	}
	t.Cleanup(func() {
		h.far.Close()
		h.Stop(0)
		require.Empty(t, h.far.Faults(), "nothing that is not published")
	})
	ctx := t.Context()
	h.card, err = h.ChannelCreate(ctx, node.ChannelForm{
		Type: connection.Twilio, Name: "Museum", Secrets: map[string]string{"auth_token": "hush"},
		Settings: map[string]string{"account_sid": account, "phone_number": ours, "speech": speech, "country": "GB"},
	})
	require.NoError(t, err)
	_, err = h.ChannelAttach(ctx, "Museum", "reception", true, false)
	require.NoError(t, err)
	_, err = h.ChannelDo(ctx, "Museum", start())
	require.NoError(t, err)
	require.Eventually(t, func() bool { return h.state(t) == connection.Registered }, 10*time.Second, 10*time.Millisecond)
	return h
}

func (h *house) state(t *testing.T) string {
	t.Helper()
	card, err := h.ChannelDo(t.Context(), "Museum", look())
	require.NoError(t, err)
	return card.State
}

// call is the only call there is, as its session tells it.
func (h *house) call(t *testing.T) node.CallCard {
	t.Helper()
	for e, err := range h.Journal().Read(t.Context(), h.first(t), 1) {
		require.NoError(t, err)
		if b, ok := e.Body.(event.CallOffered); ok {
			card, err := h.CallShow(t.Context(), b.Session)
			require.NoError(t, err)
			return card
		}
	}
	t.Fatal("no call")
	return node.CallCard{}
}

func (h *house) first(t *testing.T) (of event.Stream) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for e, err := range h.Journal().Subscribe(ctx, 1) {
		require.NoError(t, err)
		if e.Stream.Kind == event.CallStream {
			return e.Stream
		}
	}
	return of
}

func TestACallerOfATwilioNumberIsGreeted(t *testing.T) {
	t.Parallel()
	h := open(t, "ours")
	require.Equal(t, public+"/hooks/twilio/"+h.card.ID, h.far.VoiceURL(), "the webhook stands on the number")
	c, err := h.far.Call(them)
	require.NoError(t, err)
	far, err := c.Stream()
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		media := 0
		for _, s := range far.Seen() {
			if s.Event == "media" {
				media++
			}
		}
		return media > 100
	}, 20*time.Second, 20*time.Millisecond, "the greeting is heard")
	require.LessOrEqual(t, far.MostAhead(), 200*time.Millisecond)
	card, err := h.ChannelDo(t.Context(), "Museum", look())
	require.NoError(t, err)
	require.Equal(t, 1, card.Calls)
	c.Hangup()
	require.Eventually(t, func() bool { got := h.call(t); return got.Over && got.Status != "" }, 20*time.Second, 50*time.Millisecond)
	got := h.call(t)
	require.Equal(t, "completed", got.Status)
	require.Contains(t, story(got), "Welcome to the reception")
}

func TestTwiliosOwnSpeechCarriesAConversation(t *testing.T) {
	t.Parallel()
	h := open(t, "twilio")
	c, err := h.far.Call(them)
	require.NoError(t, err)
	far, err := c.Relay()
	require.NoError(t, err)
	require.Eventually(t, func() bool { return strings.Contains(strings.Join(far.Cycles(), " "), "Welcome to the reception") }, 20*time.Second, 20*time.Millisecond)
	time.Sleep(7 * time.Second) // the greeting is spoken there
	far.Prompt("When does the museum open?", true)
	require.Eventually(t, func() bool { return strings.Contains(strings.Join(far.Cycles(), " "), "nine") }, 20*time.Second, 20*time.Millisecond)
	c.Hangup()
	require.Eventually(t, func() bool { got := h.call(t); return got.Over && got.Status != "" }, 20*time.Second, 50*time.Millisecond)
	require.Contains(t, story(h.call(t)), "HUMAN: When does the museum open?")
}

func TestAWebhookThatTwilioDidNotSignStartsNothing(t *testing.T) {
	t.Parallel()
	h := open(t, "ours")
	status, _, err := h.far.PostSigned(h.far.VoiceURL(), (&twiliotest.Call{SID: "CA1", From: them, To: ours}).VoiceOf(account), "junk")
	require.NoError(t, err)
	require.Equal(t, http.StatusForbidden, status)
	require.Zero(t, h.card.Calls)
}

func story(c node.CallCard) string {
	var b strings.Builder
	for _, s := range c.Story {
		b.WriteString(s.What + "\n")
	}
	return b.String()
}

func start() any { return &actors.StartChannel{} }
func look() any  { return &actors.LookChannel{} }
