// Package openairealtime speaks OpenAI's Realtime API as package realtime wants
// it. It detects no turns (turn_detection is null: audio is committed and replies
// are asked for by us), resumes nothing and holds no policy.
//
// Written from the pages "Realtime conversations" (platform.openai.com/docs/guides/realtime-conversations),
// "Client events" and "Server events" (developers.openai.com/api/reference/resources/realtime/client-events
// and …/server-events), the names of general availability, as they stood in
// November 2026. Compared with the
// vendor itself: Verified.
//
//   - One socket, GET /v1/realtime?model=…, the key in Authorization.
//   - session.update sets instructions, tools, both formats (24 kHz PCM only), the
//     transcription of what is heard, and the voice, which cannot change later.
//   - Audio is appended, committed (at least 100 ms) and becomes an item; its words
//     come in conversation.item.input_audio_transcription events, items in any order.
//   - response.create is refused while another response is active: it waits for the
//     end of a cancelled one. What is known for one reply goes in its instructions,
//     so that it does not stay in the conversation.
//   - conversation.item.truncate cuts an item's audio and takes its words away;
//     an end beyond the audio is an error.
//   - A session lasts at most 60 minutes; the next one is seeded with the text.
package openairealtime

// Verified is the day on which this package was last tested against the vendor
// itself, by TestLive with a key.
const Verified = "never"
