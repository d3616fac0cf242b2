// Package turn decides whose turn it is to speak on a call: when the caller's
// turn opens and closes, and when the agent ducks, pauses, yields, resumes,
// asks again or hangs up. It is sans-IO: the owner says what happened and at
// which offset since the call was answered, carries out what comes back, and
// owes a Tick at Deadline. It has no clock, goroutine, lock or buffer of audio,
// knows no vendor, and does not decide what is said.
//
// State has three dimensions. The tables that follow are the code of the files
// they name; a state and an input that do not meet there mean nothing together
// and change nothing.
//
// The caller (caller.go):
//
//	Silent, Committed  RawOn                → Maybe
//	Maybe              RawOff               → Silent or Committed
//	any but a turn     VoiceOn              → Speaking, OpenTurn     the agent has nothing to say
//	                                        → Maybe                  the agent has: floor.go judges
//	any but a turn     words                → Trailing, OpenTurn     the agent has nothing to say
//	any                Digit                → Trailing, OpenTurn     an agent that speaks yields first
//	Speaking           VoiceOff, NoPackets  → Trailing, FinalizeSTT
//	Trailing           VoiceOn              → Speaking               a breath, not an end
//	Trailing           the wait is over     → Committed, CloseTurn
//	Committed          AudioStarted         → Silent
//
// How long that wait is (sounds.go): what package eot thinks of the words and of
// what the agent asked, this caller's own pauses, and whether the reply can be
// thought ahead meanwhile.
//
// The floor while the agent holds or claims it (floor.go):
//
//	Speaking           raw voice for duck                            → Ducked, Duck
//	Ducked             the voice stops                               → Speaking, Unduck
//	Starting … Ducked  voice for pause                               → Paused, Pause
//	Thinking … Paused  2 words; 500 ms with a word; 900 ms without   → Yielded, Yield, OpenTurn
//	Thinking … Paused  a final, not heard over audible speech        → Yielded, Yield, OpenTurn
//	Paused             backchannel; 1,200 ms of silence without words → Speaking, Resume
//
// The agent (agent.go):
//
//	Idle, Yielded      a stable hypothesis  → Speculating, Speculate
//	Speculating        it changed           → as before, DropSpeculation
//	any                CloseTurn            → Thinking
//	Thinking           SayQueued            → Starting, or Speaking when audio went out before
//	Starting           AudioStarted         → Speaking
//	Speaking           all queued is played → Thinking, or Idle after ReplyEnded
//
// The line (line.go): Up, Held, Transferring, Deaf, Draining, Over. These are
// facts that may hold together; Line reports the one that weighs most.
//
// Time is virtual. A deadline takes effect at its own instant however late its
// Tick comes, so what the machine decides depends on what happened and when,
// and never on how busy the process was. That is what makes a recorded call
// replay byte for byte (record.go).
//
// Step allocates nothing in steady state. It does when a second final joins a
// turn, when digits become text, and while the buffer of outputs still grows.
package turn
