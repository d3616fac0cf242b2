// Package voice measures calls: how much time the engine adds to a turn, how
// soon the agent is silent when it is interrupted, how even its packets are,
// and what a call costs. Callers are telephones in another process; what
// they measure is the kernel's time of arrival at their own sockets. What the
// engine decided, and when, is read from its journal after the run.
//
// # What is measured
//
// The overhead of a turn is the agent's first packet with sound at the
// caller's socket, less the instant at which the turn was due to be committed,
// less the scripted delays of model and voice, less the wait for the pacer's
// slot. Where the model was asked ahead of the commit, on words that proved
// right, only what was left of its delay is taken off. Timers that fire late
// are part of the overhead.
//
// Silence is the agent's last packet with sound at the caller's socket, less
// the instant of the decision that silenced it: the pause, if one came before
// the yield, else the yield. Since the contract counts from the yield, that is
// given beside it; after a pause there is nothing left to measure, so it is 0.
//
// It plays no speech that a recogniser could understand: words are the business
// of the tests.
package voice
