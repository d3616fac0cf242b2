package hooks

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/fault"
	"flametree/gateway/gatewaytest"
	"flametree/gateway/ws"
)

func TestMain(m *testing.M) { gatewaytest.Leaks(m) }

// published is the form of Twilio's own example of a signature.
func published(caller string) url.Values {
	return url.Values{
		"CallSid": {"CA1234567890ABCDE"}, "Caller": {caller}, "Digits": {"1234"}, "From": {caller}, "To": {"+18005551212"},
	}
}

func TestThePublishedSignatures(t *testing.T) {
	const at = "https://mycompany.com/myapp.php?foo=1&bar=2"
	require.Equal(t, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", Sign("12345", at, published("+14158675309")))
	require.Equal(t, "0/KCTR6DLpKmkAf8muzZqo1nDgQ=", Sign("12345", at, published("+12349013030")))
}

func TestWhichAddressesASignatureHoldsFor(t *testing.T) {
	const at = "https://mycompany.com:8443/hook"
	form := published("+1")
	for signed, want := range map[string]bool{
		at:                                 true,
		"https://mycompany.com/hook":       true, // Twilio leaves the port out
		"https://mycompany.com:443/hook":   false,
		"https://mycompany.com:9999/hook":  false,
		"http://mycompany.com:8443/hook":   false,
		"https://mycompany.com:8443/hook/": false,
		"https://mycompany.com:8443/other": false,
	} {
		require.Equal(t, want, Signed("12345", at, form, Sign("12345", signed, form)), signed)
	}
	require.True(t, Signed("12345", "https://mycompany.com/hook", form, Sign("12345", "https://mycompany.com:443/hook", form)))
	for _, junk := range []string{"", "=", "junk", strings.Repeat("A", 1<<16)} {
		require.False(t, Signed("12345", at, form, junk))
	}
	more := published("+1")
	more.Add("Extra", "1")
	require.False(t, Signed("12345", at, more, Sign("12345", at, form)), "a field more is another form")
}

// TestWhateverIsWrittenIsOneDocument: no text of a stranger becomes TwiML.
func TestWhateverIsWrittenIsOneDocument(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := func(name string) string { return rapid.String().Draw(t, name) }
		for _, doc := range []string{
			StreamAnswer{URL: text("url"), Parameters: map[string]string{text("k"): text("v")}}.TwiML(),
			RelayAnswer{URL: text("url"), Action: text("action"), Language: text("l"), Voice: text("voice"), Speech: text("speech")}.TwiML(),
			DialAnswer{Number: text("number"), From: text("from"), Action: text("a"), Status: text("s"), Ring: time.Second}.TwiML(),
			Reject(true), Hangup(),
		} {
			var got struct {
				XMLName xml.Name `xml:"Response"`
				Verbs   []struct {
					XMLName xml.Name
				} `xml:",any"`
			}
			if err := xml.Unmarshal([]byte(doc), &got); err != nil || len(got.Verbs) != 1 {
				t.Fatalf("%v: %s", err, doc)
			}
		}
	})
}

func FuzzParseForm(f *testing.F) {
	f.Add("application/x-www-form-urlencoded; charset=UTF-8", []byte("CallSid=CA1&From=%2B14158675309"))
	f.Add("application/x-www-form-urlencoded", []byte("a=%zz"))
	f.Add("application/json", []byte("{}"))
	f.Add("application/x-www-form-urlencoded", []byte("a=%ff"))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		form, err := parseForm(kind, body)
		if err != nil {
			require.NotEqual(t, fault.Bug, fault.KindOf(err))
			return
		}
		require.LessOrEqual(t, len(form), maxFields)
		require.True(t, Signed("t", "https://x/y", form, Sign("t", "https://x/y", form)))
	})
}

// desk is a Twilio that takes down what it is given.
type desk struct {
	hooks chan Hook
	err   error
}

func (d desk) Token(connection string) (string, error) {
	if connection != "c1" {
		return "", fmt.Errorf("no such connection: %w", fault.NotFound)
	}
	return "12345", nil
}

func (d desk) Hook(_ context.Context, h Hook) (string, error) {
	d.hooks <- h
	return Hangup(), d.err
}
func (d desk) Socket(context.Context, Hook, *ws.Conn) {}

func TestWhatReachesWhoTheHooksAreFor(t *testing.T) {
	d := desk{hooks: make(chan Hook, 10)}
	site := gatewaytest.Start(t, gatewaytest.New(), gatewaytest.Config{Mount: func(s *gatewaytest.Site) {
		Mount(s.Server, Options{Twilio: d, Hub: s.Hub, Public: "https://x.example/"})
	}})
	post := func(path, kind, body, signature string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, site.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", kind)
		req.Header.Set("X-Twilio-Signature", signature)
		resp, err := site.Client.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	const form = "application/x-www-form-urlencoded"
	sign := func(path string, v url.Values) string { return Sign("12345", "https://x.example"+path, v) }
	one := url.Values{"A": {"1"}}
	require.Equal(t, http.StatusOK, post("/hooks/twilio/c1/status/k", form, one.Encode(), sign("/hooks/twilio/c1/status/k", one)))
	h := <-d.hooks
	require.Equal(t, Hook{Connection: "c1", Kind: "status", Key: "k", Form: one}, h)
	require.Equal(t, http.StatusForbidden, post("/hooks/twilio/c1", form, one.Encode(), sign("/hooks/twilio/c1/status/k", one)))
	require.Equal(t, http.StatusForbidden, post("/hooks/twilio/c2", form, one.Encode(), sign("/hooks/twilio/c2", one)))
	require.Equal(t, http.StatusUnsupportedMediaType, post("/hooks/twilio/c1", "application/json", "{}", sign("/hooks/twilio/c1", nil)))
	require.Equal(t, http.StatusUnprocessableEntity, post("/hooks/twilio/c1", form, "a=%zz", ""))
	require.Equal(t, http.StatusRequestEntityTooLarge, post("/hooks/twilio/c1", form, "a="+strings.Repeat("x", maxForm), ""))
	require.Empty(t, d.hooks, "what is refused reaches nobody")
}
