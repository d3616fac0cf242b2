// Package portal is what people see in a browser. For now it is one plain page:
// a chat box for each agent and the turns of running calls with their
// waterfalls, live. It shows and sends; it decides nothing, stores nothing and
// reaches nothing that the gateway does not offer to others as well.
//
// The page exists in demo mode only, for a browser on the machine itself,
// because it gives access without a sign-in. What keeps others out:
//   - Everything under /demo/ and the page answer only when the peer's address
//     and the host that was asked for are loopback, and no proxy has passed the
//     request on. A foreign name that resolves to 127.0.0.1 is not loopback.
//   - /demo/ticket and the live feed want the Origin of the page itself. A page
//     of another site can neither forge nor read it, and a program that can is
//     already on the machine.
//   - No agent token reaches the browser. The page gets tickets: one session,
//     one use, one minute. Nothing long-lived stands in an address.
//
// In all other cases / is a signpost to the API's documentation.
//
// Decisions:
//   - No framework, no build: three files, embedded. The portal proper comes
//     under /app and replaces this page.
//   - The live feed is a socket, not server-sent events: the sockets have the
//     heartbeat, the slow reader's fate and the drain already.
package portal
