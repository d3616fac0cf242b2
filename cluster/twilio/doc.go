// Package twilio joins connections to Twilio to the rest: it has the number's
// webhook point here while a connection is up, knows by which connection a call
// came, places calls through Twilio's API, and passes calls on. It implements
// actors.Uplink, actors.Dialler and hooks.Twilio. What is said in a call is not
// its business, and what a connection is stands in engine/connection.
//
// # Decisions
//
// 2026-11-22 A call is known by a key of ours in the addresses Twilio is given,
// not by its SID alone: the key is there before the call is.
//
// 2026-11-22 An outbound call counts as answered when its socket begins, not by
// the status callback: only then can anybody be heard. The callbacks tell how a
// call came to nothing.
//
// 2026-11-22 To pass a call on by Dial takes its socket away. The leg stays
// without one; when nobody answers, the TwiML asked for at the end of the Dial
// brings the socket back, and the agent goes on with the same leg.
//
// 2026-11-22 A call that is replayed to us (Twilio repeats a webhook that it
// thinks was lost) gets the answer it got before; nothing else happens. Calls
// are remembered for an hour after their end, for the same reason.
package twilio
