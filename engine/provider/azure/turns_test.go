package azure

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"flametree/engine/fault"
	"flametree/engine/provider/wire"
	"flametree/engine/provider/wire/speech"
)

// socket is one to a server that says nothing.
func socket(f testing.TB) *wire.Socket {
	f.Helper()
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := websocket.Upgrader{}
		c, err := u.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		_, _, _ = c.ReadMessage() // until it is closed
		_ = c.Close()
	}))
	f.Cleanup(h.Close)
	client, err := wire.New(wire.Options{Vendor: "azure", BaseURL: h.URL})
	if err != nil {
		f.Fatal(err)
	}
	s, err := client.Connect(f.Context(), wire.Outgoing{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	return s
}

func message(request, path, body string) wire.Frame {
	return wire.Frame{Data: []byte("X-RequestId: " + request + "\r\nPath: " + path + "\r\n\r\n" + body)}
}

// FuzzRead feeds an open turn with anything: no panic, every error has a kind,
// no time is negative or longer than a day.
func FuzzRead(f *testing.F) {
	s := socket(f)
	for _, seed := range []wire.Frame{
		message("r", "turn.start", "{}"), message("r", "turn.end", "{}"), message("r", "speech.hypothesis", `{"Text":"hi"}`),
		message("r", "speech.phrase", `{"RecognitionStatus":"Success","DisplayText":"Hi.","Offset":-1,"Duration":9223372036854775807,"NBest":[{"Lexical":"hi","Words":[{"Word":"hi","Offset":9223372036854775807}]}]}`),
		message("r", "speech.phrase", `{"RecognitionStatus":"Error"}`),
		{Data: []byte("Path: x")},
		{},
	} {
		f.Add(seed.Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := &turns{}
		c.Audio(make([]int16, 320))
		c.request = "r"
		all, err := c.Read(s, wire.Frame{Data: data})
		if err != nil && fault.KindOf(err) == fault.Bug {
			t.Errorf("%v has no kind", err)
		}
		for _, said := range all {
			for _, w := range speech.Spoken(said.Words) {
				if w.Start < 0 || w.End < w.Start || w.End > 49*time.Hour {
					t.Errorf("%+v", w)
				}
			}
		}
	})
}

// TestATurnWaitsForTheOneBefore shows that audio which comes between the end of
// a turn and turn.end is neither lost nor sent too early.
func TestATurnWaitsForTheOneBefore(t *testing.T) {
	s, c := socket(t), &turns{}
	if n := len(c.Audio(make([]int16, 320))); n != 2 {
		t.Fatalf("a turn begins with %d messages, want the WAV header and the sound", n)
	}
	if n := len(c.Finalize(320)); n != 1 {
		t.Fatalf("a turn ends with %d messages", n)
	}
	if n := len(c.Audio(make([]int16, 320))) + len(c.Finalize(320)) + len(c.Audio(make([]int16, 320))); n != 0 {
		t.Fatalf("%d messages before turn.end", n)
	}
	first := c.request
	said, err := c.Read(s, message(first, "turn.end", "{}"))
	if err != nil || len(said) != 1 || !said[0].Answer {
		t.Fatalf("%+v, %v", said, err)
	}
	// Telemetry, the WAV header, the sound and the end of the second turn; what
	// follows waits again.
	if n := len(c.Waited()); n != 4 || c.request == first || !c.ending || len(c.held) != 1 {
		t.Errorf("%d messages after turn.end, %d held", n, len(c.held))
	}
}

// TestATurnThatEndsByItself shows that a turn which Azure ends is no answer, and
// that the next audio begins another.
func TestATurnThatEndsByItself(t *testing.T) {
	s, c := socket(t), &turns{}
	c.Audio(make([]int16, 16000))
	said, err := c.Read(s, message(c.request, "turn.end", "{}"))
	if err != nil || len(said) != 1 || said[0].Answer {
		t.Fatalf("%+v, %v", said, err)
	}
	c.Audio(make([]int16, 320))
	all, err := c.Read(s, message(c.request, "speech.phrase", `{"RecognitionStatus":"Success","DisplayText":"Hi.","Offset":5000000,"Duration":1000000,"NBest":[{"Lexical":"hi","Words":[{"Word":"hi","Offset":5000000,"Duration":1000000}]}]}`))
	if err != nil || len(all) != 1 || len(all[0].Words) != 1 || all[0].Words[0].Start != 1500*time.Millisecond {
		t.Errorf("%+v, %v: times count from the start of the stream", all, err)
	}
}
