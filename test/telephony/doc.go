// Package telephony calls a whole server in this process, as strangers would: a
// telephone of its own hand that speaks RFC 3261 byte by byte, tones that are
// told apart by Goertzel's filter, proxies that lose and delay packets, and
// foreign programs as children. The server is the real one; only what hears,
// thinks and speaks for the agents is played, so that what a call does is known
// beforehand. It is no second SIP stack: a phone here knows one call at a time.
package telephony
