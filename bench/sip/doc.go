// Package sip measures what it costs to set calls up and to end them: INVITE,
// 200, ACK, and a short while later BYE, over UDP, by callers in another
// process. Each call makes its media, its session and its events in the journal
// as any call does; only speech and language model are played. Beside it the
// same callers call who does much less: a user agent of bare sipgo, which makes
// nothing, and Kamailio, which relays to it with transactions.
//
// The callers write and read SIP by themselves and share no code with the side
// that is measured. They do not measure conversations: those are the business
// of package voice.
package sip
