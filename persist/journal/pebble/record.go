package pebble

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"

	"flametree/persist/journal"
)

var errRecord = errors.New("malformed record")

// An event's record is position ‖ hash ‖ stored bytes. Its maker leaves room
// for the first two; the committer fills them.
const (
	recordHash   = 8
	recordStored = recordHash + sha256.Size
)

// record is a view of an event's value.
type record []byte

func (r record) valid() bool      { return len(r) >= recordStored }
func (r record) position() uint64 { return binary.BigEndian.Uint64(r) }
func (r record) hash() [32]byte   { return [32]byte(r[recordHash:recordStored]) }
func (r record) stored() []byte   { return r[recordStored:] }

// chain fills in position and hash. The hash of the previous event is put where
// the new one will stand, so that the two parts of the sum lie in one piece.
func (r record) chain(pos uint64, previous [32]byte) record {
	binary.BigEndian.PutUint64(r, pos)
	copy(r[recordHash:], previous[:])
	sum := sha256.Sum256(r[recordHash:])
	copy(r[recordHash:], sum[:])
	return r
}

// chained reports whether the hash follows from the previous one.
func (r record) chained(previous [32]byte) bool {
	h := sha256.New()
	h.Write(previous[:])
	h.Write(r.stored())
	return [32]byte(h.Sum(nil)) == r.hash()
}

// maxSubjects is how many people a stream may have and still keep snapshots.
const maxSubjects = 8

// head is the present end of a stream. Its row holds what the events do not
// say; version, hash and position are those of the newest event.
type head struct {
	journal.Head
	position uint64
	subjects []string // all it ever had, nil and many when more than maxSubjects
	many     bool
	stored   bool // has a row that says the same
}

// meets adds a subject.
func (h *head) meets(subject string) {
	if subject == "" || h.many {
		return
	}
	if slices.Contains(h.subjects, subject) {
		return
	}
	h.stored = false
	if len(h.subjects) == maxSubjects {
		h.subjects, h.many = nil, true
		return
	}
	h.subjects = append(h.subjects, subject)
}

// end takes over the stream's newest event.
func (h *head) end(seq uint64, r record) {
	h.Version, h.Hash, h.position = seq, r.hash(), r.position()
}

// append writes the row: epoch ‖ number of subjects ‖ subjects.
func (h *head) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, h.Epoch)
	if h.many {
		return append(b, 255)
	}
	b = append(b, byte(len(h.subjects)))
	for _, s := range h.subjects {
		b = appendField(b, s)
	}
	return b
}

func parseHead(b []byte) (h head, err error) {
	if len(b) < 9 {
		return h, errRecord
	}
	h.stored, h.Epoch = true, binary.BigEndian.Uint64(b)
	n := int(b[8])
	b = b[9:]
	if n == 255 {
		h.many = true
		return h, nil
	}
	for range n {
		var s string
		if s, b, err = cutField(b); err != nil {
			return h, err
		}
		h.subjects = append(h.subjects, s)
	}
	return h, nil
}

// A group's pointers are its first position ‖ the events' keys, each with its
// length before it. Their row's key has the last position.

// pointers reads them and checks that they are as many as the positions.
func pointers(key, value []byte) (first uint64, keys [][]byte, err error) {
	if len(key) != 9 || len(value) < 8 {
		return 0, nil, errRecord
	}
	first = binary.BigEndian.Uint64(value)
	last := binary.BigEndian.Uint64(key[1:])
	for value = value[8:]; len(value) > 0; {
		n, size := binary.Uvarint(value)
		if size <= 0 || n > uint64(len(value)-size) {
			return 0, nil, errRecord
		}
		keys = append(keys, value[size:size+int(n)])
		value = value[size+int(n):]
	}
	if len(keys) == 0 || first == 0 || last-first != uint64(len(keys))-1 {
		return 0, nil, errRecord
	}
	return first, keys, nil
}

// dueValue is group ‖ stream ‖ kind ‖ data.
func dueValue(group uint64, d journal.Due) []byte {
	b := binary.BigEndian.AppendUint64(nil, group)
	b = appendField(b, string(streamName(d.Stream)))
	b = appendField(b, d.Kind)
	return append(b, d.Data...)
}

func parseDue(key, value []byte) (d journal.Due, group uint64, err error) {
	if _, d.At, d.ID, err = cutDueKey(key); err != nil {
		return d, 0, err
	}
	if len(value) < 8 {
		return d, 0, errRecord
	}
	group = binary.BigEndian.Uint64(value)
	stream, rest, err := cutField(value[8:])
	if err != nil {
		return d, 0, err
	}
	if d.Stream, err = parseStream([]byte(stream)); err != nil {
		return d, 0, err
	}
	d.Kind, rest, err = cutField(rest)
	if len(rest) > 0 {
		d.Data = append([]byte(nil), rest...)
	}
	return d, group, err
}

// meta is the record that every group writes.
type meta struct {
	store    [16]byte
	group    uint64
	position uint64
}

func (m meta) append(b []byte) []byte {
	b = append(b, m.store[:]...)
	b = binary.BigEndian.AppendUint64(b, m.group)
	return binary.BigEndian.AppendUint64(b, m.position)
}

func parseMeta(b []byte) (meta, error) {
	if len(b) != 32 {
		return meta{}, errRecord
	}
	return meta{
		store: [16]byte(b), group: binary.BigEndian.Uint64(b[16:]), position: binary.BigEndian.Uint64(b[24:]),
	}, nil
}

// appendField writes s with its length before it.
func appendField(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func cutField(b []byte) (s string, rest []byte, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return "", nil, errRecord
	}
	b = b[size:]
	return string(b[:n]), b[n:], nil
}
