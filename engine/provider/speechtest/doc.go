// Package speechtest holds servers that speak as the vendors of recognition and
// of voices publish that they do: they refuse unknown fields, parameters, missing
// headers and messages in a wrong order, and they fail on command and by seed as
// networks and vendors do. They are written from the vendors' pages and share no
// code with the connectors. They neither hear nor speak: a letter is 20 ms of a
// level that stands for it (60 ms from a voice), so that a test can say what must
// come out, at any rate, and read what came.
//
// The servers were not compared with the vendors themselves; TestLive of each
// connector does that where a key is set. The pages, read in November 2026 in
// public copies of the date given:
//
//   - OpenAI: developers.openai.com/api/docs/guides/realtime-transcription (2026),
//     /api/reference/resources/realtime/{client,server}-events (2026),
//     platform.openai.com/docs/api-reference/audio (2025-12);
//   - Deepgram: developers.deepgram.com/reference/speech-to-text/listen-streaming,
//     /docs/finalize, /docs/audio-keep-alive, /docs/close-stream, /docs/tts-ws-flush,
//     /docs/tts-ws-clear, /reference/text-to-speech/speak-streaming (2026);
//   - ElevenLabs: elevenlabs.io/docs/api-reference/text-to-speech/v-1-text-to-speech-voice-id-multi-stream-input,
//     /docs/api-reference/speech-to-text/v-1-speech-to-text-realtime, and the event
//     reference in github.com/elevenlabs/skills (2026);
//   - Cartesia: docs.cartesia.ai/api-reference/{tts,stt}/websocket, version 2026-03-01;
//   - Azure: learn.microsoft.com/azure/cognitive-services/speech/api-reference-rest/websocketprotocol
//     (2018, the only published form), /azure/ai-services/speech-service/rest-text-to-speech (2025);
//   - Google: cloud.google.com/speech-to-text/v2/docs/reference/rest (v2, 2025),
//     cloud.google.com/text-to-speech/docs/reference/rest (v1 and v1beta1, 2025).
package speechtest
