//go:build !linux

package rtp

import (
	"fmt"
	"net"

	"flametree/engine/fault"
)

// Reader reads the sockets of many calls with few threads. There is none here:
// each socket has a goroutine.
type Reader struct{}

// NewReader fails with fault.Unavailable.
func NewReader(ReaderOptions) (*Reader, error) {
	return nil, fmt.Errorf("rtp: no reader on this system: %w", fault.Unavailable)
}

// Close does nothing.
func (r *Reader) Close() error { return nil }

func (r *Reader) adopt(c *net.UDPConn) (*watched, error) { return &watched{UDPConn: c}, nil }

type watched struct{ *net.UDPConn }

func (w *watched) start(arrived) {}
