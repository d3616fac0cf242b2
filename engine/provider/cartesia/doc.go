// Package cartesia speaks to Cartesia's sockets: /stt/websocket recognises with
// manual finalization, /tts/websocket renders with contexts. It is one mapping
// from the contract to their messages; it has no policy, and knows neither agents
// nor cloning nor their own turn detection.
//
// Published messages: docs.cartesia.ai/api-reference/{stt,tts}/websocket and the
// guides on contexts and on migrating from other vendors, version 2026-03-01, read
// in November 2026 in public copies. They were not compared with the vendor yet:
// Verified.
//
// What is made of them:
//   - Transcripts are pieces that may break within a word: they are put together as
//     they are, and flush_done, the answer to "finalize", settles them.
//   - ink-2 knows English; any other language is heard with ink-whisper, which tells
//     nothing before "finalize".
//   - One context is one clause. cancel stops what has not begun; what still comes
//     of it is dropped by its context.
package cartesia

// Verified is the day on which this package was last tested against the vendor
// itself.
const Verified = "never"
