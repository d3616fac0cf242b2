// Package mail is the one way out for mail: it writes the letter about a
// conversation's results and gives it to the mail server that whoever runs the
// installation has named. It is an edge: it dials, and it decides nothing about
// who gets what and when.
//
// It keeps no queue, tries nothing twice and remembers nothing: a letter has a
// Message-ID of its own that stays the same however often it is given, and its
// sender asks again where an error says that it may help. It receives no mail,
// and no agent can name a server: mail goes to the one of the configuration,
// so it passes by the egress guard.
//
// The conversation with a server is that of RFC 5321, STARTTLS of RFC 3207, TLS
// from the first byte of RFC 8314, authentication of RFC 4954. The letter is
// multipart/alternative, plain text first (RFC 2046 5.1.4).
//
// # Decisions
//
// 2026-11-22 One transaction for all addresses, on a connection of its own. An
// address that the server refuses does not keep the letter from the others, as
// it does in the client of the library: hence its smtp package, not its Client.
//
// 2026-11-22 Only a 5xx to an address or to the letter itself is for good. A 5xx
// before that (greeting, STARTTLS, AUTH, sender) is a fault of the
// configuration, which somebody may mend while the letter waits.
package mail
