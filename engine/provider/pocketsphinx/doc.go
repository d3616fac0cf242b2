// Package pocketsphinx is the built-in recogniser: it hears English with
// pocketsphinx 5prealpha (Carnegie Mellon, BSD licence) and the acoustic model
// of Debian's pocketsphinx-en-us, in this process and without a key.
//
// It hears only words it was given: for each agent package lm builds a
// vocabulary and a language model from the agent's own texts and from how
// callers speak. A name or a word outside of it can never be recognised. Open
// dictation and other languages are for a vendor.
//
// # How a stream is heard
//
// One goroutine a stream decodes; Write only copies into a ring and never
// blocks. Samples become mel bands by the front end of the acoustic model,
// which also takes away stationary noise and silence. Of a telephone line the
// high bands are guessed from the low ones (narrow.go), so that one acoustic
// model serves both. The mean of the channel starts from a stored vector and
// follows the speaker slowly, within an utterance too; an utterance without
// words leaves it as it was, so that noise cannot spoil it.
//
// # What is no speech
//
// Words are believed only when enough of the audio below them was loud and when
// the acoustic model likes them; coughs, music and clicks are not words.
//
// # Decoders
//
// A decoder holds an acoustic model, a dictionary and a language model of its
// own, some 15 MB, and is not shared by two streams at a time. Decoders that
// are free wait for the next call of the same agent, a few of them and for a
// while.
package pocketsphinx
