package node

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/engine/knowledge/library"
	"flametree/engine/provider/pocketsphinx"
)

// A video without captions is heard; without a recogniser it says what to do.
func TestAVideoWithoutCaptionsIsHeard(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{
		{"flite", "-voice", "slt", "-o", "said.wav", "-t", "The office opens at nine. It closes at seven in the evening."},
		{"ffmpeg", "-nostdin", "-loglevel", "error", "-i", "said.wav", "-c:a", "libopus", "sound.webm"},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	sound, err := os.ReadFile(filepath.Join(dir, "sound.webm"))
	require.NoError(t, err)
	page, err := json.Marshal(map[string]any{
		"playabilityStatus": map[string]any{"status": "OK"},
		"videoDetails":      map[string]any{"title": "When the office opens", "lengthSeconds": "5"},
		"streamingData": map[string]any{"adaptiveFormats": []map[string]any{
			{"url": "/sound", "mimeType": `audio/webm; codecs="opus"`, "bitrate": 50_000},
		}},
	})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("/watch", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<html><script>var ytInitialPlayerResponse = %s;</script></html>`, page)
	})
	mux.HandleFunc("/sound", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(sound) })
	tube := httptest.NewServer(mux)
	defer tube.Close()
	s := newStacks(t)
	s.reader.videos, s.reader.out = tube.URL, tube.Client()
	born := event.SourceCreated{Type: library.YouTube, Title: "When the office opens and closes", Origin: "https://youtu.be/abcdefghijk"}
	_, err = s.read("v", born, "")
	require.ErrorContains(t, err, "no recogniser of speech is set up")
	s.reader.ears = pocketsphinx.New(pocketsphinx.Options{Dir: t.TempDir()})
	got, err := s.read("v", born, "")
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(got.Warnings), "recognised from its sound")
	shelf, err := s.shelf(got.Blob)
	require.NoError(t, err)
	require.Contains(t, shelf.Sources()[0].Text, "opens at nine")
}
