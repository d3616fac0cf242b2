// Package turnd relays browser calls for visitors whose network lets neither
// UDP nor a direct connection through: a TURN server (RFC 8656) on UDP and TCP
// of one address, and on TLS of another, inside our process. It relays to our own
// WebRTC port and to nothing else; it refuses to be a relay between two others, a
// way into the network behind it, or a place where anybody has an account.
//
// What keeps it from being misused, each on its own:
//   - Credentials are short-lived and made by us for one session: the user name
//     is "expiry:session" and the password its HMAC, as in
//     draft-uberti-behave-turn-rest-00. They open allocations for at most ten
//     minutes; an allocation that is open may be refreshed longer, because the
//     call goes on. Forget ends what a session has, at once.
//   - Peers are a list of addresses with ports, our own. RFC 8656 knows
//     permissions by address alone; here the relayed socket itself sends to and
//     takes from the listed ports only, whatever permission or channel there is.
//     A peer written as an IPv4-mapped address is refused even if it is ours:
//     nobody honest writes it so.
//   - There is no TCP towards peers (RFC 6062), no even port, no reservation.
//   - Allocations are counted by session and in all, their bytes by the second,
//     and their lives end. TCP connections are counted by address and in all,
//     must speak, and must speak TURN.
//
// Decisions:
//   - pion/turn does the protocol. Its stream framing adds the length of a STUN
//     message in 16 bits: a length of 65516 becomes a frame of nothing, which it
//     hands out forever. stream.go therefore cuts streams into frames itself and
//     ends those that announce more than a datagram holds.
//   - pion/turn knows no end of what it starts: Close ends streams and relayed
//     sockets itself and waits for both.
//   - The relayed sockets talk to our own host only, so no port but the server's
//     own has to be open to the world.
package turnd
