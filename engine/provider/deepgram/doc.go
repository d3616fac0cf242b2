// Package deepgram speaks to Deepgram's sockets: /v1/listen recognises, /v1/speak
// renders. It is one mapping from the contract to their messages; it has no
// policy, and knows neither recordings nor Flux nor the voice agent.
//
// Published messages: developers.deepgram.com, the reference of listen-streaming
// and speak-streaming and the pages finalize, audio-keep-alive, close-stream,
// tts-ws-flush, tts-ws-clear, read in November 2026 in public copies. They were
// not compared with the vendor yet: Verified.
//
// What is made of them:
//   - Results settle stretches on their own; the stretches are joined to one final
//     per Finalize. from_finalize "typically" comes; a stretch that reaches the
//     place of the Finalize answers it too, because Deepgram does not promise it.
//   - speech_final is told as the vendor's end of turn, and no more.
//   - A silent socket is closed after 10 s (NET-0001): KeepAlive every 4 s.
//   - A voice takes 20 Flush messages in 60 s; a quicker talker gets a new socket.
//   - A voice names no clauses and tells no times; Clear is confirmed by Cleared,
//     and sound until then belongs to what was stopped.
package deepgram

// Verified is the day on which this package was last tested against the vendor
// itself.
const Verified = "never"
