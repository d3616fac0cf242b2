// Package phrases keeps the sound of what an agent says again and again, so that
// it is heard at once and paid for once: greetings, fillers, prompts, answers
// that stand in its file. It is a decorator over provider.Synthesizer and knows
// neither disk nor network; a Store keeps the sounds.
//
// It keeps nothing but clauses that its owner named when the voice was made.
// What a model says, or what was filled in from a customer's data, may hold
// anything about a person, and would have to be found again when he asks to be
// forgotten; it is rendered each time.
package phrases

import (
	"crypto/sha256"
	"encoding/binary"
	"math"

	"flametree/engine/provider"
	"flametree/engine/tenant"
)

// Phrase is the sound of one clause. Whoever got it from a Store shares PCM and
// Words with others, and changes neither.
type Phrase struct {
	RateHz int
	PCM    []int16
	Words  []provider.Word // timed from its first sample
}

// Key names a phrase: whose it is, and a hash of all that makes its sound.
type Key struct {
	Tenant tenant.ID
	Sum    [sha256.Size]byte
}

// Store keeps phrases. It is safe for concurrent use, quick enough to be called
// inside an actor, and never fails: what it cannot read it does not have.
type Store interface {
	Get(k Key) (Phrase, bool)
	// Put keeps p, perhaps. It does not keep the slices.
	Put(k Key, p Phrase)
}

// Options of a Synthesizer. Store and Fixed have no default.
type Options struct {
	Store  Store
	Tenant tenant.ID
	// Maker is who renders: the vendor and its model. Two that sound otherwise
	// must not be called the same.
	Maker string
	// Fixed are the clauses that are kept, written as the voice is given them.
	Fixed map[string]bool
	Told  func(hit bool) // of each fixed clause; may be nil, must not block
}

// longest bounds a phrase, in seconds: longer ones are rendered each time.
const longest = 30

// whose is the key of a text said by a voice.
func (o Options) whose(v provider.Voice, text string) Key {
	h := sha256.New()
	part := func(s string) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		_, _ = h.Write(n[:]) // never fails, hash.Hash says
		_, _ = h.Write([]byte(s))
	}
	rate := v.Rate
	if rate == 0 {
		rate = 1
	}
	var speed [8]byte
	binary.BigEndian.PutUint64(speed[:], math.Float64bits(rate))
	_, _ = h.Write(o.Tenant[:])
	part(o.Maker)
	part(v.Name)
	part(v.Language)
	part(string(speed[:]))
	part(text)
	return Key{Tenant: o.Tenant, Sum: [sha256.Size]byte(h.Sum(nil))}
}
