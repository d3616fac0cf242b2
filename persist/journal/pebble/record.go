package pebble

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"

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
func (r record) chain(pos uint64, previous [32]byte) [32]byte {
	binary.BigEndian.PutUint64(r, pos)
	copy(r[recordHash:], previous[:])
	sum := sha256.Sum256(r[recordHash:])
	copy(r[recordHash:], sum[:])
	return sum
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

// head is the present end of a stream.
type head struct {
	journal.Head
	position uint64
	subjects []string // all it ever had, nil and many when more than maxSubjects
	many     bool
}

// meets adds a subject and reports whether it was new.
func (h *head) meets(subject string) {
	if subject == "" || h.many {
		return
	}
	for _, s := range h.subjects {
		if s == subject {
			return
		}
	}
	if len(h.subjects) == maxSubjects {
		h.subjects, h.many = nil, true
		return
	}
	// A fresh slice: a copy of the head may share the old one.
	h.subjects = append(h.subjects[:len(h.subjects):len(h.subjects)], subject)
}

const headFixed = 8 + 8 + 8 + 32 + 1

func (h *head) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, h.Version)
	b = binary.BigEndian.AppendUint64(b, h.Epoch)
	b = binary.BigEndian.AppendUint64(b, h.position)
	b = append(b, h.Hash[:]...)
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
	if len(b) < headFixed {
		return h, errRecord
	}
	h.Version, h.Epoch = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	h.position = binary.BigEndian.Uint64(b[16:])
	h.Hash = [32]byte(b[24:])
	n := int(b[headFixed-1])
	b = b[headFixed:]
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

// dueValue is group ‖ stream ‖ kind ‖ data.
func dueValue(group uint64, d journal.Due) []byte {
	b := binary.BigEndian.AppendUint64(nil, group)
	b = appendField(b, string(streamKey(d.Stream)))
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
	if d.Stream, _, err = cutStream([]byte(stream)); err != nil {
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
