// Package speech is what the connectors of recognisers and voices share: a
// stream of audio over a socket, a stream made of requests, a voice with its
// queue, and the bookkeeping between them and the contract in package provider.
// It knows no vendor's JSON; a connector gives it a Codec, an Ask, a Script or a
// Render. It has no policy: it opens once, and fallback, breakers and measuring
// are decorators in package policy.
//
// # What a recogniser's stream promises
//
// One Final follows each Finalize, however many pieces the vendor settles on its
// own: they are joined. A vendor that ends a turn by itself gives EndOfTurn and
// no Final. A vendor that goes on after Finalize and does not answer it is waited
// for FinalWait; then what it has said counts. One that says nothing for
// SilentAfter has failed, so that its owner can give the same audio to another.
//
// # What a voice promises
//
// Clauses are rendered one after the other, each under a context of its own
// that Cancel ends. Words come with the first Audio of a clause, as the contract
// wants: what the vendor has not told until then is laid out at the pace of what
// it has. A clause of letters that gives no sound, or sound whose length cannot
// be right, is a failure of the vendor.
//
// # Decisions
//
// 2026-11 One clause at a time is with the vendor. Context: what is queued there
// cannot be taken back everywhere. Cost: a round trip between two clauses, which
// the playout ring hides, because vendors render faster than speech.
//
// 2026-11 Key is a function, asked at each connection. Context: keys rotate and
// tokens expire within an hour. Cost: none.
package speech
