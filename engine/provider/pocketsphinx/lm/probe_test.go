package lm

import (
	"bytes"
	"flametree/engine/provider"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

func ppl(m *Model, s string) (lp float64, n int, oov []string) {
	a, b := uint32(none), uint32(start)
	toks := append(strings.Fields(s), "</s>")
	for _, w := range toks {
		c, ok := m.vocab.ids[w]
		if !ok {
			oov = append(oov, w)
			a, b = none, none
			continue
		}
		if b == none {
			lp += math.Log(m.prob[c])
		} else {
			p := 0.0
			found := false
			if a != none {
				for _, e := range m.tri {
					if e.gram == gram3(a, b, c) {
						p = e.prob
						found = true
						break
					}
				}
				if !found {
					bo := 1.0
					if i, ok := m.bigramAt(a, b); ok {
						bo = m.bi[i].backoff
					}
					p = bo * m.conditional(b, c)
				}
			} else {
				p = m.conditional(b, c)
			}
			lp += math.Log(p)
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
	for _, l := range strings.Split(string(dict), "\n") {
		w, _, _ := strings.Cut(l, " ")
		known[w] = true
	}
	dev, _ := os.ReadFile("../testdata/dev.txt")
	for _, kb := range []string{"debit", "tickets"} {
		txt, _ := os.ReadFile("../testdata/" + kb + ".txt")
		for _, bg := range []*Trie{nil, tr} {
			t0 := time.Now()
			h := provider.Hints{Key: "x", Texts: []string{string(txt)}}
			m := Build(h, Options{Background: bg, Known: func(w string) bool { return known[w] }})
			d := time.Since(t0)
			var buf bytes.Buffer
			m.WriteARPA(&buf)
			lp, n := 0.0, 0
			var oov []string
			for _, l := range strings.Split(strings.TrimSpace(string(dev)), "\n") {
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
