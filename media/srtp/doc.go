// Package srtp seals the packets of one call (RFC 3711) and agrees on the keys
// for it: SDES keys in a=crypto lines (RFC 4568, RFC 6188, RFC 7714), and DTLS
// between two self-made certificates whose fingerprints signalling has carried
// (RFC 5763, RFC 5764). It owns no socket, starts nothing by itself but the
// DTLS library's two goroutines, and decides nothing about the call: whether
// to seal, with whom, and what to do when no key comes is signalling's and
// media/rtp's business.
//
// Nothing here prints a key. Key hides itself from every verb of fmt and from
// slog; Key.Reveal and Attribute.Line are the only ways out, for the SDP.
//
// Not offered: suites without encryption or without authentication, key
// derivation rates, several master keys in one line, key lifetimes of our own,
// and certificates signed by anybody.
package srtp
