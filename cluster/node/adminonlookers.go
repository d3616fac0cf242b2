package node

import (
	"fmt"
	"io"
	"net/http"

	"flametree/engine/fault"
	"flametree/media/wav"
)

// onlookerRoutes are the commands by which people see a call and take part in it.
func (a *admin) onlookerRoutes(mux *http.ServeMux) {
	n := a.node
	done := map[string]bool{"done": true}
	mux.HandleFunc("GET /calls", func(w http.ResponseWriter, r *http.Request) { answer(w, n.Live(r.Context()), nil) })
	mux.HandleFunc("GET /calls/{id}/ladder", func(w http.ResponseWriter, r *http.Request) {
		v, err := n.CallLadder(r.Context(), r.PathValue("id"))
		answer(w, v, err)
	})
	mux.HandleFunc("POST /calls/{id}/capture", body(func(r *http.Request, f CaptureForm) (any, error) {
		return n.CallCapture(r.Context(), r.PathValue("id"), f)
	}))
	mux.HandleFunc("GET /calls/{id}/capture", func(w http.ResponseWriter, r *http.Request) {
		pcap, closer, err := n.CaptureGet(r.Context(), r.PathValue("id"))
		if err != nil {
			answer(w, nil, err)
			return
		}
		defer func() { _ = closer.Close() }() // only read
		w.Header().Set("Content-Type", "application/vnd.tcpdump.pcap")
		if _, err := io.Copy(w, pcap); err != nil {
			n.log.Warn("capture not read to its end", "err", err)
			panic(http.ErrAbortHandler) // the reader must not take it for whole
		}
	})
	mux.HandleFunc("GET /calls/{id}/listen", a.listen)
	mux.HandleFunc("POST /calls/{id}/listen", body(func(r *http.Request, f OperatorForm) (any, error) {
		return done, n.CallListenIn(r.Context(), r.PathValue("id"), f)
	}))
	mux.HandleFunc("POST /calls/{id}/barge", body(func(r *http.Request, f OperatorForm) (any, error) {
		return done, n.CallBarge(r.Context(), r.PathValue("id"), f)
	}))
	mux.HandleFunc("POST /sessions/{id}/whisper", body(func(r *http.Request, f WhisperForm) (any, error) {
		return done, n.Whisper(r.Context(), r.PathValue("id"), f)
	}))
}

// listen streams a WAV file without an end until the call has one.
func (a *admin) listen(w http.ResponseWriter, r *http.Request) {
	by := r.URL.Query().Get("by")
	if by == "" {
		answer(w, nil, fmt.Errorf("say who listens: %w", fault.Invalid))
		return
	}
	s, err := a.node.CallListen(r.Context(), r.PathValue("id"), by)
	if err != nil {
		answer(w, nil, err)
		return
	}
	defer s.Stop()
	w.Header().Set("Content-Type", "audio/wav")
	out := http.NewResponseController(w)
	header := wav.Header(s.RateHz, 2, 1<<40)
	if _, err := w.Write(header[:]); err != nil {
		return
	}
	for {
		select {
		case frame := <-s.Frames:
			if _, err := w.Write(frame); err != nil {
				return
			}
			_ = out.Flush()
		case <-r.Context().Done():
			return
		case <-s.Over:
			for len(s.Frames) > 0 {
				_, _ = w.Write(<-s.Frames)
			}
			return
		}
	}
}
