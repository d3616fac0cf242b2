package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"flametree/engine/fault"
)

// AdminSocket is where a running server listens for its own commands.
func AdminSocket(data string) string { return filepath.Join(data, "admin.sock") }

// admin answers the command line while the server runs. Whoever may open the
// socket (mode 0600) may read everything: it is the owner of the files.
type admin struct {
	node *Node
	srv  *http.Server
	done chan struct{}
}

func startAdmin(n *Node) (*admin, error) {
	path := AdminSocket(n.cfg.Data)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("admin socket: %w: %w", fault.Unavailable, err)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("admin socket: %w: %w", fault.Unavailable, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	a := &admin{node: n, done: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sessions", a.sessions)
	mux.HandleFunc("POST /calls/{id}/end", a.endCall)
	mux.HandleFunc("GET /journal", a.tail)
	mux.HandleFunc("POST /checkpoint", a.checkpoint)
	a.agentRoutes(mux)
	a.knowledgeRoutes(mux)
	a.toolRoutes(mux)
	a.catalogRoutes(mux)
	a.telephonyRoutes(mux)
	a.onlookerRoutes(mux)
	a.recordingRoutes(mux)
	a.srv = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(a.done)
		_ = a.srv.Serve(ln) // ends with Shutdown
	}()
	return a, nil
}

func (a *admin) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if a.srv.Shutdown(ctx) != nil {
		_ = a.srv.Close()
	}
	<-a.done
}

func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		code := http.StatusInternalServerError
		switch fault.KindOf(err) {
		case fault.NotFound:
			code = http.StatusNotFound
		case fault.Invalid, fault.Denied, fault.Exhausted:
			code = http.StatusUnprocessableEntity
		case fault.Conflict:
			code = http.StatusConflict
		case fault.Unavailable, fault.Cancelled, fault.Bug:
		}
		http.Error(w, err.Error(), code)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (a *admin) sessions(w http.ResponseWriter, r *http.Request) {
	most, err := strconv.Atoi(r.URL.Query().Get("most"))
	if err != nil || most <= 0 {
		most = 1000
	}
	answer(w, a.node.model.Sessions(most, nil), nil)
}

func (a *admin) endCall(w http.ResponseWriter, r *http.Request) {
	answer(w, map[string]bool{"ended": true}, a.node.EndCall(r.Context(), r.PathValue("id")))
}

// tail streams events as lines of JSON from ?from= on; with ?follow=1 it goes on.
func (a *admin) tail(w http.ResponseWriter, r *http.Request) {
	from, err := strconv.ParseUint(r.URL.Query().Get("from"), 10, 64)
	if err != nil {
		from = 1
	}
	ctx := r.Context()
	follow := r.URL.Query().Get("follow") == "1"
	last := a.node.journal.Position()
	w.Header().Set("Content-Type", "application/x-ndjson")
	flush := http.NewResponseController(w)
	if !follow && (last == 0 || from > last) {
		return
	}
	lines := &Lines{Journal: a.node.journal}
	for e, err := range a.node.journal.Subscribe(ctx, from) {
		if err != nil {
			return
		}
		if json.NewEncoder(w).Encode(lines.Of(ctx, e)) != nil {
			return
		}
		if follow {
			_ = flush.Flush()
		} else if e.Position >= last {
			return
		}
	}
}

// checkpoint makes a consistent copy of the journal for a command that wants
// to read all of it; the command removes it.
func (a *admin) checkpoint(w http.ResponseWriter, _ *http.Request) {
	dir, err := os.MkdirTemp(a.node.cfg.Data, "checkpoint-")
	if err == nil {
		err = a.node.journal.Checkpoint(filepath.Join(dir, "journal"))
	}
	answer(w, map[string]string{"dir": dir}, err)
}
