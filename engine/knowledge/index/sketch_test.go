package index

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// crowd makes vectors as models make them: all lean to one side, and stand in
// groups.
func crowd(rng *rand.Rand, dim, n int, lean float64) [][]float32 {
	gauss := func(scale float64) []float64 {
		v := make([]float64, dim)
		for i := range v {
			v[i] = rng.NormFloat64() * scale
		}
		return v
	}
	side := gauss(lean)
	var groups [][]float64
	for range 40 {
		groups = append(groups, gauss(1))
	}
	out := make([][]float32, n)
	for i := range out {
		g, own := groups[rng.IntN(len(groups))], gauss(0.7)
		v := make([]float32, dim)
		for d := range v {
			v[d] = float32(side[d] + g[d] + own[d])
		}
		out[i] = unit(v)
	}
	return out
}

func packed(t testing.TB, vs [][]float32) []vector {
	out := make([]vector, len(vs))
	for i, v := range vs {
		p, ok := pack(v)
		require.True(t, ok)
		out[i] = p
	}
	return out
}

// Of the ten passages that are really nearest, sketches and eight bits find
// nearly all, whatever the dimensions and however much the vectors lean.
func TestTheNearestAreFound(t *testing.T) {
	for name, tt := range map[string]struct {
		dim  int
		lean float64
	}{
		"a power of two":             {256, 0},
		"two windows":                {384, 0},
		"many dimensions":            {1536, 0},
		"no multiple of a word":      {100, 0},
		"all vectors lean to a side": {256, 3},
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, uint64(tt.dim)))
			all := crowd(rng, tt.dim, 2_000, tt.lean)
			vectors := packed(t, all)
			s := state{vectors: vectors, sketch: sketchOf(tt.dim, vectors, nil, nil)}
			found, wanted, off := 0, 0, 0.0
			for range 30 {
				q := all[rng.IntN(len(all))]
				exact := make([]near, len(all))
				for i, v := range all {
					var dot float64
					for d := range v {
						dot += float64(v[d]) * float64(q[d])
					}
					exact[i] = near{int32(i), float32(dot)}
				}
				slices.SortFunc(exact, byLike)
				got, _ := s.near(q)
				for _, w := range exact[:10] {
					wanted++
					if i := slices.IndexFunc(got, func(n near) bool { return n.passage == w.passage }); i >= 0 {
						found++
						off = max(off, math.Abs(float64(got[i].like-w.like)))
					}
				}
			}
			t.Logf("figure: recall@10 %.3f, likeness off by at most %.4f", float64(found)/float64(wanted), off)
			require.GreaterOrEqual(t, found*100, 97*wanted)
			require.Less(t, off, 0.02)
		})
	}
}

// A sketch that grew is like one made at once, as far as it goes.
func TestASketchGrows(t *testing.T) {
	const dim = 128
	rng := rand.New(rand.NewPCG(5, 5))
	vectors := packed(t, crowd(rng, dim, 300, 1))
	old := sketchOf(dim, vectors[:200], nil, nil)
	stayed := []int32{10, 11, 150}
	now := []vector{vectors[10], vectors[11], vectors[150]}
	now = append(now, vectors[200:300]...)
	grown := sketchOf(dim, now, old, stayed)
	require.Equal(t, old.centre, grown.centre)
	w := old.words()
	for i, p := range stayed {
		require.Equal(t, old.codes[int(p)*w:int(p+1)*w], grown.codes[i*w:(i+1)*w])
		require.Equal(t, old.plus[p], grown.plus[i])
	}
	scratch := make([]float32, grown.turn.padded)
	anew := &sketch{dim: dim, turn: old.turn, centre: old.centre, codes: make([]uint64, len(now)*w), times: make([]float32, len(now)), plus: make([]float32, len(now))}
	for i, v := range now {
		anew.draw(i, v, scratch)
	}
	require.Equal(t, anew.codes, grown.codes)
	require.Equal(t, anew.times, grown.times)
	many := sketchOf(dim, append(slices.Clone(vectors), vectors[:150]...), old, nil)
	require.NotEqual(t, old.centre, many.centre, "after it has doubled the centre is looked for again")
}

func TestPassagesWithoutVectorsAreNeverNear(t *testing.T) {
	const dim = 64
	vectors := packed(t, crowd(rand.New(rand.NewPCG(2, 2)), dim, 20, 0))
	q := make([]float32, dim)
	vectors[3].into(q)
	vectors[7] = vector{}
	s := state{vectors: vectors, sketch: sketchOf(dim, vectors, nil, nil)}
	got, of := s.near(q)
	require.Equal(t, int32(3), got[0].passage)
	require.Equal(t, 19, of.n)
	require.Less(t, got[len(got)-1].like, float32(0.5))
	empty := state{vectors: make([]vector, 2), sketch: sketchOf(dim, make([]vector, 2), nil, nil)}
	got, _ = empty.near(q)
	require.Empty(t, got)
}

func TestTurningKeepsLengthsAndAngles(t *testing.T) {
	for _, dim := range []int{64, 100, 384, 1536} {
		rng := rand.New(rand.NewPCG(3, uint64(dim)))
		tr := newTurn(dim)
		a, b := make([]float32, tr.padded), make([]float32, tr.padded)
		for i := range dim {
			a[i], b[i] = float32(rng.NormFloat64()), float32(rng.NormFloat64())
		}
		dot := func() (s float64) {
			for i := range a {
				s += float64(a[i]) * float64(b[i])
			}
			return s
		}
		before := dot()
		tr.apply(a)
		tr.apply(b)
		require.InDelta(t, before, dot(), 1e-2*math.Sqrt(float64(dim)))
	}
}

func BenchmarkNearest100k(b *testing.B) {
	const dim = 512
	rng := rand.New(rand.NewPCG(4, 4))
	some := packed(b, crowd(rng, dim, 2_000, 0))
	var vectors []vector
	for range 50 {
		vectors = append(vectors, some...)
	}
	s := state{vectors: vectors, sketch: sketchOf(dim, vectors, nil, nil)}
	q := make([]float32, dim)
	vectors[17].into(q)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = s.near(q)
	}
}
