// Package gemini speaks Google's Gemini API: streamGenerateContent as
// server-sent events. It is one mapping from the contract to their JSON; it has
// no policy and knows neither images, live sessions nor Google's own tools.
//
// Published messages: ai.google.dev/api/generate-content (GenerateContentRequest,
// Content, Part, FunctionDeclaration, Schema, GenerateContentResponse) of v1beta,
// and ai.google.dev/gemini-api/docs/thought-signatures, in their form of mid 2026 as far as
// public copies tell; TestLive compares with the vendor where a key is set.
//
// Schemas are cut down to the subset of OpenAPI that the API takes: references
// are resolved, what it does not know is left out, so a value may still break a
// rule of the whole schema and is checked by who asked for it.
//
// Thinking models sign their calls and want the signature back with the
// conversation. The contract has no place for it, so a Model keeps those of its
// last calls in memory; one that it no longer has, after a restart, is replaced
// by the value the documentation gives for calls of another origin, once a
// server has asked for it.
//
// Decisions are in package wire.
package gemini
