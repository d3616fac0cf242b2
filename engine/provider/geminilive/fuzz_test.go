package geminilive

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider/duplextest"
	"flametree/engine/provider/realtime"
)

// FuzzTake shows that no message of a server breaks a line: it is events or an
// error of a kind.
func FuzzTake(f *testing.F) {
	for _, s := range []string{
		`{"serverContent":{"inputTranscription":{"text":"a"}}}`,
		`{"serverContent":{"outputTranscription":{"text":"a"},"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm;rate=24000","data":"AAEC"}}]},"turnComplete":true}}`,
		`{"serverContent":{"modelTurn":{"parts":[{"inlineData":{"mimeType":"audio/pcm;rate=16000","data":"AAEC"}}]}}}`,
		`{"serverContent":{"interrupted":true}}`,
		`{"toolCall":{"functionCalls":[{"id":"1","name":"n","args":{"a":1}},{"id":"","name":""}]}}`,
		`{"toolCallCancellation":{"ids":["1"]}}`, `{"goAway":{"timeLeft":"10s"}}`,
		`{"usageMetadata":{"promptTokenCount":1}}`, `{"setupComplete":{}}`, `[]`,
	} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	h := httptest.NewServer(duplextest.Gemini().Handler())
	defer h.Close()
	m, err := New(Options{BaseURL: h.URL, Key: duplextest.Key})
	if err != nil {
		f.Fatal(err)
	}
	open, err := m.Open(f.Context(), realtime.Seed{Brief: realtime.Brief{System: "x"}})
	if err != nil {
		f.Fatal(err)
	}
	defer open.Close()
	sock := open.(*line).sock
	f.Fuzz(func(t *testing.T, data []byte, ended bool) {
		var r read
		if json.Unmarshal(data, &r.message) != nil {
			return
		}
		l := newLine(sock, realtime.Seed{})
		l.wanted, l.ended, l.commits = !ended, ended, []time.Time{time.Now()}
		events, err := l.take(r)
		if err != nil && fault.KindOf(err) == fault.Bug {
			t.Errorf("%s: %v", data, err)
		}
		l.wanted = true
		more, _, _ := l.due(time.Now())
		for _, e := range append(events, more...) {
			if e.Kind == 0 || e.Kind == realtime.Wish && e.Call.ID == "" {
				t.Errorf("%s: %+v", data, e)
			}
		}
	})
}
