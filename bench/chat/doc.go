// Package chat measures text: how long a turn takes over HTTP, from the
// request's first byte to the answer's last, with a model that needs no time
// and everything durable; and how much memory a session takes that nobody
// writes to, while its actor lives and after it was put to sleep. The server is
// a process of its own; the clients are in this one.
package chat
