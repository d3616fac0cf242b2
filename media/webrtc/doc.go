// Package webrtc takes calls from browsers: one Server with one UDP port and the
// TCP port of the same number for all of them, and for each call a Peer, which
// answers the browser's offer and is an actors.Leg and an actors.Line to the rest.
// Sound is Opus (RFC 7587, RFC 7874); ICE, DTLS and SRTP are pion's; the jitter
// buffer, voice detection, playout and the reports are those of every other call,
// for media/leg stands on the carrier made here. It refuses to be signalling:
// which socket an offer came by, whose call it is and who may call is for others.
//
// # Decisions
//
// 2026-11-22 Full ICE, and the peer's candidates are looked at but not contacted.
// A browser reaches us (the address is public, mapped or that of its own
// network, or the way is a relay's), so its checks come in by themselves, and each
// is answered by a check of ours to where it came from (RFC 8445 7.3.1.4). An
// offer full of strangers' addresses therefore makes us send nothing to anybody,
// and no names ending in .local are asked for. ICE-lite would promise the same
// for offers, but it checks no way back: whoever knows a call's password could
// send its sound to a third party by a forged source address.
//
// 2026-11-22 The answer is given with all of our candidates in it: there are as
// many as the machine has addresses, and they are known in a millisecond. What
// takes longer follows one by one.
//
// 2026-11-22 While the way is lost (disconnected), playout stands still, so that
// a change of network costs silence and no words. After 15 s without a sign of
// the browser the call is over: media_lost.
//
// 2026-11-22 A new offer for a running call is an ICE restart (RFC 8839 4.4.1) or
// nothing at all: what was agreed on about the sound stays.
package webrtc
