package python

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"flametree/engine/fault"
	"flametree/engine/tenant"
)

// MaxFrame bounds what goes in or out of a sandbox at once, in bytes.
const MaxFrame = 1 << 20

// chunk is how much of a file goes into one frame, before base64.
const chunk = 512 << 10

// identity says whose an interpreter is. The zero identity is nobody's yet.
type identity struct {
	tenant tenant.ID
	group  string // hash of the bundle
}

// worker is one interpreter. One call at a time runs in it; its owner is who
// took it from the pool.
type worker struct {
	*process
	of    identity
	env   string // folder of packages it was started with
	born  time.Time
	calls int
	seq   uint64
	spent bool // it must not be used again
	in    bytes.Buffer
	out   *bufio.Reader
	dead  atomic.Bool
	ended chan struct{} // closed when the process has been reaped
	how   string        // readable after ended

	replacing, retired bool // guarded by the pool's mutex
}

// begun makes a worker of a process and starts what reaps it, which tasks awaits.
func begun(p *process, env string, now time.Time, tasks *sync.WaitGroup) *worker {
	w := &worker{process: p, env: env, born: now, out: bufio.NewReaderSize(p.out, 16<<10), ended: make(chan struct{})}
	tasks.Go(func() {
		w.how = p.wait()
		w.dead.Store(true)
		close(w.ended)
	})
	return w
}

// kill ends the interpreter at once. It may be called twice, and while a call runs.
func (w *worker) kill() {
	w.dead.Store(true)
	w.process.kill()
}

// asker answers what code asks of the host while a call runs; it never fails,
// since a fault is an answer too.
type asker func(ctx context.Context, what string, request json.RawMessage) any

// frame is what a worker sends.
type frame struct {
	ID      uint64            `json:"id"`
	Ask     string            `json:"ask"`
	Request json.RawMessage   `json:"request"`
	Value   json.RawMessage   `json:"value"`
	Error   *trouble          `json:"error"`
	Logs    []string          `json:"logs"`
	Results map[string]string `json:"results"`
	Spent   bool              `json:"spent"`
}

// trouble is an exception, as the worker describes it.
type trouble struct {
	Kind, Type, Text, File string
	Line                   int
}

// request is what a worker is sent.
type request struct {
	ID      uint64   `json:"id"`
	Op      string   `json:"op"`
	Secrets []string `json:"secrets,omitempty"`
	body    any
}

// errDied is what talking to an interpreter that has gone gives.
var errDied = errors.New("the interpreter ended")

// talk sends one request and waits for its answer. When ctx ends first, the
// interpreter is killed and the error is ctx's. Any error makes w unusable.
func (w *worker) talk(ctx context.Context, r request, ask asker) (frame, error) {
	w.seq++
	r.ID = w.seq
	if err := ctx.Err(); err != nil {
		return frame{}, err
	}
	stop := context.AfterFunc(ctx, w.kill)
	f, err := w.exchange(ctx, r, ask)
	if !stop() && err == nil { // killed, though the answer came just in time
		w.spent = true
	}
	if err == nil {
		w.spent = w.spent || f.Spent
		return f, nil
	}
	if errors.Is(err, fault.Invalid) {
		return frame{}, err // nothing was sent: the worker is as it was
	}
	w.spent = true
	w.kill()
	<-w.ended
	if ctx.Err() != nil {
		return frame{}, ctx.Err()
	}
	return frame{}, err
}

func (w *worker) exchange(ctx context.Context, r request, ask asker) (frame, error) {
	if err := w.send(r, r.body); err != nil {
		return frame{}, err
	}
	for {
		f, err := w.receive()
		switch {
		case err != nil:
			return frame{}, err
		case f.ID != r.ID:
			return frame{}, fmt.Errorf("%w: it answered what was not asked", errDied)
		case f.Ask == "":
			return f, nil
		case ask == nil:
			return frame{}, fmt.Errorf("%w: it asked out of turn", errDied)
		}
		if err := w.send(ask(ctx, f.Ask, f.Request)); err != nil {
			return frame{}, errDied
		}
	}
}

