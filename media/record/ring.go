package record

import "sync"

// chunkBytes is what a ring takes memory by: 120 ms at 8 kHz, 60 at 16, one frame
// at 48.
const chunkBytes = 4 << 10

type chunk = [chunkBytes]byte

// newChunks makes the pool that the rings of one spool share.
func newChunks() *sync.Pool { return &sync.Pool{New: func() any { return new(chunk) }} }

// slot is what the ring knows of a frame besides its samples.
type slot struct {
	gap    int64 // silent frames before it that were lost
	paused int64 // frames in which nothing was to be recorded, itself and those lost before it
}

// ring holds the frames that wait for the disk, and memory for those alone. Frames
// are counted for ever; a ring knows where those it holds lie. A copy is the same
// ring.
type ring struct {
	size   int      // bytes of a frame
	each   int64    // frames of a chunk
	chunks []*chunk // chunk n of the recording lies at n modulo their number
	slots  []slot
	pool   *sync.Pool // of *chunk
}

func newRing(size, most int, pool *sync.Pool) ring {
	each := chunkBytes / size
	return ring{size: size, each: int64(each), chunks: make([]*chunk, most/each+2), slots: make([]slot, most), pool: pool}
}

// frames is how many it takes.
func (r ring) frames() int64 { return int64(len(r.slots)) }

// slot is that of a frame.
func (r ring) slot(frame int64) *slot { return &r.slots[frame%r.frames()] }

func (r ring) chunk(number int64) **chunk { return &r.chunks[number%int64(len(r.chunks))] }

// room is where the samples of the next frame are to be put.
func (r ring) room(frame int64) []byte {
	if c := r.chunk(frame / r.each); *c == nil {
		*c, _ = r.pool.Get().(*chunk)
	}
	return r.samples(frame)
}

// samples are those of a frame.
func (r ring) samples(frame int64) []byte {
	return (*r.chunk(frame / r.each))[int(frame%r.each)*r.size:][:r.size]
}

// gather appends the samples of n frames to dst.
func (r ring) gather(dst []byte, from, n int64) []byte {
	for f := from; f < from+n; f++ {
		dst = append(dst, r.samples(f)...)
	}
	return dst
}

// stretch is how many frames from from on, short of to, make one piece: none of
// them but the first comes after a gap.
func (r ring) stretch(from, to int64) int64 {
	n := int64(1)
	for from+n < to && r.slot(from+n).gap == 0 {
		n++
	}
	return n
}

// release gives back the memory of frames that are written, those from from on
// short of to.
func (r ring) release(from, to int64) {
	for n := from / r.each; n < to/r.each; n++ {
		c := r.chunk(n)
		r.pool.Put(*c)
		*c = nil
	}
}
