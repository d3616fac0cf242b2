// Package azure speaks to Azure's speech service: recognition over its WebSocket
// protocol, rendering over REST with SSML, whose answer streams. It is one mapping
// from the contract to their messages; it has no policy, and knows neither
// translation nor custom endpoints nor the SDK's own extensions.
//
// Published messages: learn.microsoft.com, "Speech service WebSocket protocol"
// (2018, the only form in which the protocol was published) and "Text to speech
// REST API" (2025), read in November 2026 in public copies. They were not compared
// with the vendor yet: Verified.
//
// What is made of them:
//   - An utterance is a turn of theirs: its end is an empty audio message, answered
//     by turn.end. Another turn may not begin before that, so the audio in between
//     waits here.
//   - Times are ticks of 100 ns from the start of the turn, and are told from the
//     start of the stream.
//   - The words are Lexical, as they were said: no digits, no punctuation.
//   - Times of words of a voice are published for the SDK only: there are none.
package azure

// Verified is the day on which this package was last tested against the vendor
// itself.
const Verified = "never"
