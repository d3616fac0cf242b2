// Package openai speaks to servers of OpenAI's chat completions and embeddings:
// OpenAI itself, vLLM, Ollama, llama.cpp and whatever else keeps that form. It
// is one mapping from the contract to their JSON; it has no policy, follows no
// redirect, and knows neither images nor the Responses API, nor speech to speech.
//
// Published messages: platform.openai.com/docs/api-reference/chat (create, the
// chunk object, streaming) and /embeddings, in their form of mid 2026 as far as
// public copies tell; TestLive compares with the vendor where a key is set.
//
// What compatible servers do otherwise, and what is made of it:
//   - one that refuses max_tokens, max_completion_tokens, temperature or
//     stream_options is asked again without (max_tokens: under the other name);
//   - one that refuses response_format json_schema is asked for json_object with
//     the schema in the prompt, and if it refuses that too, by the prompt alone:
//     then the text comes at the end, without the fence models put around it;
//   - vLLM repeats the name in each fragment of a call, older Ollama leaves out
//     index and later ones count every call as 0 with an id of its own, llama.cpp
//     may leave out the id: calls are told apart by index and id together, and
//     one without an id is given one;
//   - choices may be null in the chunk that holds the usage.
//
// # Speech
//
// Transcriber recognises by requests (/audio/transcriptions, what every
// compatible server has), LiveTranscriber over the realtime socket
// (/realtime?intent=transcription, 24 kHz only: the audio is brought up to it),
// Synthesizer speaks by requests whose answers stream (/audio/speech as pcm).
// The socket commits when the turn machine finds a pause; gpt-live-transcribe
// tells words as they are said, older models only after the commit. Times of
// words are there for Whisper models alone. Neither path has been compared with
// the vendor yet: Verified.
//
// Decisions are in packages wire and wire/speech.
package openai
