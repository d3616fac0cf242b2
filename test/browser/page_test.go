package browser_test

import (
	"bytes"
	"image/png"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flametree/test/browser/cdp"
)

// pictures names a folder that pictures of the page are written to, for people.
const pictures = "FLAMETREE_TEST_PICTURES"

// What stands in the way of a call is said together with what to do.
func TestTroublesAreSaidToPeople(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for name, c := range map[string]struct {
		o      cdp.Options
		script string
		says   string
	}{
		"the microphone is not allowed": {o: cdp.Options{Denied: true}, says: "Allow it in the browser's address bar"},
		"there is no microphone": {
			script: `ear.fails = "NotFoundError";`, says: "No microphone was found. Connect one",
		},
		"another program holds it":     {script: `ear.fails = "NotReadableError";`, says: "Close it and call again"},
		"the page came without TLS":    {script: `Object.defineProperty(window, "isSecureContext", {value: false});`, says: "Open this page over https"},
		"the browser knows no calls":   {script: `delete window.RTCPeerConnection;`, says: "Use a current Firefox"},
		"there is no way to the agent": {script: `window.earRelay = "none";`, says: "Check the network"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := visit(t, s, c.o, c.script)
			v.press(".call-start")
			v.state("ended")
			var says string
			v.Eval(`document.querySelector(".box:not([hidden]) .call-error[role=alert]:not([hidden])").textContent`, &says)
			assert.Contains(t, says, c.says)
			v.Wait("one may try again", `!document.querySelector(".box:not([hidden]) .call-start").disabled`)
		})
	}
}

// The page in both themes and on a small screen: nothing sticks out, what can be
// pressed has a name and can be reached, words stand out from what is behind them.
func TestThePageIsForEverybody(t *testing.T) {
	t.Parallel()
	v := visit(t, serve(t), cdp.Options{Microphone: microphone(t, spoken{4 * time.Second, question})}, "")
	v.call()
	v.Wait("a caption", `document.querySelector(".box:not([hidden]) .caption")`)
	v.press(".call-does button:nth-child(2)")
	v.press(".call-does button:nth-child(3)")
	v.Wait("the meter moves", `/0\.[1-9]/.test(document.querySelector(".box:not([hidden]) .meter:last-child i").style.transform)`)
	v.Wait("the timer runs", `document.querySelector(".box:not([hidden]) .call-timer").textContent !== "0:00"`)
	for _, theme := range []string{"light", "dark"} {
		for size, wide := range map[string]int{"wide": 1280, "narrow": 390} {
			v.Theme(theme)
			v.Size(wide, 844)
			var faults []string
			v.Eval(inspection, &faults)
			assert.Empty(t, faults, "%s %s", theme, size)
			picture := v.Picture()
			if dir := os.Getenv(pictures); dir != "" {
				require.NoError(t, os.WriteFile(dir+"/call-"+theme+"-"+size+".png", picture, 0o600))
			}
			m, err := png.Decode(bytes.NewReader(picture))
			require.NoError(t, err)
			assert.Equal(t, wide, m.Bounds().Dx())
		}
	}
	v.press(".button.bad")
	v.state("ended")
	assert.Empty(t, v.Said(), "the policy of content lets everything through that the page needs")
}

// inspection lists what is wrong with the panel as it is shown.
const inspection = `(() => {
	const faults = [], panel = document.querySelector(".box:not([hidden]) .callbox");
	if (document.documentElement.scrollWidth > innerWidth) faults.push("the page is wider than the window: " + document.documentElement.scrollWidth);
	const log = document.querySelector(".box:not([hidden]) .log").getBoundingClientRect(), write = document.querySelector(".box:not([hidden]) .write").getBoundingClientRect();
	if (panel.getBoundingClientRect().bottom > log.top + 1 || panel.lastChild.getBoundingClientRect().bottom > log.top + 1) faults.push("the panel lies over the chat");
	if (log.bottom > write.top + 1 || log.height < 100) faults.push("the chat has no room");
	const light = (c) => { const [r, g, b] = c.match(/[\d.]+/g).slice(0, 3).map((v) => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
		return .2126 * r + .7152 * g + .0722 * b; };
	const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!/, 0\)$/.test(c) && c !== "transparent") return c; } return "rgb(255, 255, 255)"; };
	for (const e of panel.querySelectorAll("button, select, .call-state, .call-timer, .caption q, .caption b, .devices label, .meter-name")) {
		if (!e.checkVisibility()) continue;
		const r = e.getBoundingClientRect(), name = e.className + " " + e.textContent.slice(0, 20);
		if (r.right > innerWidth + 1 || r.left < 0) faults.push("sticks out: " + name);
		const a = light(getComputedStyle(e).color), b = light(behind(e));
		const contrast = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		if (contrast < 4.5) faults.push("contrast " + contrast.toFixed(2) + ": " + name);
		if (e.tagName === "BUTTON" && (r.height < 24 || r.width < 24)) faults.push("too small to press: " + name + r.width + "x" + r.height);
		if (["BUTTON", "SELECT"].includes(e.tagName)) {
			if (e.tabIndex < 0) faults.push("out of the keyboard's reach: " + name);
			if (!(e.getAttribute("aria-label") || e.textContent || (e.labels && e.labels.length))) faults.push("without a name: " + e.outerHTML.slice(0, 80));
		}
	}
	return faults;
})()`
