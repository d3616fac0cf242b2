// Package engine holds what flametree decides, as pure code: what a
// conversation knows and permits (session), whose turn it is to speak (turn),
// what a model is told and what its answer means (dialog), what an agent is
// (agent, workflow), what it knows (knowledge), how figures are said (spoken),
// and how a recorded conversation is decided again (replay). It takes the time
// as an argument, does no I/O, starts no goroutine and draws no chance: so
// living through a journal and replaying it end in the same place.
//
// Under it lie event, the vocabulary of the journal, and fault, the kinds of
// trouble. Beside it lie the contracts of models and voices (provider) and,
// below those, the edges that keep them: builtin, flite, pocketsphinx.
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
package engine
