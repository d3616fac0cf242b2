package actors_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"flametree/actors/actorstest"
)

// TestAnyCallEndsWell plays calls in which anything happens at any time. What
// inCall proves at the end of each must hold for all of them.
func TestAnyCallEndsWell(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			chance := rand.New(rand.NewPCG(seed, 1))
			inCall(t, []string{"VOICE_SPECULATE: True", "VOICE_RECORD: True"}, func(c *call) {
				c.deceit = 1
				c.h.Model.Pace = time.Duration(chance.IntN(120)) * time.Millisecond
				c.h.Voice.First = time.Duration(chance.IntN(300)) * time.Millisecond
				c.h.Model.Reply = says(tale)
				if chance.IntN(5) > 0 {
					c.Line.Up()
				}
				for range 4 + chance.IntN(20) {
					c.anything(chance)
				}
				c.Cut(false)
			})
		})
	}
}

// anything is one deed of the caller, of the network or of a vendor.
func (c *call) anything(chance *rand.Rand) {
	switch chance.IntN(14) {
	case 0, 1, 2:
		c.Say("what is the fee of it")
	case 3:
		c.Say("mhm")
	case 4, 5:
		c.Noise(time.Duration(20+chance.IntN(1500)) * time.Millisecond)
	case 6:
		c.Keys("12#"[:1+chance.IntN(3)])
	case 7:
		c.Line.Hold()
		time.Sleep(time.Duration(chance.IntN(5000)) * time.Millisecond)
		c.Line.Unhold()
	case 8:
		c.Cut(true)
		time.Sleep(time.Duration(chance.IntN(3000)) * time.Millisecond)
		c.Cut(false)
	case 9:
		c.h.Ears.Die()
	case 10:
		c.twice = true
		c.h.Voice.Die()
	case 11:
		c.Line.Up()
	case 12:
		fail := chance.IntN(2) == 0
		c.h.Model.Set(func(m *actorstest.Model) {
			if m.Reply = says(tale); fail {
				m.Reply = says("")
			}
		})
	default:
		time.Sleep(time.Duration(chance.IntN(6000)) * time.Millisecond)
	}
}
