package gemini_test

import (
	"net/http"
	"testing"

	"go.uber.org/goleak"

	"flametree/engine/provider"
	"flametree/engine/provider/gemini"
	"flametree/engine/provider/vendortest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func connect(url, key string, h *http.Client) (provider.Completer, error) {
	return gemini.New(gemini.Options{BaseURL: url, Key: key, Model: "model-1", HTTP: h})
}

func TestConnector(t *testing.T) {
	vendortest.Connector{New: connect, Server: vendortest.Gemini}.Run(t)
}

func FuzzReply(f *testing.F) {
	vendortest.Connector{New: connect, Server: vendortest.Gemini}.Fuzz(f)
}
