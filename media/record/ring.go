package record

// firstFrames is what a ring holds at first: twice what comes between two flushes
// of a disk that is in time.
const firstFrames = 50

// slot is what the ring knows of a frame besides its samples.
type slot struct {
	gap    int64 // silent frames before it that were lost
	paused int64 // frames in which nothing was to be recorded, itself and those lost before it
}

// ring holds the frames that wait for the disk. Frames are counted for ever; a
// ring knows where those it holds lie. It grows by doubling, so that frames that
// lie together still do in a longer one. A copy is the same ring.
type ring struct {
	size  int // bytes of a frame
	bytes []byte
	slots []slot
}

func newRing(size int) ring {
	return ring{size: size, bytes: make([]byte, firstFrames*size), slots: make([]slot, firstFrames)}
}

func (r ring) frames() int64 { return int64(len(r.slots)) }

// slot is that of a frame.
func (r ring) slot(frame int64) *slot { return &r.slots[frame%r.frames()] }

// samples are those of n frames that lie together.
func (r ring) samples(from, n int64) []byte {
	return r.bytes[int(from%r.frames())*r.size:][:int(n)*r.size]
}

// stretch is how many frames from from on, short of to, make one piece: none of
// them but the first comes after a gap, and they lie together.
func (r ring) stretch(from, to int64) int64 {
	n := int64(1)
	for from+n < to && (from+n)%r.frames() != 0 && r.slot(from+n).gap == 0 {
		n++
	}
	return n
}

// grown is a ring of twice the length with the frames from tail to head.
func (r ring) grown(tail, head int64) ring {
	out := ring{size: r.size, bytes: make([]byte, 2*len(r.bytes)), slots: make([]slot, 2*len(r.slots))}
	for f := tail; f < head; f++ {
		*out.slot(f) = *r.slot(f)
		copy(out.samples(f, 1), r.samples(f, 1))
	}
	return out
}
