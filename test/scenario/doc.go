// Package scenario plays conversations by script to the real session and call
// actors, with the built-in model and the demo agents, and compares what the
// journal tells of them with a transcript beside the script. Speech is coded
// (actors/actorstest) and time is virtual. It proves no media and no protocol:
// test/sip does.
//
// A script is one deed a line; # begins a comment:
//
//	agent NAME              of engine/agent/demo; first
//	channel call | chat     second
//	env KEY: VALUE          a variable of the agent
//	say TEXT                when the agent is silent
//	after 1.5s DEED         when the agent has spoken for so long
//	cough 400ms | press 12# | wait 20s | hold 5s
//	ears die | voice dies | hang up
package scenario
