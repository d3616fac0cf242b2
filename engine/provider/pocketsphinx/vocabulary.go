package pocketsphinx

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/pocketsphinx/lm"
)

// format names what the files of a vocabulary look like; a change of the
// builder takes the next number, so that old files are not read.
const format = "v2"

// library builds vocabularies and keeps them on disk. It is safe for concurrent
// use.
type library struct {
	dir, model string
	base       func() (*source, error)

	mu    sync.Mutex
	known map[string]*vocabulary
}

// vocabulary is the dictionary and the language model of one agent's revision.
type vocabulary struct {
	key      string
	dict, lm string // paths
	ready    sync.Once
	err      error
}

// source is what all vocabularies are made from.
type source struct {
	dict    *dictionary
	general *lm.General
}

func newLibrary(dir, model string) *library {
	l := &library{dir: dir, model: model, known: make(map[string]*vocabulary)}
	l.base = sync.OnceValues(func() (*source, error) { return readSource(model) })
	return l
}

// readSource loads what comes with the acoustic model; it takes about a second.
func readSource(model string) (*source, error) {
	if _, err := os.Stat(filepath.Join(model, "en-us", "mdef")); err != nil {
		return nil, fmt.Errorf("pocketsphinx: no acoustic model in %s (apt-get install pocketsphinx-en-us): %w: %w", model, fault.Unavailable, err)
	}
	dict, err := readDictionary(filepath.Join(model, "cmudict-en-us.dict"))
	if err != nil {
		return nil, err
	}
	opt := lm.Options{Known: dict.known}
	// General English is a help, not a need: a model without it is listened to.
	if b, err := os.ReadFile(filepath.Join(model, "en-us.lm.bin")); err == nil {
		if opt.Background, err = lm.ReadTrie(b); err != nil {
			return nil, fmt.Errorf("pocketsphinx: %w", err)
		}
	}
	return &source{dict: dict, general: lm.NewGeneral(opt)}, nil
}

// get builds the vocabulary of h, or finds it built. Equal keys are built once.
func (l *library) get(h provider.Hints) (*vocabulary, error) {
	key := keyOf(h)
	l.mu.Lock()
	v := l.known[key]
	if v == nil {
		v = &vocabulary{key: key, dict: filepath.Join(l.dir, key+".dict"), lm: filepath.Join(l.dir, key+".lm")}
		l.known[key] = v
	}
	l.mu.Unlock()
	v.ready.Do(func() { v.err = l.build(v, h) })
	if v.err != nil {
		l.mu.Lock()
		delete(l.known, key) // the next call tries again
		l.mu.Unlock()
	}
	return v, v.err
}

// keyOf names the files: by the texts too, because a key outlives a process and
// its agent may have been made anew.
func keyOf(h provider.Hints) string {
	sum := sha256.New()
	for _, s := range append([]string{format, h.Key}, h.Texts...) {
		_, _ = fmt.Fprintf(sum, "%d:%s", len(s), s) // a hash never fails
	}
	for _, f := range h.Fields {
		_, _ = fmt.Fprintf(sum, "%q", f)
	}
	return hex.EncodeToString(sum.Sum(nil)[:12])
}

func (l *library) build(v *vocabulary, h provider.Hints) error {
	if exists(v.dict) && exists(v.lm) {
		return nil
	}
	s, err := l.base()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return fmt.Errorf("pocketsphinx: folder for vocabularies: %w: %w", fault.Unavailable, err)
	}
	m := s.general.Build(h)
	err = atomically(v.lm, func(path string) error {
		arpa := path + ".arpa"
		defer func() { _ = os.Remove(arpa) }() // only a stage on the way
		if err := write(arpa, m.WriteARPA); err != nil {
			return err
		}
		return packModel(arpa, path)
	})
	if err != nil {
		return err
	}
	return atomically(v.dict, func(path string) error {
		return write(path, func(w io.Writer) error { return s.dict.write(w, m) })
	})
}

// write writes the dictionary of a model: every way to say every word.
func (d *dictionary) write(w io.Writer, m *lm.Model) error {
	var b bytes.Buffer
	for _, word := range m.Words() {
		for i, p := range d.pronounce(word, m.Acronym(word)) {
			if i == 0 {
				_, _ = fmt.Fprintf(&b, "%s %s\n", word, p)
			} else {
				_, _ = fmt.Fprintf(&b, "%s(%d) %s\n", word, i+1, p)
			}
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// atomically lets make write a file beside path and moves it there.
func atomically(path string, make func(path string) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("pocketsphinx: vocabulary: %w: %w", fault.Unavailable, err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone when all went well
	if err := f.Close(); err != nil {
		return fmt.Errorf("pocketsphinx: vocabulary: %w: %w", fault.Unavailable, err)
	}
	if err := make(f.Name()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("pocketsphinx: vocabulary: %w: %w", fault.Unavailable, err)
	}
	return nil
}

func write(path string, content func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err == nil {
		if err = content(f); err == nil {
			return f.Close()
		}
		_ = f.Close() // the first error counts
	}
	return fmt.Errorf("pocketsphinx: vocabulary: %w: %w", fault.Unavailable, err)
}

func exists(path string) bool {
	i, err := os.Stat(path)
	return err == nil && i.Size() > 0
}
