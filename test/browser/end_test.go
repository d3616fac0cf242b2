package browser_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flametree/test/browser/cdp"
	"flametree/test/house"
)

// Whatever way a call ends, the page, the call and the session say the same.
func TestHowACallEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		says   string // into the microphone
		end    func(v *visitor)
		reason string
		by     string
		shows  string // state in words, "" = there is nobody to look
	}{
		"the visitor hangs up": {
			end:    func(v *visitor) { v.press(".button.bad") },
			reason: "hangup", by: "peer", shows: "You ended the call",
		},
		"the visitor hangs up with the keyboard": {
			end: func(v *visitor) {
				v.Wait("the button to hang up has the focus", `document.activeElement.textContent === "Hang up"`)
				v.Key("Enter", 13)
			},
			reason: "hangup", by: "peer", shows: "You ended the call",
		},
		"the agent hangs up": {
			says: "no thank you goodbye", end: func(*visitor) {},
			reason: "completed", by: "agent", shows: "The agent ended the call",
		},
		"the page is closed": {
			end:    func(v *visitor) { v.Close() },
			reason: "hangup", by: "peer",
		},
		"the page is left": {
			end:    func(v *visitor) { v.Eval(`void (location.href = "/api/v1/docs")`, nil) },
			reason: "hangup", by: "peer",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			o := cdp.Options{Microphone: quiet(t)}
			if c.says != "" {
				o.Microphone = microphone(t, spoken{4 * time.Second, c.says}, spoken{5 * time.Second, c.says}, spoken{5 * time.Second, c.says})
			}
			v := visit(t, s, o, "")
			v.call()
			s.Until(t, "the greeting is spoken", 30*time.Second, func(e house.Event) bool { return e.Kind == "reply.spoken.v1" })
			c.end(v)
			e := v.ended()
			assert.Equal(t, c.reason, e.Reason)
			assert.Equal(t, c.by, e.By)
			session := s.Until(t, "the session has ended", 10*time.Second, func(e house.Event) bool { return e.Kind == "session.ended.v1" })
			var status struct{ Status string }
			session.Into(t, &status)
			t.Logf("the session ended as %q", status.Status)
			if c.shows == "" {
				return
			}
			v.state("ended")
			var shows string
			v.Eval(`document.querySelector(".box:not([hidden]) .call-state").textContent`, &shows)
			assert.Equal(t, c.shows, shows)
			v.Wait("another call can be made", `!document.querySelector(".box:not([hidden]) .call-start").disabled`)
			require.Empty(t, v.Said())
		})
	}
}

// Who is muted is not heard, keeps the call, and is heard again afterwards; so
// is who takes another microphone.
func TestMuteKeysAndAnotherMicrophone(t *testing.T) {
	t.Parallel()
	s := serve(t)
	v := visit(t, s, cdp.Options{Microphone: microphone(t,
		spoken{8 * time.Second, question}, spoken{8 * time.Second, question}, spoken{8 * time.Second, question}, spoken{8 * time.Second, question},
	)}, "")
	v.call()
	v.press(".call-does button:nth-child(1)")
	v.Wait("it shows", `document.querySelector(".box:not([hidden]) .call-does button").getAttribute("aria-pressed") === "true"`)
	v.Wait("the first question has been spoken", `performance.now() - ear.microphoneAt > 12000`)
	events, err := s.Events(t.Context(), 1)
	require.NoError(t, err)
	for _, e := range events {
		require.NotEqual(t, "utterance.heard.v1", e.Kind, "the muted visitor was heard: %s", e.Text)
		require.NotEqual(t, "call.ended.v1", e.Kind)
	}
	v.press(".call-does button:nth-child(1)")
	// Another microphone: the fake one has a few.
	v.press(".call-does button:nth-child(3)")
	v.Wait("the microphones are listed", `document.querySelectorAll(".box:not([hidden]) .devices label:first-child option").length > 1`)
	var chosen string
	v.Eval(`(() => { const s = document.querySelector(".box:not([hidden]) .devices select");
		s.selectedIndex = (s.selectedIndex + 1) % s.options.length; s.dispatchEvent(new Event("change")); return s.value; })()`, &chosen)
	v.Wait("the other one is in use", `ear.asked.length === 2 && ear.asked[1].deviceId.exact`)
	s.Until(t, "the question is heard", 40*time.Second, func(e house.Event) bool { return e.Kind == "utterance.heard.v1" && e.Text != "" })
	var asked []map[string]any
	v.Eval("ear.asked", &asked)
	for _, a := range asked {
		for _, name := range []string{"echoCancellation", "noiseSuppression", "autoGainControl"} {
			assert.Equal(t, true, a[name], name)
		}
	}
	v.press(".call-does button:nth-child(2)")
	v.press(".keypad button:nth-child(5)")
	key := s.Until(t, "the key is heard", 15*time.Second, func(e house.Event) bool {
		return e.Kind == "utterance.heard.v1" && strings.HasSuffix(e.Text, "5")
	})
	t.Logf("%s", key.Raw)
	v.press(".button.bad")
	assert.Equal(t, "hangup", v.ended().Reason)
	assert.Empty(t, v.Said())
}
