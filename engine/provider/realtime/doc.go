// Package realtime joins models that hear and speak by themselves
// (speech-to-speech) to a call without giving them the call: it is the contract
// of such models and the one call that is held with one. It decides no turn, runs
// no tool, judges no word and writes nothing down; that stays with the turn
// machine, the session and its guardrails, as in every other call.
//
// # Where it joins
//
// The narrowest place: a Call plays all three parts of the contracts in package
// provider at once. As a Transcriber it tells what the model understood; as a
// Completer it tells the words of the model's reply and the calls it wants; as
// a Synthesizer it has, for a clause of these very words, the sound that came
// with them. The session and the call actor ask it as they ask any other, so that
// limits, confirmations, guardrails, journal, hand-over and replay need to know
// nothing of it. They tell it three things more: that the caller's voice began
// (Voice), how much of the sound was heard (Heard), and what the next turn will
// be asked with (Prime).
//
// # Decisions
//
// 2026-11 The words are awaited. The model is asked to reply when the turn
// machine closed the turn and the words of the caller are in the journal, not
// when the audio ends: without the words nothing can be searched, judged or
// written down before the answer. Cost: the time of the vendor's transcription;
// the model itself still hears the voice.
//
// 2026-11 No sound without its words. Sound is played as far as the session has
// passed the clause it belongs to; what a guardrail holds back stays silent.
// Vendors do not time their words: a place in the sound is taken from the share
// of letters before it and moved to the quietest spot nearby. Cost: the place is
// wrong by a syllable or two while a reply is still coming.
//
// 2026-11 Words that are not the model's (greeting, notice, no-input prompt, a
// guardrail's sentence, a clause whose sound never came) are said by the agent's
// ordinary voice, word for word. Cost: two voices, unless the ordinary one is
// chosen to match.
//
// 2026-11 The vendor's memory is a copy. What the conversation was is in the
// journal; before each reply the vendor's memory is brought in line with it:
// cut where the caller interrupted, told what was said by others, and, where the
// vendor can do none of this, opened anew with the history as text. So no
// session is resumed by a handle: what the vendor kept would hold words that
// nobody heard. Cost: after such a change the model has the caller's earlier
// words, not the voice.
//
// 2026-11 It falls back inside the call: a refusal (401, 429) at once, a broken
// or silent connection the second time, to the agent's ordinary recogniser,
// model and voice. The recogniser is given the last seconds again, the reply is
// asked of the model with the same request, and what was not said yet is said by
// the voice.
package realtime
