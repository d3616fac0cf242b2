package sip

import (
	"context"
	"net"
)

// Datagrams lets tests give a socket in memory.
type Datagrams = datagrams

// ServeOn is Listen on sockets the test made.
func ServeOn(ctx context.Context, o Options, socket Datagrams, listener net.Listener) (*Endpoint, error) {
	if o.UDP == "" {
		o.UDP = "memory"
	}
	if err := o.fill(); err != nil {
		return nil, err
	}
	return serve(ctx, o, socket, listener), nil
}

// Refuse is the table of codes.
func Refuse(err error) (code int, reason string, retrySeconds float64) {
	a := refuse(err)
	return a.code, a.reason, a.retryAfter.Seconds()
}
