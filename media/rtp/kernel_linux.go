package rtp

import (
	"encoding/binary"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// stampRoom is the control message that carries the kernel's time of arrival.
const stampRoom = 64

// expedited is DSCP 46 (RFC 3246), what telephones ask of a network.
const expedited = 46 << 2

// tune asks the kernel to stamp packets as they arrive and to mark ours. Both
// are wishes: a kernel that refuses costs precision, not calls.
func tune(c *net.UDPConn) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TOS, expedited)
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_TCLASS, expedited)
	})
}

// arrival is when the kernel took the packet, on now's monotonic clock. The
// kernel stamps with the wall clock; its distance to now is what counts, and a
// distance that cannot be is dropped: somebody set the clock.
func arrival(now time.Time, control []byte) time.Time {
	const header, stamp = 16, 16 // struct cmsghdr, struct timespec on 64 bits
	if len(control) < header+stamp ||
		binary.NativeEndian.Uint32(control[8:]) != unix.SOL_SOCKET ||
		binary.NativeEndian.Uint32(control[12:]) != unix.SCM_TIMESTAMPNS {
		return now
	}
	at := time.Unix(int64(binary.NativeEndian.Uint64(control[16:])), int64(binary.NativeEndian.Uint64(control[24:])))
	if age := time.Duration(now.UnixNano() - at.UnixNano()); age > 0 && age < time.Second {
		return now.Add(-age)
	}
	return now
}
