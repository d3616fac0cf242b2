package pocketsphinx

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// Options of a Transcriber. The zero value suits Debian.
type Options struct {
	Dir      string        // where vocabularies are kept; default a folder for temporary files
	ModelDir string        // default /usr/share/pocketsphinx/model/en-us
	Idle     int           // decoders kept for the next call; default 4
	IdleFor  time.Duration // how long; default 5 minutes
	Streams  int           // most open streams at a time; default 256
}

// ringSamples is how much audio may wait for a decoder: 8 s.
const ringSamples = 8 * sampleRate

// Transcriber implements provider.Transcriber.
type Transcriber struct {
	opt     Options
	library *library

	mu      sync.Mutex
	open    int
	resting []resting
	closed  bool
}

// resting is a decoder that waits for the next call.
type resting struct {
	key   string
	e     *ear
	since time.Time
}

var (
	_ provider.Transcriber = (*Transcriber)(nil)
	_ provider.Preparer    = (*Transcriber)(nil)
)

// New returns a Transcriber. Nothing is loaded before the first Open or
// Prepare.
func New(opt Options) *Transcriber {
	opt.Dir = cmp.Or(opt.Dir, filepath.Join(os.TempDir(), "flametree-stt"))
	opt.ModelDir = cmp.Or(opt.ModelDir, "/usr/share/pocketsphinx/model/en-us")
	opt.Idle = cmp.Or(opt.Idle, 4)
	opt.IdleFor = cmp.Or(opt.IdleFor, 5*time.Minute)
	opt.Streams = cmp.Or(opt.Streams, 256)
	return &Transcriber{opt: opt, library: newLibrary(opt.Dir, opt.ModelDir)}
}

// Prepare implements provider.Preparer: it builds the vocabulary of h, so that no caller waits for it. The first
// one of a process takes about a second, later ones some tens of milliseconds.
func (t *Transcriber) Prepare(h provider.Hints) error {
	_, err := t.library.get(h)
	return err
}

// Open implements provider.Transcriber. It loads a decoder if none rests, which
// takes some 60 ms.
func (t *Transcriber) Open(ctx context.Context, f provider.Format) (provider.Transcription, error) {
	if f.RateHz != sampleRate {
		return nil, fmt.Errorf("pocketsphinx: hears %d Hz, not %d: %w", sampleRate, f.RateHz, fault.Invalid)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("pocketsphinx: open: %w: %w", fault.Cancelled, err)
	}
	v, err := t.library.get(f.Hints)
	if err != nil {
		return nil, err
	}
	e, err := t.borrow(v)
	if err != nil {
		return nil, err
	}
	s := newStream(ctx)
	go func() {
		defer close(s.done)
		e.begin(f.BandHz)
		s.run(e)
		t.giveBack(v.key, e)
	}()
	return s, nil
}

// borrow takes a resting decoder of the vocabulary or makes one.
func (t *Transcriber) borrow(v *vocabulary) (*ear, error) {
	t.mu.Lock()
	if t.closed || t.open >= t.opt.Streams {
		n := t.open
		t.mu.Unlock()
		return nil, fmt.Errorf("pocketsphinx: %d streams are open: %w", n, fault.Exhausted)
	}
	t.open++
	t.thin(time.Now())
	for i, r := range t.resting {
		if r.key == v.key {
			t.resting = append(t.resting[:i], t.resting[i+1:]...)
			t.mu.Unlock()
			return r.e, nil
		}
	}
	t.mu.Unlock()
	e, err := newEar(filepath.Join(t.opt.ModelDir, "en-us"), v)
	if err != nil {
		t.mu.Lock()
		t.open--
		t.mu.Unlock()
	}
	return e, err
}

func newEar(model string, v *vocabulary) (*ear, error) {
	s := defaultSettings()
	d, err := newDecoder(model, v.dict, v.lm, s)
	if err != nil {
		return nil, err
	}
	f, err := newFront(false, s.vad)
	if err != nil {
		d.free()
		return nil, err
	}
	return &ear{front: f, d: d}, nil
}

func (e *ear) free() {
	e.d.free()
	e.front.free()
}

// giveBack lets a decoder rest, in place of the one that rests longest if there
// are too many.
func (t *Transcriber) giveBack(key string, e *ear) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open--
	if t.closed {
		e.free()
		return
	}
	now := time.Now()
	t.resting = append(t.resting, resting{key: key, e: e, since: now})
	t.thin(now)
}

// thin frees decoders that rest too long or are too many, the oldest first.
func (t *Transcriber) thin(now time.Time) {
	for len(t.resting) > 0 && (len(t.resting) > t.opt.Idle || now.Sub(t.resting[0].since) > t.opt.IdleFor) {
		t.resting[0].e.free()
		t.resting = t.resting[1:]
	}
}

// Close frees the decoders that rest; those of open streams are freed when the
// streams end. Open fails afterwards.
func (t *Transcriber) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, r := range t.resting {
		r.e.free()
	}
	t.resting = nil
}
