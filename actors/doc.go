// Package actors joins the engine to the journal and to the outside. One file
// is one actor; what an actor may decide is in engine. It owns the ports
// through which edges (media, gateway) are given in, and never imports them.
//
//	session   one conversation, whatever its channel (session*.go)
//	call      one telephone call: the turn machine, ears and mouth (call*.go)
//	          outbound: call_dial.go, who answered: call_screen.go, transfers: call_pass.go,
//	          somebody else on the line: call_swap.go, because the other end asked: call_refer.go
//	channel   one connection to a channel: a PBX account, a trunk
//	catalog   one catalogue of products
//	source    one source of knowledge
//	agent     one configured agent: revisions, admission
//	clerk     not an actor: reads Due rows and wakes the actors they are for
//	registry  who lives here: one actor an id, and the handshake of passivation
//
// The way of an utterance: leg (fact) → call → turn machine → session (commit,
// then the model) → call (clauses) → voice → leg. Audio goes from voice to leg
// and from leg to recogniser past every mailbox. A text message takes the
// session's part of it alone.
//
// # What is committed when
//
// A message and the start of its reply are one batch, durable before the model
// is asked; what the model answered and what follows from it is a second one,
// durable before the reply goes out. A call falls silent without asking anybody
// and writes down afterwards what was heard. It writes its inputs through an
// appender of its own and never waits for a disk.
//
// # Decisions
//
// 2026-11-22 Directory, not cluster.Request. A request that races protoactor's
// stop is lost. Registry sends and begins to leave under one lock, so that what
// was sent before is worked off and what comes later wakes a new actor; what
// reaches an actor that is leaving already is handed to the next. Cost:
// protoactor's own requests do not have this promise; nobody here makes any.
//
// 2026-11-22 Asked, not futures. Who asks gives a function that takes the
// answer: no future, no process of its own, and the answer of a stopped actor
// is an error at once. Cost: the gate between nodes has to make such a function.
//
// 2026-11-22 A panic ends an actor, nothing restarts it in place: the next
// message makes it anew from its journal.
//
// 2026-11-22 A session waits for its own commits, its queue is bounded at 16
// messages; more are refused. A second message waits for the reply to the
// first: both were accepted, both are answered.
//
// 2026-11-22 No snapshots of sessions yet: a stream of 100 events is read in a
// fraction of a millisecond, and a snapshot would have to be sealed like the
// events it is made of.
//
// 2026-11-22 Tools run in goroutines of their own under the session's life, not
// the reply's: what was started is heard to its end and recorded, also when the
// caller has gone on. A reply that waits for a tool is closed as lost by a crash,
// and the call's key keeps it from being made twice.
//
// 2026-11-22 Timers of the workflow and of a hand-over are Due rows: they outlive
// the process and wake the session.
//
// 2026-11-22 A session mails its own results. That they are to be mailed is a Due
// row in the batch of its end; each attempt first sets that row to a time after
// itself, so a crash repeats the letter, under the same name, and one slow mail
// server keeps no other timer from being seen. How it ended is an event. Cost: one
// more commit for each letter, and a letter twice where the process ends between
// the server's yes and ours.
//
// 2026-11-22 Who listens to a call is fed by a tee before its recorder, and what
// is not to be recorded is silence for them and in no capture. An operator who
// barges in holds the turn machine as a line on hold does; what the agent was
// saying is over, so that nothing stale is said when he leaves. Cost: the agent
// does not know what they spoke about.
//
// 2026-11 Who takes a call over (Replaces, or because its other end asked us to
// call him) is given a leg and a line of his own; the turn machine sees a hold
// between the two, and facts carry the number of the line they are of. What was
// said to, or asked by, who left is not continued for who came. Cost: nobody greets
// him, and the session keeps the number and name it began with. Only a call's first
// line is passed so: not an operator's, nor a person's that it was joined with.
//
// Never used of protoactor, each for a fault found by measuring:
// SetReceiveTimeout (data race), Stash (a stack), ReenterAfter (overtakes),
// futures inside Receive, its persistence and passivation plugins.
package actors
