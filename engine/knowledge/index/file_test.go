package index

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/engine/knowledge"
)

func TestAShelfSurvivesAsAFile(t *testing.T) {
	s := house(t)
	raw := s.Encode()
	back, err := Decode(raw)
	require.NoError(t, err)
	require.Equal(t, s, back)
	require.Equal(t, Label{Source: "house", Revision: 1, Model: "grams"}, back.Label())
	x, y := searching(), searching()
	require.NoError(t, x.Change(nil, s))
	require.NoError(t, y.Change(nil, back))
	for _, q := range []string{"how much bagage", "phone number", "what do children pay"} {
		require.Equal(t, x.Find(ask(q)), y.Find(ask(q)))
	}
	plain, err := Fill(t.Context(), nil, Label{Source: "plain"}, s.Sources(), nil)
	require.NoError(t, err)
	back, err = Decode(plain.Encode())
	require.NoError(t, err)
	require.Equal(t, plain, back)
}

// No cut and no changed byte gets through.
func TestABrokenFileIsRefused(t *testing.T) {
	raw := house(t).Encode()
	for n := 0; n < len(raw); n += 7 {
		_, err := Decode(raw[:n])
		require.ErrorIs(t, err, fault.Invalid)
		broken := bytes.Clone(raw)
		broken[n] ^= 0x20
		_, err = Decode(broken)
		require.ErrorIs(t, err, fault.Invalid, n)
	}
	_, err := Decode(append(bytes.Clone(raw), 0))
	require.ErrorIs(t, err, fault.Invalid)
}

// With a right checksum, wrong lengths are found out one by one.
func FuzzDecode(f *testing.F) {
	holed := *house(f)
	holed.vectors = append([]vector{{}}, holed.vectors[1:]...)
	for _, s := range []*Shelf{house(f), &holed, {label: Label{Source: "empty"}}, {label: Label{Source: "one"}, sources: []knowledge.Source{faq("a", "b", "c")}}} {
		raw := s.Encode()
		f.Add(raw[len(mark) : len(raw)-sumBytes])
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, body []byte) {
		raw := append([]byte(mark), body...)
		sum := sha256.Sum256(raw)
		s, err := Decode(append(raw, sum[:]...))
		if err != nil {
			require.ErrorIs(t, err, fault.Invalid)
			return
		}
		x := New(Options{Lexicon: lexicon()})
		require.NoError(t, x.Change(nil, s))
		again, err := Decode(s.Encode())
		require.NoError(t, err)
		require.Equal(t, s, again)
	})
}
