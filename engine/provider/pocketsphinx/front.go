package pocketsphinx

/*
#include <stdlib.h>
#include <sphinxbase/err.h>
#include <sphinxbase/cmd_ln.h>
#include <sphinxbase/fe.h>

enum { FT_FILTERS = 25, FT_FRAMES = 64 };

typedef struct {
	fe_t *fe;
	mfcc_t rows[FT_FRAMES][FT_FILTERS];
	mfcc_t *at[FT_FRAMES];
} ft_front;

static ft_front *ft_front_new(const char *remove_silence, double vad) {
	cmd_ln_t *c = cmd_ln_init(NULL, fe_get_args(), TRUE,
		"-logspec", "yes", "-lowerf", "130", "-upperf", "6800", "-nfilt", "25",
		"-transform", "dct", "-lifter", "0", "-samprate", "16000",
		"-remove_noise", "yes", "-remove_silence", remove_silence, NULL);
	if (c == NULL) return NULL;
	cmd_ln_set_float_r(c, "-vad_threshold", vad);
	ft_front *f = calloc(1, sizeof *f);
	f->fe = fe_init_auto_r(c);
	cmd_ln_free_r(c);
	if (f->fe == NULL) { free(f); return NULL; }
	for (int i = 0; i < FT_FRAMES; i++) f->at[i] = f->rows[i];
	return f;
}

static void ft_front_free(ft_front *f) { fe_free(f->fe); free(f); }

static void ft_front_stream(ft_front *f) { fe_start_stream(f->fe); }

static void ft_front_start(ft_front *f) { fe_start_utt(f->fe); }

// Takes samples until they are used up or the rows are full. Returns the number
// of rows and the index of the first one in the stream if speech began here.
static int ft_front_process(ft_front *f, const int16 *pcm, size_t n, size_t *left, int *index) {
	const int16 *p = pcm;
	int32 frames = FT_FRAMES, first = 0;
	*left = n;
	if (fe_process_frames(f->fe, &p, left, f->at, &frames, &first) < 0) return -1;
	*index = first;
	return frames;
}

static int ft_front_speech(ft_front *f) { return fe_get_vad_state(f->fe); }
*/
import "C"

import (
	"fmt"
	"unsafe"

	"flametree/engine/fault"
)

// filters is the number of mel bands of the acoustic model's front end.
const filters = C.FT_FILTERS

// front turns samples into the logarithm of the energy in mel bands, one row
// every 10 ms, without stationary noise and without silence.
type front struct{ f *C.ft_front }

func newFront(keepSilence bool, vad float64) (*front, error) {
	silence()
	s := C.CString(yesNo(!keepSilence))
	defer C.free(unsafe.Pointer(s))
	setup.Lock()
	f := C.ft_front_new(s, C.double(vad))
	setup.Unlock()
	if f == nil {
		return nil, fmt.Errorf("pocketsphinx: front end: %w", fault.Unavailable)
	}
	return &front{f: f}, nil
}

func (f *front) free() {
	setup.Lock()
	defer setup.Unlock()
	C.ft_front_free(f.f)
}

// stream forgets the noise of the channel.
func (f *front) stream() { C.ft_front_stream(f.f) }

// start begins an utterance.
func (f *front) start() { C.ft_front_start(f.f) }

func (f *front) inSpeech() bool { return C.ft_front_speech(f.f) != 0 }

// process gives every row to take. index is the row's place in the stream in
// frames of 10 ms when speech began with it, else 0.
func (f *front) process(pcm []int16, take func(rows [][filters]float32, index int)) {
	for len(pcm) > 0 {
		var left C.size_t
		var index C.int
		n := C.ft_front_process(f.f, (*C.int16)(unsafe.Pointer(&pcm[0])), C.size_t(len(pcm)), &left, &index)
		if n > 0 {
			take(unsafe.Slice((*[filters]float32)(unsafe.Pointer(&f.f.rows[0])), int(n)), int(index))
		}
		if n < 0 || int(left) == len(pcm) && n == 0 {
			return
		}
		pcm = pcm[len(pcm)-int(left):]
	}
}
