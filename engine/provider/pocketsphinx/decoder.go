package pocketsphinx

/*
#cgo pkg-config: pocketsphinx sphinxbase
#include <stdlib.h>
#include <pocketsphinx.h>
#include <sphinxbase/ckd_alloc.h>
#include <sphinxbase/err.h>
#include <sphinxbase/feat.h>
#include <sphinxbase/cmn.h>
#include <sphinxbase/ngram_model.h>

typedef struct {
	const char *hmm, *dict, *lm, *fwdflat, *bestpath;
	double lw, wip, beam, wbeam, pbeam, vad, fillprob, silprob;
	int maxhmmpf, maxwpf;
} ft_settings;

typedef struct {
	const char *word;
	int start, end;
} ft_segment;

static void ft_quiet(void) { err_set_logfp(NULL); }

static ps_decoder_t *ft_new(const ft_settings *s) {
	cmd_ln_t *c = cmd_ln_init(NULL, ps_args(), TRUE,
		"-hmm", s->hmm, "-dict", s->dict, "-lm", s->lm,
		"-fwdflat", s->fwdflat, "-bestpath", s->bestpath, "-logfn", "/dev/null", NULL);
	if (c == NULL) return NULL;
	cmd_ln_set_float_r(c, "-lw", s->lw);
	cmd_ln_set_float_r(c, "-wip", s->wip);
	cmd_ln_set_float_r(c, "-beam", s->beam);
	cmd_ln_set_float_r(c, "-wbeam", s->wbeam);
	cmd_ln_set_float_r(c, "-pbeam", s->pbeam);
	cmd_ln_set_float_r(c, "-vad_threshold", s->vad);
	cmd_ln_set_float_r(c, "-fillprob", s->fillprob);
	cmd_ln_set_float_r(c, "-silprob", s->silprob);
	cmd_ln_set_int_r(c, "-maxhmmpf", s->maxhmmpf);
	cmd_ln_set_int_r(c, "-maxwpf", s->maxwpf);
	ps_decoder_t *ps = ps_init(c);
	cmd_ln_free_r(c);
	return ps;
}

static void ft_set_mean(ps_decoder_t *ps, const float *v, int n) {
	cmn_t *c = ps_get_feat(ps)->cmn_struct;
	mfcc_t m[64];
	for (int i = 0; i < 64; i++) m[i] = i < n ? FLOAT2MFCC(v[i]) : 0;
	if (c->veclen <= 64) cmn_live_set(c, m);
}

static void ft_cep(ps_decoder_t *ps, const float *rows, int n) {
	mfcc_t v[64][13], *at[64];
	if (n > 64) n = 64;
	for (int i = 0; i < n; i++) {
		for (int j = 0; j < 13; j++) v[i][j] = FLOAT2MFCC(rows[i*13+j]);
		at[i] = v[i];
	}
	// More rows at a time than the feature window buffers are mangled.
	for (int i = 0; i < n; i += 2) ps_process_cep(ps, at + i, n - i < 2 ? n - i : 2, 0, 0);
}

// The number of sounds in a word, 0 if it is unknown.
static int ft_sounds_of(ps_decoder_t *ps, const char *word) {
	char *p = ps_lookup_word(ps, word);
	if (p == NULL) return 0;
	int n = 1;
	for (char *c = p; *c; c++) if (*c == ' ' && c[1] && c[1] != ' ') n++;
	ckd_free(p);
	return n;
}

// Writes an ARPA model in the library's binary form, which loads faster.
static int ft_pack(const char *arpa, const char *bin) {
	logmath_t *m = logmath_init(1.0001, 0, 0);
	ngram_model_t *n = ngram_model_read(NULL, arpa, NGRAM_ARPA, m);
	int r = n == NULL ? -1 : ngram_model_write(n, bin, NGRAM_BIN);
	if (n != NULL) ngram_model_free(n);
	logmath_free(m);
	return r;
}

static int ft_segments(ps_decoder_t *ps, ft_segment *out, int max) {
	int n = 0;
	ps_seg_t *s = ps_seg_iter(ps);
	while (s != NULL) {
		if (n == max) { ps_seg_free(s); break; }
		out[n].word = ps_seg_word(s);
		ps_seg_frames(s, &out[n].start, &out[n].end);
		n++;
		s = ps_seg_next(s);
	}
	return n;
}
*/
import "C"

import (
	"fmt"
	"strings"
	"sync"
	"unsafe"

	"flametree/engine/fault"
)

// settings of the search; the zero value is not useful, see defaultSettings.
type settings struct {
	lw, wip, beam, wbeam, pbeam, vad, fillprob, silprob float64
	maxhmmpf, maxwpf                                    int
	fwdflat, bestpath                                   bool
}

func defaultSettings() settings {
	return settings{lw: 8, wip: 0.4, beam: 1e-48, wbeam: 7e-29, pbeam: 1e-48, vad: 2, fillprob: 1e-8, silprob: 0.005, maxhmmpf: 30000, maxwpf: -1, fwdflat: true, bestpath: true}
}

