package openai_test

import (
	"net/http"
	"testing"

	"go.uber.org/goleak"

	"flametree/engine/provider"
	"flametree/engine/provider/openai"
	"flametree/engine/provider/vendortest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func connect(url, key string, h *http.Client) (provider.Completer, error) {
	return openai.New(openai.Options{BaseURL: url, Key: key, Model: "model-1", HTTP: h})
}

func TestConnector(t *testing.T) {
	vendortest.Connector{New: connect, Server: vendortest.OpenAI}.Run(t)
}

func FuzzReply(f *testing.F) {
	vendortest.Connector{New: connect, Server: vendortest.OpenAI}.Fuzz(f)
}
