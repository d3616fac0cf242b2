// Package gateway is the front door: one listener for the Chat API, the agent
// sockets, health and the plain page. It checks who calls and whether a request
// is well formed, and hands everything else to interfaces it declares itself
// and cluster fills. It decides nothing about a conversation and keeps nothing
// that must survive a restart.
//
// The rooms: httpd serves HTTP and says what every refusal looks like, auth
// knows tokens and tickets, api is the documented Chat API, ws is the socket,
// hooks takes the webhooks of networks, mail is the one way out for letters,
// egress the one way out to addresses that tenants chose,
// gatewaytest holds small working fakes of everything the gateway needs.
//
// Decisions:
//   - Connections are served by our own accept loop over fasthttp's ServeConn,
//     not by its worker pool: every goroutine is owned and awaited, and a stop
//     can tell idle connections from busy ones. Cost: a stack per connection.
//   - Bodies are streamed and counted by us. fasthttp's own limit does not hold
//     for streams, and a refused token must not cost the memory of a body.
//   - Sockets are accepted first and refused with a close code afterwards,
//     because a browser shows no HTTP status of a failed handshake.
//   - Tickets live in memory of one node. A cluster must send the socket to the
//     node that gave the ticket, or give tickets that carry their own proof.
package gateway
