// Package elevenlabs speaks to ElevenLabs' sockets: realtime speech to text, and
// text to speech with contexts. It is one mapping from the contract to their
// messages; it has no policy, and knows neither agents nor cloning nor dialogue.
//
// Published messages: elevenlabs.io/docs/api-reference, text-to-speech
// multi-stream-input and speech-to-text realtime, and the event reference of
// github.com/elevenlabs/skills, read in November 2026 in public copies. They were
// not compared with the vendor yet: Verified.
//
// What is made of them:
//   - Commits are manual: the turn machine decides. A commit of less than 300 ms is
//     throttled there, so it is filled up with silence, which is taken off the times
//     of later words again.
//   - committed_transcript comes first and counts as a partial; the one with
//     timestamps is the final.
//   - One context is one clause: given whole, flushed and closed at once. isFinal
//     ends it. A clause that is cancelled is dropped by its context.
//   - Alignment times each character from the start of its own message or from the
//     start of the context; both are seen in the wild and told apart by whether
//     they run on.
package elevenlabs

// Verified is the day on which this package was last tested against the vendor
// itself.
const Verified = "never"
