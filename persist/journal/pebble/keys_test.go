package pebble

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/event"
	"flametree/engine/tenant"
	"flametree/persist/journal"
)

func streams() *rapid.Generator[event.Stream] {
	return rapid.Custom(func(t *rapid.T) event.Stream {
		// Few letters and many zeros: that is where keys run into each other.
		text := rapid.StringOf(rapid.SampledFrom([]rune{0, 1, 'a', 'b', 0xff}))
		return event.Stream{
			Tenant: tenant.ID{rapid.Byte().Draw(t, "tenant")},
			Kind:   event.StreamKind(text.Draw(t, "kind")), ID: text.Draw(t, "id"),
		}
	})
}

func TestNamesComeBackAndKeepTheirOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := streams().Draw(t, "a"), streams().Draw(t, "b")
		back, err := parseStream(streamName(a))
		require.NoError(t, err)
		require.Equal(t, a, back)
		require.Equal(t, a == b, bytes.Equal(streamName(a), streamName(b)))
		require.Equal(t, a == b, bytes.Equal(streamKey(a), streamKey(b)))
		require.Equal(t, strings.Compare(a.ID, b.ID), bytes.Compare(appendText(nil, a.ID), appendText(nil, b.ID)))
		require.False(t, a.ID != b.ID && bytes.HasPrefix(appendText(nil, a.ID), appendText(nil, b.ID)))
	})
}

func TestEventsSortByStreamAndSeq(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, seq, next := streams().Draw(t, "a"), rapid.Uint64().Draw(t, "seq"), rapid.Uint64().Draw(t, "next")
		stream, back, err := cutEventKey(eventKey(streamKey(a), seq))
		require.NoError(t, err)
		require.Equal(t, streamKey(a), stream)
		require.Equal(t, seq, back)
		require.Equal(t, seq < next, bytes.Compare(eventKey(streamKey(a), seq), eventKey(streamKey(a), next)) < 0)
		low := row(tableEvent, streamKey(a))
		require.Negative(t, bytes.Compare(eventKey(streamKey(a), 1<<64-1), after(low)))
	})
}

func TestDueRowsSortByTimeWithinATenant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		moment := rapid.Map(rapid.Int64Range(-1<<55, 1<<55), func(us int64) time.Time { return time.UnixMicro(us).UTC() })
		a, b := moment.Draw(t, "a"), moment.Draw(t, "b")
		id := journal.DueID(rapid.StringN(1, 20, -1).Draw(t, "id"))
		of := tenant.ID{1, 2}
		_, at, back, err := cutDueKey(dueKey(of, a, id))
		require.NoError(t, err)
		require.Equal(t, a, at)
		require.Equal(t, id, back)
		if !a.Equal(b) {
			require.Equal(t, a.Before(b), bytes.Compare(dueKey(of, a, id), dueKey(of, b, "x")) < 0)
		}
		d := journal.Due{ID: id, Stream: event.Stream{Tenant: of, Kind: "session", ID: "s"}, At: a, Kind: "send", Data: []byte{1}}
		got, group, err := parseDue(dueKey(of, a, id), dueValue(7, d))
		require.NoError(t, err)
		require.Equal(t, d, got)
		require.EqualValues(t, 7, group)
	})
}

func TestHeadsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := head{Head: journal.Head{Epoch: rapid.Uint64().Draw(t, "epoch")}, stored: true}
		for _, s := range rapid.SliceOfN(rapid.StringN(1, 8, -1), 0, 12).Draw(t, "subjects") {
			h.meets(s)
		}
		h.stored = true
		back, err := parseHead(h.append(nil))
		require.NoError(t, err)
		require.Equal(t, h, back)
	})
}

func TestTheNewestWholeMarkCounts(t *testing.T) {
	file := make([]byte, slotCount*slotSize)
	old, young := meta{store: [16]byte{1}, group: 4, position: 9}, meta{store: [16]byte{1}, group: 5, position: 12}
	putSlot(file[:slotSize], old, 8)
	putSlot(file[slotSize:], young, 9)
	m, serial, err := parseMarks(file)
	require.NoError(t, err)
	require.Equal(t, young, m)
	require.EqualValues(t, 9, serial)
	for at := slotSize; at < slotSize+slotBody+slotSum; at++ {
		torn := slices.Clone(file)
		torn[at] ^= 0x10
		m, serial, err = parseMarks(torn)
		require.NoError(t, err)
		require.Equal(t, old, m, "byte %d", at)
		require.EqualValues(t, 8, serial)
	}
	_, _, err = parseMarks(file[:100])
	require.Error(t, err)
}

func TestTheCacheForgetsTheOldest(t *testing.T) {
	c := newCache[string, int](2)
	c.put("a", 1)
	c.put("b", 2)
	_, _ = c.get("a")
	c.put("c", 3)
	_, ok := c.get("b")
	require.False(t, ok, "b was used longest ago")
	v, ok := c.get("a")
	require.True(t, ok)
	require.Equal(t, 1, v)
	c.put("a", 4)
	v, _ = c.get("a")
	require.Equal(t, 4, v)
	c.drop("a")
	_, ok = c.get("a")
	require.False(t, ok)
	require.Equal(t, 1, c.order.Len())
}

// FuzzStored gives bytes of a damaged disk to every parser of rows.
func FuzzStored(f *testing.F) {
	d := journal.Due{ID: "d", Stream: event.Stream{Kind: "session", ID: "s"}, Kind: "send"}
	h := head{subjects: []string{"anna"}}
	f.Add(dueKey(tenant.ID{}, time.UnixMicro(1), "d"), dueValue(1, d))
	f.Add(globalKey(1), append([]byte{0, 0, 0, 0, 0, 0, 0, 1, 3}, "abc"...))
	f.Add(eventKey(streamKey(d.Stream), 1), h.append(nil))
	f.Add([]byte{}, meta{group: 1}.append(nil))
	f.Add([]byte{}, make([]byte, slotCount*slotSize))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if first, keys, err := pointers(key, value); err == nil {
			require.NotEmpty(t, keys)
			require.NotZero(t, first)
		}
		if s, err := parseStream(value); err == nil {
			require.Equal(t, value, streamName(s))
		}
		if m, err := parseMeta(value); err == nil {
			require.Equal(t, value, m.append(nil))
		}
		_, _, _ = parseDue(key, value)
		_, _ = parseHead(value)
		_, _, _ = cutEventKey(key)
		_, _, _ = parseMarks(value)
	})
}
