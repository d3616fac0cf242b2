// Package geminilive speaks Google's Gemini Live API as package realtime wants it.
// It detects no turns (automatic activity detection is disabled: activityStart
// and activityEnd are ours), resumes nothing and holds no policy.
//
// Written from the pages "Live API - WebSockets API reference" (ai.google.dev/api/live),
// "Live API capabilities guide" (ai.google.dev/gemini-api/docs/live-guide) and
// "Gemini 3.1 Flash Live preview", section Migrating
// (ai.google.dev/gemini-api/docs/models/gemini-3.1-flash-live-preview), as they
// stood in November 2026. Compared with the vendor
// itself: Verified.
//
//   - One socket; the key in x-goog-api-key, not in the address. The first message is
//     the setup; nothing of it can change while the connection lasts, so another
//     brief is another connection, seeded with the conversation as text. Session
//     resumption would allow it, too, but keeps what the caller did not hear.
//   - Audio in is 16 kHz, out 24 kHz. An activity is one turn of the caller; its end
//     makes the model answer, so it is sent when a reply is wanted. What is known for
//     one reply goes before that end as text.
//   - Transcriptions come in no order that is promised, and nothing says that one is
//     complete: it is taken as settled 250 ms after its last piece. If none has come
//     600 ms after a pause the activity is ended early, for servers that transcribe
//     only then; the answer that begins is held back until it is wanted.
//   - Nothing cancels a reply and nothing cuts it: what follows is not told, and the
//     next connection does not know it.
//   - A toolCall ends what is told of a reply; the model goes on after the
//     toolResponse, which is sent with all answers at once.
//   - goAway comes before the connection ends (some 10 minutes).
package geminilive

// Verified is the day on which this package was last tested against the vendor
// itself, by TestLive with a key.
const Verified = "never"
