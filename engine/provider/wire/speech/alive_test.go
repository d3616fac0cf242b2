package speech

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"flametree/engine/provider/wire"
)

// deaf is a codec of a vendor that says nothing.
type deaf struct{}

func (deaf) Audio(pcm []int16) []wire.Frame {
	return []wire.Frame{{Binary: true, Data: Bytes(pcm)}}
}
func (deaf) Finalize(int) []wire.Frame { return []wire.Frame{{Data: []byte("finalize")}} }
func (deaf) End() []wire.Frame         { return []wire.Frame{{Data: []byte("end")}} }
func (deaf) Read(*wire.Socket, wire.Frame) ([]Said, error) {
	return nil, nil
}

// TestSilenceIsKeptAlive shows that a vendor hears from us while nobody speaks,
// and that the end is said when a stream is closed.
func TestSilenceIsKeptAlive(t *testing.T) {
	got := make(chan string, 1000)
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := websocket.Upgrader{}
		c, err := u.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		for {
			_, data, err := c.ReadMessage()
			if err != nil {
				close(got)
				return
			}
			got <- string(data)
		}
	}))
	defer h.Close()
	client, err := Options{BaseURL: h.URL}.Client("vendor", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := client.Connect(t.Context(), wire.Outgoing{})
	if err != nil {
		t.Fatal(err)
	}
	x := Hear(t.Context(), Line{Socket: s, Codec: deaf{}, Alive: wire.Frame{Data: []byte("alive")}, Every: 5 * time.Millisecond}, Options{})
	for range 3 {
		if m := <-got; m != "alive" {
			t.Errorf("while nothing is said, %q is sent", m)
		}
	}
	if err := x.CloseSend(); err != nil {
		t.Error(err)
	}
	for h, err := range x.Heard() {
		t.Errorf("heard %+v, %v", h, err)
	}
	if err := x.Write(make([]int16, 320)); err == nil {
		t.Error("audio was taken after the end")
	}
}

// BenchmarkFrame writes 20 ms at a time to a socket, no faster than it takes them.
func BenchmarkFrame(b *testing.B) {
	taken := make(chan struct{}, 500)
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := websocket.Upgrader{}
		c, err := u.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		for {
			if _, _, err := c.NextReader(); err != nil {
				return
			}
			<-taken
		}
	}))
	defer h.Close()
	client, err := Options{BaseURL: h.URL}.Client("vendor", "", nil)
	if err != nil {
		b.Fatal(err)
	}
	s, err := client.Connect(b.Context(), wire.Outgoing{})
	if err != nil {
		b.Fatal(err)
	}
	x := Hear(b.Context(), Line{Socket: s, Codec: deaf{}}, Options{})
	frame := make([]int16, 320)
	b.ReportAllocs()
	for b.Loop() {
		taken <- struct{}{}
		if err := x.Write(frame); err != nil {
			b.Fatal(err)
		}
	}
	_ = x.CloseSend()
	for range x.Heard() {
		break
	}
	close(taken)
}
