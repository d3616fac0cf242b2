// Package scenario plays conversations by script to the real session and call
// actors, with the built-in model and the demo agents, and compares what the
// journal tells of them with a transcript beside the script. Speech is coded
// (actors/actorstest) and time is virtual. It proves no media and no protocol:
// test/sip does.
//
// A script is one deed a line; a line that begins with # is a comment:
//
//	agent NAME              of engine/agent/demo; first
//	channel call | chat     second
//	env KEY: VALUE          a variable of the agent, before the first deed
//	say TEXT                the caller speaks, or a person writes
//	cough 400ms | press 12# | hold 5s | hang up | ears die | voice dies
//	after 1.5s DEED         when the agent has spoken its answer for so long
//	during 600ms DEED       so long after the last deed began
//	wait 20s
//
// A deed without after or during waits until both are silent.
package scenario
