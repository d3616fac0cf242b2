// Package sip is the SIP endpoint: it answers and places calls over UDP and TCP
// (RFC 3261) and negotiates their media (RFC 3264). It knows SIP and SDP and
// refuses to know media, agents or sessions: a call's media is made by
// Options.NewMedia, whether to take a call is decided by Options.Answer, and
// what happens on the line is told as actors.Fact.
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
// that owns its dialog. Not there yet: PRACK, session timers, UPDATE, REFER,
// digest, TLS; requests for them get the answer RFC 3261 has for that.
package sip
