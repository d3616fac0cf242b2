package vault

import (
	"bytes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"flametree/engine/fault"
)

// A sealed file is a header, magic ‖ nonce ‖ the file's own key under the given
// key, then chunks of 64 kB, each sealed under the file's own key. A chunk's
// nonce is its number and whether it is the last (the STREAM construction of
// Hoang, Reyhanitabar, Rogaway and Vizár 2015): no chunk can be moved, dropped
// or cut off without notice.
const (
	magic      = "FTSEAL1\n"
	chunkSize  = 64 << 10
	headerSize = len(magic) + nonceSize + keySize + tagSize
)

// SealFile seals all of src into dst and reports how many bytes dst got. Name
// binds the file to its place, such as a call's stream: it opens under no
// other. It holds two chunks in memory. When src fails, dst ends without its
// last chunk and never opens.
func SealFile(dst io.Writer, src io.Reader, k Key, name string) (int64, error) {
	raw, nonce := random(keySize), random(nonceSize)
	head := append([]byte(magic), nonce...)
	head = k.AEAD.Seal(head, nonce, raw, fileData(name))
	if _, err := dst.Write(head); err != nil {
		return 0, fmt.Errorf("seal file: %w", err)
	}
	total, file := int64(len(head)), aead(raw)
	// One chunk is read ahead, to know which is the last.
	now, next := make([]byte, chunkSize), make([]byte, chunkSize)
	n, err := io.ReadFull(src, now)
	sealed := make([]byte, 0, chunkSize+tagSize)
	for i := uint64(0); ; i++ {
		if failed(err) {
			return total, fmt.Errorf("seal file: %w", err)
		}
		m, nextErr := 0, io.EOF
		if err == nil {
			m, nextErr = io.ReadFull(src, next)
			if failed(nextErr) {
				return total, fmt.Errorf("seal file: %w", nextErr)
			}
		}
		last := m == 0
		sealed = file.Seal(sealed[:0], chunkNonce(i, last), now[:n], nil)
		if _, err := dst.Write(sealed); err != nil {
			return total, fmt.Errorf("seal file: %w", err)
		}
		total += int64(len(sealed))
		if last {
			return total, nil
		}
		now, next, n, err = next, now, m, nextErr
	}
}

// failed tells a broken source from one that ended.
func failed(err error) bool {
	return err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF)
}

// OpenFile reads what SealFile wrote for that key and name. What the reader
// yields is genuine, but only io.EOF says that it is whole: a file that was cut
// off or changed ends in fault.Invalid that names the chunk.
func OpenFile(src io.Reader, k Key, name string) (io.Reader, error) {
	head := make([]byte, headerSize)
	if _, err := io.ReadFull(src, head); err != nil {
		if failed(err) {
			return nil, fmt.Errorf("open sealed file: %w", err)
		}
		return nil, fmt.Errorf("open sealed file: cut off in its header: %w", fault.Invalid)
	}
	if !bytes.HasPrefix(head, []byte(magic)) {
		return nil, fmt.Errorf("open sealed file: not a sealed file: %w", fault.Invalid)
	}
	rest := head[len(magic):]
	raw, err := k.AEAD.Open(nil, rest[:nonceSize], rest[nonceSize:], fileData(name))
	if err != nil {
		return nil, fmt.Errorf("open sealed file: sealed with another key or under another name: %w", fault.Invalid)
	}
	r := &fileReader{src: src, file: aead(raw), buf: make([]byte, chunkSize+tagSize), next: make([]byte, chunkSize+tagSize)}
	r.n, r.err = io.ReadFull(src, r.buf)
	return r, nil
}

// fileReader reads one chunk ahead, to know which is the last.
type fileReader struct {
	src       io.Reader
	file      cipher.AEAD
	buf, next []byte // sealed
	n         int    // bytes of buf
	err       error  // of reading buf
	plain     []byte // not yet given out
	chunk     uint64
	end       error
}

// Read implements io.Reader.
func (r *fileReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.plain) == 0 {
		if r.end != nil {
			return 0, r.end
		}
		r.advance()
	}
	n := copy(p, r.plain)
	r.plain = r.plain[n:]
	return n, nil
}

func (r *fileReader) advance() {
	if failed(r.err) {
		r.end = fmt.Errorf("open sealed file: chunk %d: %w", r.chunk, r.err)
		return
	}
	m, nextErr := 0, io.EOF
	if r.err == nil {
		m, nextErr = io.ReadFull(r.src, r.next)
		if failed(nextErr) {
			r.end = fmt.Errorf("open sealed file: chunk %d: %w", r.chunk+1, nextErr)
			return
		}
	}
	last := m == 0
	plain, err := r.file.Open(nil, chunkNonce(r.chunk, last), r.buf[:r.n], nil)
	if err != nil {
		r.end = fmt.Errorf("open sealed file: chunk %d was changed or the file is cut off: %w", r.chunk, fault.Invalid)
		return
	}
	r.plain = plain
	if last {
		r.end = io.EOF
	}
	r.buf, r.next, r.n, r.err = r.next, r.buf, m, nextErr
	r.chunk++
}

func fileData(name string) []byte { return append([]byte("flametree sealed file\x00"), name...) }

func chunkNonce(i uint64, last bool) []byte {
	nonce := make([]byte, nonceSize)
	binary.BigEndian.PutUint64(nonce, i)
	if last {
		nonce[nonceSize-1] = 1
	}
	return nonce
}

// FileKey draws the key of a file that is sealed by somebody else, piece by
// piece, and wraps it under k for the file's beginning. Name binds it to its
// place as SealFile does. The key seals this one file and no other, so that a
// counter may be its nonce.
func FileKey(k Key, name string) (file cipher.AEAD, head []byte) {
	raw, nonce := random(keySize), random(nonceSize)
	return aead(raw), k.AEAD.Seal(nonce, nonce, raw, growingData(name))
}

// OpenFileKey unwraps what FileKey wrapped for that key and name; anything else
// is fault.Invalid.
func OpenFileKey(k Key, name string, head []byte) (cipher.AEAD, error) {
	if len(head) != nonceSize+keySize+tagSize {
		return nil, fmt.Errorf("open file key: %d bytes are no wrapped key: %w", len(head), fault.Invalid)
	}
	raw, err := k.AEAD.Open(nil, head[:nonceSize], head[nonceSize:], growingData(name))
	if err != nil {
		return nil, fmt.Errorf("open file key: wrapped with another key or under another name: %w", fault.Invalid)
	}
	return aead(raw), nil
}

func growingData(name string) []byte { return append([]byte("flametree file key\x00"), name...) }
