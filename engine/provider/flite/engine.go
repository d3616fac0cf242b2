package flite

/*
#cgo LDFLAGS: -lflite_cmu_us_slt -lflite_cmu_us_rms -lflite_cmu_us_awb -lflite_cmu_us_kal16 -lflite_usenglish -lflite_cmulex -lflite -lm
#include <stdlib.h>
#include "render.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime/cgo"
	"sync"
	"time"
	"unsafe"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// rateHz is of the voices; it is only used for a clause that failed.
const rateHz = 16000

// errStopped says that nobody wants the rest of a clause.
var errStopped = errors.New("rendering was stopped")

// library is flite, of which a process has one.
type library struct {
	once sync.Once
	mu   sync.Mutex // one utterance at a time
}

// shared is the one library; the C code behind it is as global.
var shared library //nolint:gochecknoglobals // stands for C's own global state

func engine() *library { return &shared }

func (l *library) ready() { l.once.Do(func() { C.ft_init() }) }

func names() []string {
	out := make([]string, int(C.ft_voices()))
	for i := range out {
		out[i] = C.GoString(C.ft_voice(C.int(i)))
	}
	return out
}

// render renders text into r. It blocks while another utterance is rendered.
func (l *library) render(voice int, text string, stretch float32, r *rendering) error {
	l.ready()
	ct := C.CString(text)
	defer C.free(unsafe.Pointer(ct))
	h := cgo.NewHandle(r)
	defer h.Delete()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !r.wanted() {
		return errStopped
	}
	if C.ft_render(C.int(voice), ct, C.float(stretch), C.uintptr_t(h)) != 0 {
		return fmt.Errorf("flite could not say %d bytes: %w", len(text), fault.Bug)
	}
	return nil
}

// rendering is one clause on its way from flite to its consumer.
type rendering struct {
	wanted func() bool

	mu     sync.Mutex
	more   *sync.Cond
	chunks [][]int16
	rate   int
	words  []provider.Word
	over   bool
	err    error
}

//export flametreeWord
func flametreeWord(h C.uintptr_t, name *C.char, start, end C.float) {
	r := cgo.Handle(h).Value().(*rendering) //nolint:forcetypeassert // made by render
	seconds := func(f C.float) time.Duration { return time.Duration(float64(f) * float64(time.Second)) }
	r.words = append(r.words, provider.Word{Text: C.GoString(name), Start: seconds(start), End: seconds(end)})
}

//export flametreeChunk
func flametreeChunk(h C.uintptr_t, samples *C.int16_t, n, rate, last C.int) C.int {
	r := cgo.Handle(h).Value().(*rendering) //nolint:forcetypeassert // made by render
	if !r.wanted() {
		return 1
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rate = int(rate)
	if n > 0 {
		pcm := make([]int16, int(n))
		copy(pcm, unsafe.Slice((*int16)(unsafe.Pointer(samples)), int(n)))
		r.chunks = append(r.chunks, pcm)
	}
	r.more.Signal()
	return 0
}

func (r *rendering) finish(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over, r.err = true, err
	if err == nil && !r.wanted() {
		r.err = errStopped
	}
	r.more.Signal()
}

// next waits for a chunk. The last one is known to be the last.
func (r *rendering) next() (pcm []int16, rate int, words []provider.Word, last bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// One chunk is held back until there is another or the end, to know which is last.
	for len(r.chunks) < 2 && !r.over {
		r.more.Wait()
	}
	if r.over && r.err != nil {
		return nil, rateHz, nil, true, r.err
	}
	if len(r.chunks) == 0 {
		return nil, rateHz, r.words, true, nil
	}
	pcm = r.chunks[0]
	r.chunks = r.chunks[1:]
	return pcm, r.rate, r.words, r.over && len(r.chunks) == 0, nil
}
