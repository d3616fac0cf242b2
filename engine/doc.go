// Package engine holds what flametree decides, as pure code: what a
// conversation knows and permits (session), whose turn it is to speak (turn),
// what a model is told and what its answer means (dialog), what may pass (guard),
// what an agent is (agent, workflow, wizard), what it knows and sells (knowledge,
// catalog), how figures are said (spoken), and how a recorded conversation is
// decided again (replay). It takes the time
// as an argument, does no I/O, starts no goroutine and draws no chance: so
// living through a journal and replaying it end in the same place.
//
// Under it lie event, the vocabulary of the journal, and fault, the kinds of
// trouble. Beside it lie the contracts of models, voices and embedders
// (provider) and of tools (tool) and, below those, the edges that keep them:
// models over the network, flite, pocketsphinx, customers' Python, MCP, OpenAPI.
//
// # Decisions
//
// 2026-11-22 One batch, one fact. A command's first event is the fact from
// outside, the rest are decisions that follow from it; Envelope.Cause ties them
// together. A replay runs the command again and compares the rest. Cost: a fact
// that leads to two decisions at different times needs two facts.
//
// 2026-11-22 Facts from models are events (model.answered, results.extracted),
// besides the kinds first planned: without them a replay could not decide again
// what a model's answer meant.
//
// 2026-11-22 The id of a reply is that of its message with an R: no chance has
// to be drawn inside a command.
//
// 2026-11-22 One fact for one answer of a model. model.answered also holds how
// the request was made up: state, parts with their sizes, passages, the tools
// that were offered, the attempts. So the trace of a turn needs no event of its
// own, and a replay refuses what was not offered then, whatever servers offer now.
//
// 2026-11-22 Own clients for three vendors of models, not their SDKs: those weigh
// 36 MB, take 2.8 GB to compile, and bring retries of their own that would double
// the policy's budget. What the clients share is provider/wire. Cost: a vendor's
// change is ours to follow.
//
// 2026-11-22 The language of conditions is our own small parser: a missing value
// or a wrong type makes one comparison false and never fails, and that is not
// what general expression libraries do.
//
// 2026-11-22 Guards look at text before it is recorded: model.answered holds what
// passed, guard.hit what did not, with an excerpt that shows nothing.
package engine
