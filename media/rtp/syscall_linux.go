package rtp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Calls of the kernel that never wait, or whose thread is to keep its processor
// while it does, go without Go's scheduler. Its signals still end a wait, so that
// the collector is not kept waiting.

// epollWait waits for events for at most d and gives how many came.
func epollWait(poll int, events []unix.EpollEvent, d time.Duration, hold bool) int {
	const ms = time.Millisecond
	if !hold {
		n, _ := unix.EpollWait(poll, events, int(d/ms))
		return max(n, 0)
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(poll), uintptr(unsafe.Pointer(&events[0])),
		uintptr(len(events)), uintptr(d/ms), 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// nap sleeps for d, or less.
func nap(d time.Duration, hold bool) {
	ts := unix.NsecToTimespec(int64(d))
	if !hold {
		_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &ts, nil)
		return
	}
	_, _, _ = unix.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
}

// message is the kernel's struct mmsghdr.
type message struct {
	header unix.Msghdr
	length uint32
}

// batch is where datagrams are received.
type batch struct {
	messages [most]message
	parts    [most]unix.Iovec
	froms    [most]unix.RawSockaddrInet6
	controls [most][stampRoom]byte
	raws     [most][mtu]byte
	scratch  intake
}

func newBatch() *batch {
	b := new(batch)
	for i := range b.messages {
		b.parts[i].Base = &b.raws[i][0]
		b.parts[i].SetLen(mtu)
		h := &b.messages[i].header
		h.Iov, h.Name, h.Control = &b.parts[i], (*byte)(unsafe.Pointer(&b.froms[i])), &b.controls[i][0]
		h.SetIovlen(1)
		b.ready(i)
	}
	return b
}

// ready gives a message its room back.
func (b *batch) ready(i int) {
	h := &b.messages[i].header
	h.Namelen = unix.SizeofSockaddrInet6
	h.SetControllen(stampRoom)
}

// receive reads what a socket holds, at most as much as there is room for.
func (b *batch) receive(fd int) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.messages[0])),
		most, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// datagram is the i-th of those received, whence it came included. Its memory is
// good until the next receive.
func (b *batch) datagram(i int) (raw, control []byte, from netip.AddrPort) {
	m := &b.messages[i]
	raw, control = b.raws[i][:m.length], b.controls[i][:m.header.Controllen]
	from = address(&b.froms[i])
	b.ready(i)
	return raw, control, from
}

// address reads a sockaddr of either family.
func address(a *unix.RawSockaddrInet6) netip.AddrPort {
	if a.Family == unix.AF_INET {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(a))
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), swap(four.Port))
	}
	ip := netip.AddrFrom16(a.Addr)
	if a.Scope_id != 0 {
		ip = ip.WithZone(strconv.FormatUint(uint64(a.Scope_id), 10))
	}
	return netip.AddrPortFrom(ip.Unmap(), swap(a.Port))
}

// swap turns a port between the network's order and ours.
func swap(port uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], port)
	return binary.BigEndian.Uint16(b[:])
}

// send writes a datagram without waiting. The mutex of writing is held.
func (w *watched) send(p []byte, to netip.AddrPort) (int, error) {
	var base unsafe.Pointer
	if len(p) > 0 {
		base = unsafe.Pointer(&p[0])
	}
	at, size := unsafe.Pointer(&w.four), uintptr(unix.SizeofSockaddrInet4)
	ip := to.Addr().Unmap()
	if w.six {
		if !ip.Is6() {
			return 0, net.InvalidAddrError("an address of IPv4 on a socket of IPv6")
		}
		w.wide = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: swap(to.Port()), Addr: ip.As16(), Scope_id: scope(ip.Zone())}
		at, size = unsafe.Pointer(&w.wide), unix.SizeofSockaddrInet6
	} else {
		if !ip.Is4() {
			return 0, net.InvalidAddrError("an address of IPv6 on a socket of IPv4")
		}
		w.four = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: swap(to.Port()), Addr: ip.As4()}
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(w.fd), uintptr(base), uintptr(len(p)),
		unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, uintptr(at), size)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// scope is the number of a zone, 0 for none.
func scope(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	return 0
}
