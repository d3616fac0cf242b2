// Package anthropic speaks Anthropic's Messages API. It is one mapping from the
// contract to their JSON; it has no policy and knows neither images, thinking,
// nor the tools that run on their side.
//
// Published messages: platform.claude.com/docs/en/api/messages (create) and
// /docs/en/build-with-claude/streaming, version header 2023-06-01, in their form of mid 2026 as far as
// public copies tell; TestLive compares with the vendor where a key is set.
//
// Where the answer has a schema, the model must call a tool of that schema, and
// the tool's input is the text: every model takes that, while output_config is
// taken by some and wants closed objects. A model that refuses to be forced is
// asked to, in words.
// A model that refuses temperature (Opus 4.7 and later) is asked again without.
//
// Decisions are in package wire.
package anthropic
