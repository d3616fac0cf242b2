package openairealtime

import (
	"encoding/json"
	"net/http/httptest"
	"testing"

	"flametree/engine/fault"
	"flametree/engine/provider/duplextest"
	"flametree/engine/provider/realtime"
)

// FuzzRead shows that no message of a server breaks a line: it is events or an
// error of a kind that does not quote it.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		`{"type":"response.created","response":{"id":"r"}}`,
		`{"type":"response.output_audio.delta","response_id":"r","item_id":"i","delta":"AAEC"}`,
		`{"type":"response.output_audio_transcript.delta","response_id":"r","item_id":"i","delta":"word"}`,
		`{"type":"response.output_item.done","response_id":"r","item":{"type":"function_call","call_id":"c","name":"n","arguments":"{}"}}`,
		`{"type":"response.done","response":{"id":"r","status":"failed","status_details":{"error":{"code":"rate_limit_exceeded"}}}}`,
		`{"type":"conversation.item.input_audio_transcription.completed","item_id":"i","transcript":"a"}`,
		`{"type":"conversation.item.input_audio_transcription.failed","item_id":"i"}`,
		`{"type":"input_audio_buffer.committed","item_id":"i"}`,
		`{"type":"error","error":{"type":"authentication_error","code":"sk-9876543210-duplex"}}`,
		`{"type":7}`,
	} {
		f.Add([]byte(s))
	}
	h := httptest.NewServer(duplextest.OpenAI().Handler())
	defer h.Close()
	m, err := New(Options{BaseURL: h.URL, Key: duplextest.Key})
	if err != nil {
		f.Fatal(err)
	}
	open, err := m.Open(f.Context(), realtime.Seed{})
	if err != nil {
		f.Fatal(err)
	}
	defer open.Close()
	sock := open.(*line).sock
	f.Fuzz(func(t *testing.T, data []byte) {
		var msg message
		if json.Unmarshal(data, &msg) != nil {
			return
		}
		l := newLine(sock, Options{}, realtime.Seed{})
		l.busy, l.active, l.order = true, "r", []string{"i"}
		events, err := l.read(msg)
		if err != nil && fault.KindOf(err) == fault.Bug {
			t.Errorf("%s: %v", data, err)
		}
		for _, e := range events {
			if e.Kind == 0 || e.Kind == realtime.Wish && e.Call.ID == "" {
				t.Errorf("%s: %+v", data, e)
			}
		}
	})
}
