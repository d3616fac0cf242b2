package pebble

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"flametree/engine/event"
	"flametree/engine/tenant"
	"flametree/persist/journal"
)

// The tables. See doc.go.
const (
	tableEvent    = 'e'
	tableGlobal   = 'g'
	tableHead     = 'h'
	tableSeen     = 'd'
	tableClaim    = 'c'
	tableDue      = 'o'
	tableDueID    = 'i'
	tableSnapshot = 's'
	tableKey      = 'k'
	tableMeta     = 'm'
)

const tenantSize = len(tenant.ID{})

var errKey = errors.New("malformed key")

// appendText writes s so that it sorts before every longer string and can be
// followed by something: a zero byte becomes 0x00 0xff and the end 0x00 0x01.
func appendText(b []byte, s string) []byte {
	for {
		i := strings.IndexByte(s, 0)
		if i < 0 {
			return append(append(b, s...), 0, 1)
		}
		b = append(append(b, s[:i]...), 0, 0xff)
		s = s[i+1:]
	}
}

// cutText reads what appendText wrote and what follows it.
func cutText(b []byte) (s string, rest []byte, err error) {
	var text []byte
	for {
		i := bytes.IndexByte(b, 0)
		if i < 0 || i+1 == len(b) {
			return "", nil, errKey
		}
		text = append(text, b[:i]...)
		mark := b[i+1]
		b = b[i+2:]
		switch mark {
		case 1:
			return string(text), b, nil
		case 0xff:
			text = append(text, 0)
		default:
			return "", nil, errKey
		}
	}
}

// streamKeySize is that of every streamKey.
const streamKeySize = tenantSize + 16

// streamKey stands for a stream in keys: tenant ‖ half of the SHA-256 of kind
// and id. It is short and its length fixed, because comparing keys is the
// larger part of inserting them; the whole name stands in the event.
func streamKey(s event.Stream) []byte { return appendStreamKey(nil, s) }

func appendStreamKey(b []byte, s event.Stream) []byte {
	var room [128]byte
	sum := sha256.Sum256(appendText(appendText(room[:0], string(s.Kind)), s.ID))
	b = append(b, s.Tenant[:]...)
	return append(b, sum[:streamKeySize-tenantSize]...)
}

// streamName is how values name a stream: tenant ‖ kind ‖ id.
func streamName(s event.Stream) []byte {
	b := append(make([]byte, 0, tenantSize+len(s.Kind)+len(s.ID)+4), s.Tenant[:]...)
	return appendText(appendText(b, string(s.Kind)), s.ID)
}

// parseStream is the reverse of streamName.
func parseStream(b []byte) (s event.Stream, err error) {
	if len(b) < tenantSize {
		return s, errKey
	}
	s.Tenant = tenant.ID(b[:tenantSize])
	kind, b, err := cutText(b[tenantSize:])
	if err != nil {
		return s, err
	}
	s.Kind = event.StreamKind(kind)
	id, b, err := cutText(b)
	if s.ID = id; err == nil && len(b) > 0 {
		err = errKey
	}
	return s, err
}

// row is a key of a table that starts with a stream.
func row(table byte, stream []byte) []byte {
	return append(append(make([]byte, 0, 1+len(stream)+8), table), stream...)
}

// eventKey is the key of the stream's event seq.
func eventKey(stream []byte, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(row(tableEvent, stream), seq)
}

// cutEventKey is the reverse of eventKey.
func cutEventKey(k []byte) (stream []byte, seq uint64, err error) {
	if len(k) != 1+streamKeySize+8 || k[0] != tableEvent {
		return nil, 0, errKey
	}
	return k[1 : len(k)-8], binary.BigEndian.Uint64(k[len(k)-8:]), nil
}

func globalKey(pos uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{tableGlobal}, pos)
}

// nameKey is the key of an external id or of a claimed name.
func nameKey(table byte, t tenant.ID, k journal.Key) []byte {
	b := make([]byte, 0, 1+tenantSize+len(k.Space)+len(k.Name)+2)
	b = append(append(b, table), t[:]...)
	return append(appendText(b, k.Space), k.Name...)
}

func dueKey(t tenant.ID, at time.Time, id journal.DueID) []byte {
	b := make([]byte, 0, 1+tenantSize+8+len(id))
	b = append(append(b, tableDue), t[:]...)
	return append(binary.BigEndian.AppendUint64(b, sortable(at)), id...)
}

// cutDueKey is the reverse of dueKey.
func cutDueKey(k []byte) (t tenant.ID, at time.Time, id journal.DueID, err error) {
	if len(k) <= 1+tenantSize+8 || k[0] != tableDue {
		return t, at, "", errKey
	}
	k = k[1:]
	return tenant.ID(k), unsortable(binary.BigEndian.Uint64(k[tenantSize:])), journal.DueID(k[tenantSize+8:]), nil
}

func dueIDKey(t tenant.ID, id journal.DueID) []byte {
	return append(append([]byte{tableDueID}, t[:]...), id...)
}

func keyKey(t tenant.ID, subject string) []byte {
	return append(append([]byte{tableKey}, t[:]...), subject...)
}

// sortable turns a time into a number with the same order, in microseconds.
func sortable(t time.Time) uint64 { return uint64(t.UnixMicro()) ^ 1<<63 }

func unsortable(v uint64) time.Time { return time.UnixMicro(int64(v ^ 1<<63)).UTC() }

// after is the first key behind all keys that start with b, nil when there is none.
func after(b []byte) []byte {
	end := bytes.Clone(b)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
