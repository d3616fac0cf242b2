// Package pocketsphinx is the built-in recogniser: it hears English with CMU
// PocketSphinx (BSD licence), in this process and without a key. Its language
// model is made for each agent from the agent's own file (package lm), so it
// hears only words it knows: it is a default for demonstrations, and vendors
// stand behind the same contract.
package pocketsphinx

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/pocketsphinx/lm"
)

// Options of a Transcriber.
type Options struct {
	Dir      string // where language models are kept; default a folder for temporary files
	ModelDir string // default /usr/share/pocketsphinx/model/en-us
	Idle     int    // decoders kept for the next call; default 4
}

// Transcriber implements provider.Transcriber.
type Transcriber struct {
	dir, model string
	idle       int

	mu      sync.Mutex
	dict    *dictionary
	back    *lm.Trie
	vocabs  map[string]*vocab
	resting []resting
}

// vocab is the language model of one agent's revision, as files.
type vocab struct {
	once      sync.Once
	dict, arp string
	err       error
}

type resting struct {
	key string
	d   *decoder
}

var _ provider.Transcriber = (*Transcriber)(nil)

// New returns a Transcriber. Nothing is loaded before the first Open.
func New(opt Options) *Transcriber {
	return &Transcriber{
		dir:   cmp.Or(opt.Dir, filepath.Join(os.TempDir(), "flametree-stt")),
		model: cmp.Or(opt.ModelDir, "/usr/share/pocketsphinx/model/en-us"),
		idle:  cmp.Or(opt.Idle, 4), vocabs: make(map[string]*vocab),
	}
}

// Open implements provider.Transcriber.
func (t *Transcriber) Open(ctx context.Context, f provider.Format) (provider.Transcription, error) {
	if f.RateHz != 16000 {
		return nil, fmt.Errorf("pocketsphinx hears 16000 Hz, not %d: %w", f.RateHz, fault.Invalid)
	}
	key := keyOf(f.Hints)
	v, err := t.vocabulary(key, f.Hints)
	if err != nil {
		return nil, err
	}
	d, err := t.borrow(key, v)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{
		ctx: ctx, cancel: cancel, in: make(chan order, ringFrames), out: make(chan provider.Hearing, 64), done: make(chan struct{}),
	}
	go func() {
		s.run(d, prime(f.BandHz))
		t.give(key, d)
		close(s.done)
	}()
	return s, nil
}

func keyOf(h provider.Hints) string {
	sum := sha256.New()
	_, _ = fmt.Fprint(sum, h.Key, len(h.Texts))
	for _, s := range h.Texts {
		_, _ = sum.Write([]byte(s))
	}
	return hex.EncodeToString(sum.Sum(nil))[:24]
}

// vocabulary builds the language model for a key once, into files that outlast the process.
func (t *Transcriber) vocabulary(key string, h provider.Hints) (*vocab, error) {
	t.mu.Lock()
	v := t.vocabs[key]
	if v == nil {
		v = &vocab{dict: filepath.Join(t.dir, key+".dict"), arp: filepath.Join(t.dir, key+".arpa")}
		t.vocabs[key] = v
	}
	t.mu.Unlock()
	v.once.Do(func() { v.err = t.build(v, h) })
	return v, v.err
}

func (t *Transcriber) build(v *vocab, h provider.Hints) error {
	dict, back, err := t.load()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return fmt.Errorf("pocketsphinx: %w: %w", fault.Unavailable, err)
	}
	m := lm.Build(h, lm.Options{Background: back, Known: dict.known})
	var words, arpa bytes.Buffer
	for _, w := range m.Words() {
		for i, p := range dict.pronounce(w, m.Acronym(w)) {
			if i == 0 {
				_, _ = fmt.Fprintf(&words, "%s %s\n", w, p)
			} else {
				_, _ = fmt.Fprintf(&words, "%s(%d) %s\n", w, i+1, p)
			}
		}
	}
	if err := m.WriteARPA(&arpa); err != nil {
		return err
	}
	for name, text := range map[string][]byte{v.dict: words.Bytes(), v.arp: arpa.Bytes()} {
		if err := os.WriteFile(name+".new", text, 0o600); err != nil {
			return fmt.Errorf("pocketsphinx: %w: %w", fault.Unavailable, err)
		}
		if err := os.Rename(name+".new", name); err != nil {
			return fmt.Errorf("pocketsphinx: %w: %w", fault.Unavailable, err)
		}
	}
	return nil
}

// load reads what comes with the acoustic model, once.
func (t *Transcriber) load() (*dictionary, *lm.Trie, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dict != nil {
		return t.dict, t.back, nil
	}
	dict, err := readDictionary(filepath.Join(t.model, "cmudict-en-us.dict"))
	if err != nil {
		return nil, nil, err
	}
	if b, err := os.ReadFile(filepath.Join(t.model, "en-us.lm.bin")); err == nil {
		if t.back, err = lm.ReadTrie(b); err != nil {
			return nil, nil, fmt.Errorf("pocketsphinx: %w", err)
		}
	}
	t.dict = dict
	return t.dict, t.back, nil
}

