// Package wire is what the connectors share: one streaming HTTP client, sockets
// with the same way out, a reader of server-sent events with limits, one table
// from what a vendor answers to fault kinds, and the conversation in the order
// that every vendor of models accepts. What recognisers and voices share on top of
// it is package speech. It knows no vendor's JSON and has no policy: it asks once, and
// retries, hedges and breakers are decorators in package policy.
//
// Nothing that leaves it holds a key or a word of the conversation: an error
// has the vendor's name, the status, and codes that are plain identifiers. The
// vendor's own sentence is not passed on, because vendors quote both in it.
//
// # Decisions
//
// 2026-11 No vendor SDKs. Context: the official OpenAI SDK adds 18.7 MB, the
// three together 36 MB of binary; its compilation peaks at 2.8 GB; SDKs retry by
// themselves, on top of the retry budget of policy. Choice:
// this transport and three mappings, some 300 lines each. Cost: what a vendor
// adds must be added here by hand; the tests against vendortest and, where a
// key is there, against the vendor show when it matters.
//
// 2026-11 Servers differ in which optional fields they take (temperature,
// max_tokens, response_format, stream_options). Choice: a field that a server
// refuses by name is left out from then on (Spared). Cost: one more request, once
// per model and field.
package wire
