package pacer

import (
	"testing"
	"time"
)

func TestThePriorityIsTakenInTroubleAndKeptLong(t *testing.T) {
	at := time.Unix(1000, 0)
	var g grip
	// second feeds a second of ticks, a share of them late, and tells what came of it.
	second := func(late int) bool {
		held := g.held
		for range 50 {
			at = at.Add(20 * time.Millisecond)
			round := make([]delay, 100)
			for i := range late {
				round[i].of = gripLate + 1
			}
			held, _ = g.see(at, round)
		}
		return held
	}
	for i := range 60 {
		if second(2) {
			t.Fatalf("taken in second %d for one tick in fifty", i)
		}
	}
	if !second(3) {
		t.Fatal("not taken in trouble")
	}
	held := func() (n int) {
		for n = 1; second(0); n++ {
		}
		return n
	}
	if n := held(); n < 29 || n > 31 {
		t.Fatalf("kept for %d s", n)
	}
	if !second(100) {
		t.Fatal("not taken again")
	}
	if n := held(); n < 59 || n > 61 {
		t.Fatalf("kept for %d s, though the trouble had come back at once", n)
	}
	for range 11 {
		second(0)
	}
	second(100)
	if n := held(); n < 29 || n > 31 {
		t.Fatalf("kept for %d s, though there had been peace", n)
	}
}

func TestALeftOutTickIsTrouble(t *testing.T) {
	var g grip
	at := time.Unix(1000, 0)
	g.see(at, nil)
	if want, _ := g.see(at.Add(gripLook), []delay{{missed: 1}}); !want {
		t.Fatal("a tick that never came is not late")
	}
}

func TestLatenessOfItsOwnMakingGivesThePriorityBack(t *testing.T) {
	var g grip
	at := time.Unix(1000, 0)
	g.see(at, nil)
	given := false
	for range 10 * 31 {
		at = at.Add(gripLook)
		held := g.held
		want, _ := g.see(at, []delay{{of: time.Second}})
		given = given || held && !want
	}
	if !given {
		t.Fatal("held on though it does not help")
	}
}
