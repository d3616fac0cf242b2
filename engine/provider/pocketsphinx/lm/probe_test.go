package lm

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"flametree/engine/provider"
)

func ppl(m *Model, s string) (lp float64, n int, oov []string) {
	a, b := uint32(none), uint32(start)
	for _, w := range append(strings.Fields(s), "</s>") {
		c, ok := m.vocab.ids[w]
		if !ok {
			oov = append(oov, w)
			a, b = none, none
			continue
		}
		switch {
		case b == none:
			lp += math.Log(m.prob[c])
		case a == none:
			lp += math.Log(m.conditional(b, c))
		default:
			lp += math.Log(m.full(a, b, c))
		}
		n++
		a, b = b, c
	}
	return
}

func TestProbe(t *testing.T) {
	bts, _ := os.ReadFile("/usr/share/pocketsphinx/model/en-us/en-us.lm.bin")
	tr, err := ReadTrie(bts)
	if err != nil {
		t.Fatal(err)
	}
	dict, _ := os.ReadFile("/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict")
	known := map[string]bool{}
	for l := range strings.SplitSeq(string(dict), "\n") {
		w, _, _ := strings.Cut(l, " ")
		known[w] = true
	}
	dev, _ := os.ReadFile("../testdata/dev.txt")
	for _, bg := range []*Trie{tr} {
		t0 := time.Now()
		g := NewGeneral(Options{Background: bg, Known: func(w string) bool { return known[w] }})
		a, b, c := g.model.Size()
		fmt.Println("general", time.Since(t0), a, b, c)
		for _, kb := range []string{"debit", "tickets"} {
			txt, _ := os.ReadFile("../testdata/" + kb + ".txt")
			t0 := time.Now()
			h := provider.Hints{Key: "x", Texts: []string{string(txt)}}
			m := g.Build(h)
			d := time.Since(t0)
			var buf bytes.Buffer
			m.WriteARPA(&buf)
			lp, n := 0.0, 0
			var oov []string
			for l := range strings.SplitSeq(strings.TrimSpace(string(dev)), "\n") {
				k, s, _ := strings.Cut(l, "|")
				if k != kb {
					continue
				}
				a, b, o := ppl(m, s)
				lp += a
				n += b
				oov = append(oov, o...)
			}
			fmt.Printf("%s bg=%v build %v arpa %d kB words %d bi %d tri %d  ppl %.1f oov %v\n", kb, bg != nil, d, buf.Len()/1024, len(m.vocab.words), len(m.bi), len(m.tri), math.Exp(-lp/float64(n)), oov)
		}
	}
}