// send writes the fields of all parts as one object in one frame.
func (w *worker) send(parts ...any) error {
	w.in.Reset()
	w.in.Write([]byte{0, 0, 0, 0})
	for _, p := range parts {
		if p == nil {
			continue
		}
		b, err := json.Marshal(p)
		if err != nil {
			return fmt.Errorf("arguments are not JSON: %w: %w", fault.Invalid, err)
		}
		if w.in.Len() > 4 && len(b) > 2 { // join two objects: …} {… becomes …,…
			w.in.Truncate(w.in.Len() - 1)
			w.in.WriteByte(',')
			b = b[1:]
		}
		w.in.Write(b)
	}
	n := w.in.Len() - 4
	if n > MaxFrame {
		return fmt.Errorf("arguments and session together have %d KB, %d are allowed: %w", n>>10, MaxFrame>>10, fault.Invalid)
	}
	binary.BigEndian.PutUint32(w.in.Bytes(), uint32(n))
	_, err := w.process.in.Write(w.in.Bytes())
	if w.in.Cap() > 64<<10 { // one large call does not make every worker large
		w.in = bytes.Buffer{}
	}
	if err != nil {
		return errDied
	}
	return nil
}

func (w *worker) receive() (frame, error) {
	body, err := readFrame(w.out)
	if err != nil {
		return frame{}, err
	}
	return parseFrame(body)
}

func readFrame(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, errDied
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > MaxFrame {
		return nil, fmt.Errorf("%w: it wrote into the pipe of the protocol", errDied)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, errDied
	}
	return body, nil
}

func parseFrame(body []byte) (f frame, err error) {
	if err := json.Unmarshal(body, &f); err != nil {
		return frame{}, fmt.Errorf("%w: it wrote into the pipe of the protocol", errDied)
	}
	return f, nil
}

// greet waits until the interpreter has locked itself in.
func (w *worker) greet(ctx context.Context) error {
	stop := context.AfterFunc(ctx, w.kill)
	defer stop()
	f, err := w.receive()
	if err == nil && (f.ID != 0 || f.Ask != "") {
		err = errDied
	}
	if err == nil {
		return nil
	}
	w.kill()
	<-w.ended
	if ctx.Err() != nil {
		return fmt.Errorf("start a sandbox: %w", ctx.Err())
	}
	return fmt.Errorf("start a sandbox: %w: %s", fault.Unavailable, w.how)
}

// adopt makes w the interpreter of a group: it is given the files and imports
// the modules. An error that is fault.Invalid is the customer's.
func (w *worker) adopt(ctx context.Context, of identity, g *Group) error {
	w.of = of
	if g == nil {
		return nil // expressions need no files
	}
	names := make([]string, 0, len(g.files))
	for name := range g.files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := w.file(ctx, name, g.files[name]); err != nil {
			return err
		}
	}
	functions := map[string][2]string{}
	for name, e := range g.entries {
		functions[name] = [2]string{e.module, e.function}
	}
	f, err := w.talk(ctx, request{Op: "load", body: map[string]any{
		"paths": g.paths, "functions": functions, "env": w.env != "",
		"random": g.mentions("random"), "asyncio": g.mentions("asyncio"),
	}}, nil)
	if err != nil {
		return w.explain(err, "import")
	}
	if f.Error != nil {
		w.spent = true
		return fmt.Errorf("import: %w", f.Error.err())
	}
	return nil
}

// file writes a file into the sandbox, in pieces; an empty one has one piece.
func (w *worker) file(ctx context.Context, name string, data []byte) error {
	for first := true; first || len(data) > 0; first = false {
		n := min(len(data), chunk)
		f, err := w.talk(ctx, request{Op: "file", body: map[string]string{
			"path": name, "data": base64.StdEncoding.EncodeToString(data[:n]),
		}}, nil)
		if err != nil {
			return w.explain(err, "copy files")
		}
		if f.Error != nil {
			w.spent = true
			return fmt.Errorf("file %s: %w", name, f.Error.err())
		}
		data = data[n:]
	}
	return nil
}

// explain classifies an error of talk.
func (w *worker) explain(err error, what string) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s did not end in time and was stopped: %w", what, fault.Unavailable)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s was stopped: %w", what, fault.Cancelled)
	case errors.Is(err, errDied):
		return fmt.Errorf("%s: %w: %w (%s)", what, fault.Unavailable, err, w.how)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// err says what an exception was, with its place in the customer's files.
func (t *trouble) err() error {
	text := t.Type
	if t.Text != "" {
		text += ": " + t.Text
	}
	if t.File != "" {
		text += fmt.Sprintf(" (%s, line %d)", t.File, t.Line)
	}
	switch t.Kind {
	case "unfit":
		return fmt.Errorf("%s: %w", t.Text, fault.Invalid)
	case "memory":
		return fmt.Errorf("%s: %w", text, fault.Exhausted)
	case "http":
		return fmt.Errorf("%s: %w", text, fault.Unavailable)
	}
	return fmt.Errorf("%s: %w", text, fault.Invalid)
}
