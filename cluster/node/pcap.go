package node

import (
	"encoding/binary"
	"io"
	"net/netip"
	"time"
)

// A capture is a pcap file with times in nanoseconds (draft-ietf-opsawg-pcap),
// whose Ethernet, IP and UDP headers are made up around the real addresses: we
// see datagrams, not frames. Signalling stands in it as UDP even where it went
// over TCP, TLS or WebSocket.
const (
	pcapMagic    = 0xA1B23C4D
	pcapEthernet = 1
	pcapMost     = 65535 - 14 - 40 - 8 // of a datagram
)

// pcapHeader begins a file.
func pcapHeader() []byte {
	b := binary.LittleEndian.AppendUint32(nil, pcapMagic)
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, 4)
	b = append(b, make([]byte, 8)...)
	b = binary.LittleEndian.AppendUint32(b, 1<<18)
	return binary.LittleEndian.AppendUint32(b, pcapEthernet)
}

// writePcap writes one record.
func writePcap(w io.Writer, at time.Time, frame []byte) error {
	h := binary.LittleEndian.AppendUint32(make([]byte, 0, 16), uint32(at.Unix()))
	h = binary.LittleEndian.AppendUint32(h, uint32(at.Nanosecond()))
	h = binary.LittleEndian.AppendUint32(h, uint32(len(frame)))
	h = binary.LittleEndian.AppendUint32(h, uint32(len(frame)))
	if _, err := w.Write(h); err != nil {
		return err
	}
	_, err := w.Write(frame)
	return err
}

// datagram is an Ethernet frame with a UDP datagram; nil when the addresses do
// not fit each other. What is longer than a datagram can be is cut.
func datagram(from, to netip.AddrPort, payload []byte) []byte {
	src, dst := from.Addr().Unmap(), to.Addr().Unmap()
	if !src.IsValid() || !dst.IsValid() || src.Is4() != dst.Is4() {
		return nil
	}
	payload = payload[:min(len(payload), pcapMost)]
	size := 8 + len(payload)
	b := make([]byte, 12, 14+40+size)
	if src.Is4() {
		b = append(b, 0x08, 0x00)
		ip := len(b)
		b = append(b, 0x45, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(20+size))
		b = append(b, 0, 0, 0x40, 0, 64, 17, 0, 0)
		b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
		binary.BigEndian.PutUint16(b[ip+10:], folded(0, b[ip:]))
	} else {
		b = append(b, 0x86, 0xDD, 0x60, 0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(size))
		b = append(b, 17, 64)
		b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
	}
	udp := len(b)
	b = binary.BigEndian.AppendUint16(b, from.Port())
	b = binary.BigEndian.AppendUint16(b, to.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(size))
	b = append(b, 0, 0)
	b = append(b, payload...)
	pseudo := append(append(make([]byte, 0, 36), src.AsSlice()...), dst.AsSlice()...)
	pseudo = append(pseudo, 0, 17)
	pseudo = binary.BigEndian.AppendUint16(pseudo, uint16(size))
	sum := folded(summed(pseudo), b[udp:])
	if sum == 0 {
		sum = 0xFFFF // 0 means that there is none (RFC 768)
	}
	binary.BigEndian.PutUint16(b[udp+6:], sum)
	return b
}

// summed adds words of 16 bits (RFC 1071).
func summed(b []byte) (sum uint32) {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	return sum
}

func folded(sum uint32, b []byte) uint16 {
	sum += summed(b)
	for sum > 0xFFFF {
		sum = sum>>16 + sum&0xFFFF
	}
	return ^uint16(sum)
}
