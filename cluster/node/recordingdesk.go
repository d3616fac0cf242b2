package node

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"flametree/engine/fault"
	"flametree/gateway/api"
	"flametree/gateway/auth"
)

// recordingRoutes are the commands about recordings.
func (a *admin) recordingRoutes(mux *http.ServeMux) {
	n := a.node
	mux.HandleFunc("GET /recordings", func(w http.ResponseWriter, r *http.Request) {
		err := n.caughtUp(r.Context())
		answer(w, n.recordings().List(), err)
	})
	mux.HandleFunc("GET /recordings/{session}", func(w http.ResponseWriter, r *http.Request) {
		t, err := n.tape(r.Context(), r.PathValue("session"))
		if err != nil {
			answer(w, nil, err)
			return
		}
		defer func() { _ = t.Close() }() // only read
		w.Header().Set("Content-Type", "audio/wav")
		w.Header().Set("Content-Length", fmt.Sprint(t.Size()))
		if _, err := io.Copy(w, t.Sound); err != nil {
			n.log.Warn("recording not read to its end", "err", err, "session", r.PathValue("session"))
			panic(http.ErrAbortHandler) // the reader must not take it for whole
		}
	})
	mux.HandleFunc("GET /recordings/{session}/peaks", func(w http.ResponseWriter, r *http.Request) {
		err := n.caughtUp(r.Context())
		var p Peaks
		if err == nil {
			p, err = n.recordings().Peaks(r.Context(), r.PathValue("session"))
		}
		answer(w, p, err)
	})
	mux.HandleFunc("DELETE /recordings/{session}", func(w http.ResponseWriter, r *http.Request) {
		err := n.caughtUp(r.Context())
		if err == nil {
			err = n.recordings().Delete(r.Context(), r.PathValue("session"), "asked")
		}
		answer(w, map[string]bool{"deleted": true}, err)
	})
}

// Recording opens the recording of a session; the caller closes it.
func (n *Node) Recording(ctx context.Context, session string) (*Tape, error) {
	return n.tape(ctx, session)
}

func (n *Node) tape(ctx context.Context, session string) (*Tape, error) {
	if err := n.caughtUp(ctx); err != nil {
		return nil, err
	}
	return n.recordings().Open(ctx, session)
}

var _ api.Recordings = chat{}

// ofAgent refuses sessions that are not the agent's.
func (c chat) ofAgent(ctx context.Context, a auth.Agent, id string) error {
	if err := c.n.caughtUp(ctx); err != nil {
		return err
	}
	if s, known := c.n.model.Session(id); !known || s.Tenant != a.Tenant || s.Agent != a.ID {
		return fmt.Errorf("session %q: %w", id, fault.NotFound)
	}
	return nil
}

// Recording implements api.Recordings.
func (c chat) Recording(ctx context.Context, a auth.Agent, id string) (api.Recording, error) {
	if err := c.ofAgent(ctx, a, id); err != nil {
		return api.Recording{}, err
	}
	t, err := c.n.recordings().Open(ctx, id)
	if err != nil {
		return api.Recording{}, err
	}
	return api.Recording{ReadSeekCloser: t, Size: t.Size(), Tag: t.Blob[:24]}, nil
}

// Peaks implements api.Recordings.
func (c chat) Peaks(ctx context.Context, a auth.Agent, id string) (api.Peaks, error) {
	if err := c.ofAgent(ctx, a, id); err != nil {
		return api.Peaks{}, err
	}
	p, err := c.n.recordings().Peaks(ctx, id)
	return api.Peaks(p), err
}
