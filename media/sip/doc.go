// Package sip is the SIP endpoint: it answers and places calls over UDP, TCP,
// TLS and WebSocket (RFC 3261, RFC 7118), registers accounts, and negotiates the
// media of calls (RFC 3264). It knows SIP and SDP and refuses to know media,
// agents or sessions: a call's media is made by Options.NewMedia, whether to take
// a call is decided by Options.Answer, and what happens on the line is told as
// actors.Fact.
//
// Messages, header grammar and transaction state machines are those of sipgo.
// Sockets, dispatch and dialogs are ours, for four reasons found in sipgo
// v1.7.2: it starts a goroutine for each message, so that two requests of one
// dialog may overtake each other and a panic is out of anybody's reach; it opens
// further sockets that no check of ours would guard; it keeps an entry for
// every source address it ever saw; and its dialog layer blocks until the ACK
// and repeats a 200 at the wrong times.
//
// Every byte passes package guard before the parser. Messages of one connection
// are dispatched in order by its reading goroutine; each call has one goroutine
// that owns its dialog, each registration one that keeps it up. Until a call of
// ours is answered that goroutine is the one of Dial; what a call asks of its
// peer runs beside it and comes back as a function to run.
//
// A call may do and suffer: reliable provisional responses (RFC 3262), UPDATE
// (RFC 3311), session timers (RFC 4028), REFER with and without a subscription
// (RFC 3515, RFC 4488), Replaces (RFC 3891), forks and redirections. What is for
// the owner to allow is in Rules; nothing of it is allowed by itself. Whose a call
// is that a peer wants replaced, or put through, tells Call.Owner.
//
// Names are found by package locate, passwords met by package digest, the life
// of a registration decided by package register; all three send nothing.
//
// # Decisions
//
// 2026-11 Comfort noise (RFC 3389) is taken wherever a peer offers it beside a
// codec of 8 kHz, is a sign of life even where it was not agreed on, and is
// offered by Options.Noise alone, which is off: an offer invites the peer to stop
// sending in pauses, and then the recogniser loses the room's own sound, by which
// it tells speech from noise, and a lost line looks like a pause. In our own
// pauses we send sound; Maker.Hush of package line has the other way. Cost:
// 64 kbit/s in pauses.
//
// 2026-11 A key of SDES may have an identifier (RFC 4568 6.1, MKI), which some
// switches give every key: the peer's packets then carry it and are read by it.
// Ours has none. A line of several keys is passed over: which one a packet was
// sealed with would be for us to find out, and no telephone is known to need it.
//
// 2026-11 An INVITE with Replaces (RFC 3891) is matched only for the side that the
// call is with: by account, trunk or login, else by address. To others there is no
// such call (481), whether they know its tags or guess. Cost: a telephone at
// another address than its friend's, without a PBX between, cannot take his call
// over. A call that is over is forgotten: 481, and 603 only while it ends.
//
// 2026-11 A peer's REFER is one at a time in a call (491) and 16 in all (486); what
// else its Refer-To wants in our INVITE than Replaces is not sent. A NOTIFY that is
// not answered ends the reports, not the transfer. Reports end with the call: a
// peer that hangs up first is not told the outcome.
package sip
