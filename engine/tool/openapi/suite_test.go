package openapi_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"flametree/engine/tool"
	"flametree/engine/tool/openapi"
	"flametree/engine/tool/tooltest"
)

func TestContractOfTools(t *testing.T) {
	srv, _ := service(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("q") {
		case "slow":
			<-r.Context().Done()
		case "bad":
			w.WriteHeader(http.StatusTeapot)
		case "large":
			io.WriteString(w, strings.Repeat("x", 2*tool.MaxResult))
		default:
			io.WriteString(w, `{"dogs":[]}`)
		}
	})
	ask := func(q string) tool.Call { return tool.Call{Name: "listDogs", Args: []byte(`{"q":"` + q + `"}`)} }
	tooltest.Run(t, func(t *testing.T) tooltest.Subject {
		r, _ := kennel(t, srv.URL, func(o *openapi.Options) { o.Timeout = 1900 * time.Millisecond })
		return tooltest.Subject{Runner: r, Good: ask("x"), Slow: ask("slow"), Bad: ask("bad"), Large: ask("large")}
	})
}
