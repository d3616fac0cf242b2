package event_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/event"
	"flametree/engine/fault"
)

func TestIDKnownTexts(t *testing.T) {
	full := [10]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255}
	for name, c := range map[string]struct {
		at     time.Time
		chance [10]byte
		want   string
	}{
		"all zero":                   {time.UnixMilli(0), [10]byte{}, "00000000000000000000000000"},
		"the specification's time":   {time.UnixMilli(1469918176385), [10]byte{}, "01ARYZ6S410000000000000000"},
		"chance only":                {time.UnixMilli(0), full, "0000000000ZZZZZZZZZZZZZZZZ"},
		"before 1970 counts as 1970": {time.Time{}, [10]byte{}, "00000000000000000000000000"},
		"later than 48 bits reach":   {time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC), full, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, event.NewID(c.at, c.chance).String())
		})
	}
}

func TestIDTextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var chance [10]byte
		copy(chance[:], rapid.SliceOfN(rapid.Byte(), 10, 10).Draw(t, "chance"))
		at := time.UnixMilli(rapid.Int64Range(0, 1<<48-1).Draw(t, "ms")).UTC()
		id := event.NewID(at, chance)
		back, err := event.ParseID(id.String())
		require.NoError(t, err)
		require.Equal(t, id, back)
		require.Equal(t, at, id.Time())
		later := event.NewID(at.Add(time.Millisecond), [10]byte{})
		if at.UnixMilli() < 1<<48-1 {
			require.Less(t, id.String(), later.String())
		}
	})
}

func TestIDRefusesOtherTexts(t *testing.T) {
	for name, s := range map[string]string{
		"empty":             "",
		"too short":         "01ARYZ6S41000000000000000",
		"too long":          "01ARYZ6S4100000000000000000",
		"over 128 bits":     "80000000000000000000000000",
		"the letter U":      "01ARYZ6S41000000000000000U",
		"a space":           "01ARYZ6S41 000000000000000",
		"a two-byte letter": "01ARYZ6S4100000000000000é",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := event.ParseID(s)
			require.ErrorIs(t, err, fault.Invalid)
		})
	}
	id, err := event.ParseID("olaryz6s410000000000000000")
	require.NoError(t, err, "look-alike letters and lower case are read")
	require.Equal(t, "01ARYZ6S410000000000000000", id.String())
}

func FuzzParseID(f *testing.F) {
	f.Add("01ARYZ6S410000000000000000")
	f.Add("7ZZZZZZZZZZZZZZZZZZZZZZZZZ")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := event.ParseID(s)
		if err != nil {
			return
		}
		again, err := event.ParseID(id.String())
		require.NoError(t, err)
		require.Equal(t, id, again)
	})
}