func (t *Transcriber) borrow(key string, v *vocab) (*decoder, error) {
	t.mu.Lock()
	for i, r := range t.resting {
		if r.key == key {
			t.resting = append(t.resting[:i], t.resting[i+1:]...)
			t.mu.Unlock()
			return r.d, nil
		}
	}
	t.mu.Unlock()
	return newDecoder(filepath.Join(t.model, "en-us"), v.dict, v.arp, defaultSettings())
}

func (t *Transcriber) give(key string, d *decoder) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.resting) >= t.idle {
		t.resting[0].d.free()
		t.resting = t.resting[1:]
	}
	t.resting = append(t.resting, resting{key: key, d: d})
}

// Close frees the decoders that rest.
func (t *Transcriber) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.resting {
		r.d.free()
	}
	t.resting = nil
}

// prime is the cepstral mean a stream starts from: without it a fresh decoder
// gets four words in five wrong on a telephone line.
func prime(bandHz int) *[cepstra]float32 {
	if bandHz <= 8000 {
		return &[cepstra]float32{44.08, 27.21, -30.05, 50.15, -17.30, -0.49, 17.52, -23.77, 13.66, -14.95, 3.47, 9.42, -15.38}
	}
	return &[cepstra]float32{54.28, 9.80, -2.39, 32.53, -2.91, -2.35, 9.03, -6.94, -2.86, -7.26, 5.96, 0.85, -3.46}
}

const (
	ringFrames = 1500                   // 30 s of 20 ms frames may wait
	partialGap = 100 * time.Millisecond // of audio between two hypotheses
	frameSize  = 10 * time.Millisecond  // of the decoder
	loud       = 60.0                   // RMS below which a frame holds no speech
	leastVoice = 80 * time.Millisecond  // of loud audio before words are believed
)

type order struct {
	pcm      []int16
	finalize bool
	last     bool
}

// stream implements provider.Transcription. One goroutine decodes.
type stream struct {
	ctx     context.Context
	cancel  context.CancelFunc
	in      chan order
	out     chan provider.Hearing
	done    chan struct{}
	closed  atomic.Bool
	dropped atomic.Uint64
}

// Write implements provider.Transcription. It never blocks: when the decoder
// is 30 s behind, audio is dropped.
func (s *stream) Write(pcm []int16) error {
	if s.closed.Load() || s.ctx.Err() != nil {
		return fmt.Errorf("recogniser is closed: %w", fault.Cancelled)
	}
	select {
	case s.in <- order{pcm: append([]int16(nil), pcm...)}:
	default:
		s.dropped.Add(1)
	}
	return nil
}

// Finalize implements provider.Transcription.
func (s *stream) Finalize() error { return s.order(order{finalize: true}) }

// CloseSend implements provider.Transcription.
func (s *stream) CloseSend() error {
	if s.closed.Swap(true) {
		return nil
	}
	return s.order(order{last: true})
}

func (s *stream) order(o order) error {
	select {
	case s.in <- o:
		return nil
	case <-s.ctx.Done():
		return fmt.Errorf("recogniser is closed: %w", fault.Cancelled)
	}
}

// Heard implements provider.Transcription.
func (s *stream) Heard() iter.Seq2[provider.Hearing, error] {
	return func(yield func(provider.Hearing, error) bool) {
		defer func() {
			s.cancel()
			<-s.done
		}()
		for {
			select {
			case h, ok := <-s.out:
				if !ok || !yield(h, nil) {
					return
				}
			case <-s.ctx.Done():
				return
			}
		}
	}
}

// utterance is what was heard since the last final.
type utterance struct {
	last  string
	since time.Duration // audio since the last hypothesis
	voice time.Duration // loud audio
}

func (s *stream) run(d *decoder, mean *[cepstra]float32) {
	defer close(s.out)
	d.stream(mean)
	d.start()
	var u utterance
	for {
		select {
		case <-s.ctx.Done():
			d.end()
			return
		case o := <-s.in:
			if o.pcm != nil {
				s.decode(d, &u, o.pcm)
				continue
			}
			d.end()
			s.tell(hypothesis(d, &u, true))
			if o.last {
				return
			}
			d.start()
			u = utterance{}
		}
	}
}

func (s *stream) decode(d *decoder, u *utterance, pcm []int16) {
	length := time.Duration(len(pcm)) * time.Second / 16000
	if rms(pcm) > loud {
		u.voice += length
	}
	d.process(pcm)
	if u.since += length; u.since < partialGap {
		return
	}
	u.since = 0
	if h := hypothesis(d, u, false); h.Text != "" && h.Text != u.last {
		u.last = h.Text
		s.tell(h)
	}
}

func (s *stream) tell(h provider.Hearing) {
	select {
	case s.out <- h:
	case <-s.ctx.Done():
	}
}

func hypothesis(d *decoder, u *utterance, final bool) provider.Hearing {
	h := provider.Hearing{Final: final}
	if u.voice < leastVoice {
		return h
	}
	var words []string
	for _, g := range d.segments() {
		if g.filler() {
			continue
		}
		words = append(words, g.word)
		h.Words = append(h.Words, provider.Word{
			Text: g.word, Start: time.Duration(g.start) * frameSize, End: time.Duration(g.end+1) * frameSize,
		})
	}
	h.Text = strings.Join(words, " ")
	return h
}

func rms(pcm []int16) float64 {
	var e float64
	for _, v := range pcm {
		e += float64(v) * float64(v)
	}
	return math.Sqrt(e / float64(max(1, len(pcm))))
}