// decoder is one search with its own acoustic model, dictionary and language
// model. It is not safe for concurrent use, but not bound to a thread.
type decoder struct {
	ps   *C.ps_decoder_t
	segs []C.ft_segment

	lengths map[string]int // sounds of words met so far
}

// cepstra is how many coefficients a frame has.
const cepstra = 13

// longestHypothesis bounds the words read back from one utterance.
const longestHypothesis = 512

//
//nolint:gochecknoglobals // stands for C's own global state
var silence = sync.OnceFunc(func() { C.ft_quiet() })

// setup is held while the library loads or frees a model: it reads language
// models with variables of its own, and two at a time corrupt its memory and end
// the process. Decoding needs no lock: each decoder has its own memory.
//
//nolint:gochecknoglobals // stands for C's own global state
var setup sync.Mutex

// newDecoder loads a decoder; it costs some 20 ms and 10 MB.
func newDecoder(modelDir, dict, lm string, s settings) (*decoder, error) {
	silence()
	cs := C.ft_settings{
		lw: C.double(s.lw), wip: C.double(s.wip), beam: C.double(s.beam), wbeam: C.double(s.wbeam), pbeam: C.double(s.pbeam),
		vad: C.double(s.vad), fillprob: C.double(s.fillprob), silprob: C.double(s.silprob),
		maxhmmpf: C.int(s.maxhmmpf), maxwpf: C.int(s.maxwpf),
	}
	for _, p := range []struct {
		to *(*C.char)
		s  string
	}{{&cs.hmm, modelDir}, {&cs.dict, dict}, {&cs.lm, lm}, {&cs.fwdflat, yesNo(s.fwdflat)}, {&cs.bestpath, yesNo(s.bestpath)}} {
		*p.to = C.CString(p.s)
		defer C.free(unsafe.Pointer(*p.to))
	}
	setup.Lock()
	ps := C.ft_new(&cs)
	setup.Unlock()
	if ps == nil {
		return nil, fmt.Errorf("pocketsphinx: load decoder with %s: %w", modelDir, fault.Unavailable)
	}
	return &decoder{ps: ps, segs: make([]C.ft_segment, longestHypothesis), lengths: make(map[string]int)}, nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// packModel writes an ARPA language model in the form that loads fast.
func packModel(arpa, to string) error {
	silence()
	a, b := C.CString(arpa), C.CString(to)
	defer C.free(unsafe.Pointer(a))
	defer C.free(unsafe.Pointer(b))
	setup.Lock()
	defer setup.Unlock()
	if C.ft_pack(a, b) != 0 {
		return fmt.Errorf("pocketsphinx: pack language model %s: %w", arpa, fault.Unavailable)
	}
	return nil
}

func (d *decoder) free() {
	setup.Lock()
	defer setup.Unlock()
	C.ps_free(d.ps)
	d.ps = nil
}

// stream forgets the channel and starts from the given cepstral mean.
func (d *decoder) stream(mean *[cepstra]float32) {
	C.ps_start_stream(d.ps)
	d.setMean(mean)
}

func (d *decoder) setMean(mean *[cepstra]float32) {
	C.ft_set_mean(d.ps, (*C.float)(unsafe.Pointer(&mean[0])), cepstra)
}

func (d *decoder) start() bool { return C.ps_start_utt(d.ps) == 0 }

func (d *decoder) end() bool { return C.ps_end_utt(d.ps) == 0 }

// cepstrum decodes at most 64 rows.
func (d *decoder) cepstrum(rows [][cepstra]float32) {
	if len(rows) > 0 {
		C.ft_cep(d.ps, (*C.float)(unsafe.Pointer(&rows[0])), C.int(len(rows)))
	}
}

// sounds is how many sounds a word has; it remembers them.
func (d *decoder) sounds(word string) int {
	if n, ok := d.lengths[word]; ok {
		return n
	}
	w := C.CString(word)
	defer C.free(unsafe.Pointer(w))
	n := int(C.ft_sounds_of(d.ps, w))
	d.lengths[word] = n
	return n
}

// segment is one word, filler or silence of the best path. Frames are 10 ms
// and count from the start of the stream's voiced part.
type segment struct {
	word       string
	start, end int
}

func (d *decoder) segments() []segment {
	n := int(C.ft_segments(d.ps, &d.segs[0], longestHypothesis))
	out := make([]segment, 0, n)
	for _, s := range d.segs[:n] {
		w, _, _ := strings.Cut(C.GoString(s.word), "(") // "the(2)" is another way to say it
		out = append(out, segment{word: w, start: int(s.start), end: int(s.end)})
	}
	return out
}

// filler reports whether a segment is no word: silence or noise.
func (s segment) filler() bool { return s.word == "" || strings.ContainsRune("<[+", rune(s.word[0])) }
