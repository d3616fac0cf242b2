package leg

// pieceBytes is what a reel grows and shrinks by: half a second at 8 kHz.
const pieceBytes = 4 << 10

type piece = [pieceBytes]byte

// reel is the part of an endless stream of bytes that is still wanted. It takes
// memory for that part alone, and none while there is none. Places are those of
// the stream.
type reel struct {
	pieces []*piece // piece n of the stream lies at n modulo their number
	low    int64    // number of the first that is kept
	spare  *piece   // the last that was let go of: a stream that flows needs no other
}

// newReel makes one that keeps so many bytes, wherever in a piece they begin.
func newReel(most int) reel { return reel{pieces: make([]*piece, most/pieceBytes+2)} }

// room is where up to n bytes from a place on are to be written. What lies too far
// behind is let go of.
func (r *reel) room(at int64, n int) []byte {
	number := at / pieceBytes
	r.forget((number - int64(len(r.pieces)) + 1) * pieceBytes)
	p := &r.pieces[number%int64(len(r.pieces))]
	if *p == nil {
		*p, r.spare = r.spare, nil
	}
	if *p == nil {
		*p = new(piece)
	}
	return cut((*p)[at%pieceBytes:], n)
}

// bytes are up to n bytes from a place on, as many as lie together.
func (r *reel) bytes(at int64, n int) []byte {
	return cut(r.pieces[at/pieceBytes%int64(len(r.pieces))][at%pieceBytes:], n)
}

func cut(b []byte, n int) []byte { return b[:min(n, len(b))] }

// copy fills dst from a place on.
func (r *reel) copy(dst []byte, at int64) {
	for len(dst) > 0 {
		n := copy(dst, r.bytes(at, len(dst)))
		dst, at = dst[n:], at+int64(n)
	}
}

// write puts bytes at a place.
func (r *reel) write(at int64, src []byte) {
	for len(src) > 0 {
		n := copy(r.room(at, len(src)), src)
		src, at = src[n:], at+int64(n)
	}
}

// forget lets go of the pieces that lie before a place.
func (r *reel) forget(below int64) {
	for ; r.low < below/pieceBytes; r.low++ {
		p := &r.pieces[r.low%int64(len(r.pieces))]
		if *p != nil {
			r.spare, *p = *p, nil
		}
	}
}

// clear lets go of everything. The stream goes on at a place.
func (r *reel) clear(at int64) {
	clear(r.pieces)
	r.low, r.spare = at/pieceBytes, nil
}

// oldest is the first place that is kept.
func (r *reel) oldest() int64 { return r.low * pieceBytes }
