package opus

import (
	"encoding/binary"
	"testing"
)

// ogg puts packets of 20 ms into a file (RFC 3533, RFC 7845), one a page.
func ogg(packets [][]byte) []byte {
	head := append([]byte("OpusHead"), 1, 1, 0, 0, 0x80, 0x3E, 0, 0, 0, 0, 0)
	tags := append([]byte("OpusTags"), 0, 0, 0, 0, 0, 0, 0, 0)
	out := page(nil, head, 2, 0, 0)
	out = page(out, tags, 0, 0, 1)
	for n, p := range packets {
		kind := byte(0)
		if n == len(packets)-1 {
			kind = 4
		}
		out = page(out, p, kind, uint64(960*(n+1)), uint32(n+2))
	}
	return out
}

func page(out, packet []byte, kind byte, place uint64, number uint32) []byte {
	at := len(out)
	out = append(out, "OggS\x00"...)
	out = append(out, kind)
	out = binary.LittleEndian.AppendUint64(out, place)
	out = binary.LittleEndian.AppendUint32(out, 77)
	out = binary.LittleEndian.AppendUint32(out, number)
	out = append(out, 0, 0, 0, 0) // the sum comes last
	out = append(out, byte(len(packet)/255+1))
	for range len(packet) / 255 {
		out = append(out, 255)
	}
	out = append(out, byte(len(packet)%255))
	out = append(out, packet...)
	binary.LittleEndian.PutUint32(out[at+22:], sum(out[at:]))
	return out
}

// sum is the CRC of RFC 3533 6, not reflected.
func sum(b []byte) uint32 {
	var crc uint32
	for _, v := range b {
		crc ^= uint32(v) << 24
		for range 8 {
			if crc&(1<<31) != 0 {
				crc = crc<<1 ^ 0x04C11DB7
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

// unogg gives the packets of a file without its two headers.
func unogg(t *testing.T, b []byte) [][]byte {
	t.Helper()
	var out [][]byte
	var open []byte
	for len(b) > 0 {
		if len(b) < 27 || string(b[:4]) != "OggS" {
			t.Fatal("this is no page of Ogg")
		}
		table := b[27 : 27+int(b[26])]
		b = b[27+len(table):]
		for _, n := range table {
			open = append(open, b[:n]...)
			b = b[n:]
			if n < 255 {
				out, open = append(out, open), nil
			}
		}
	}
	if len(out) < 3 {
		t.Fatalf("%d packets", len(out))
	}
	return out[2:]
}
