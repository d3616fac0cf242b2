// Package vendortest holds servers that speak as the vendors of language
// models publish that they do: they refuse unknown fields, missing headers and
// messages in a wrong order, and they fail on command and by seed as networks
// and vendors do. They are written from the vendors' pages and share no code
// with the connectors. They think nothing: what they answer is set by the test.
//
// The pages, in their form of mid 2026 as far as public copies and reports of it
// tell. The servers were not compared with the vendors themselves: TestLive of
// each connector does that where a key is set.
//
//   - platform.openai.com/docs/api-reference/chat/create, .../chat-streaming,
//     .../embeddings/create, docs/guides/error-codes;
//   - what Ollama, vLLM and llama.cpp do otherwise: ollama issues 7881 and 15457,
//     vllm issues 14951 and 18412 on github.com (2024-11 to 2026-04);
//   - platform.claude.com/docs/en/api/messages, /docs/en/api/errors,
//     /docs/en/build-with-claude/streaming; version header 2023-06-01;
//   - ai.google.dev/api/generate-content and /gemini-api/docs/thought-signatures, v1beta.
package vendortest
