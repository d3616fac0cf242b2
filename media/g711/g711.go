// Package g711 is ITU-T G.711: µ-law and A-law at 8 kHz, one byte a sample. It
// knows nothing of packets or of payload types beyond the two static ones.
package g711

// Law is one of the two encodings. The zero value is µ-law.
type Law uint8

// The laws.
const (
	MuLaw Law = iota // PCMU, North America and Japan
	ALaw             // PCMA, the rest of the world
)

// RateHz is the rate of both laws.
const RateHz = 8000

// The tables are filled once from the formulas below and only read afterwards.
// Encoding looks at the top 14 bits (µ-law) or 12 bits (A-law): the rest is
// below the finest step.
var (
	encodeMu = fillEncodeMu() //nolint:gochecknoglobals // a constant table, too long to write out
	encodeA  = fillEncodeA()  //nolint:gochecknoglobals // a constant table, too long to write out
	decode   = fillDecode()   //nolint:gochecknoglobals // a constant table, too long to write out
	across   = fillAcross()   //nolint:gochecknoglobals // a constant table, too long to write out
)

// Name is the encoding's name in SDP (RFC 3551 6).
func (l Law) Name() string {
	if l == ALaw {
		return "PCMA"
	}
	return "PCMU"
}

// PayloadType is the static RTP payload type (RFC 3551 6).
func (l Law) PayloadType() uint8 {
	if l == ALaw {
		return 8
	}
	return 0
}

// Idle is the byte that stands for silence on an idle line.
func (l Law) Idle() byte {
	if l == ALaw {
		return 0xD5
	}
	return 0xFF
}

// Parse finds a law by its SDP name.
func Parse(name string) (Law, bool) {
	switch name {
	case "PCMU", "pcmu":
		return MuLaw, true
	case "PCMA", "pcma":
		return ALaw, true
	}
	return MuLaw, false
}

// Encode writes len(src) bytes to dst, which must be at least as long.
func (l Law) Encode(dst []byte, src []int16) {
	dst = dst[:len(src)]
	if l == ALaw {
		for i, s := range src {
			dst[i] = encodeA[uint16(s)>>4]
		}
		return
	}
	for i, s := range src {
		dst[i] = encodeMu[uint16(s)>>2]
	}
}

// Decode writes len(src) samples to dst, which must be at least as long.
func (l Law) Decode(dst []int16, src []byte) {
	table := &decode[l&1]
	dst = dst[:len(src)]
	for i, b := range src {
		dst[i] = table[b]
	}
}

// Convert rewrites b in place from law l to law to.
func (l Law) Convert(b []byte, to Law) {
	if l == to {
		return
	}
	table := &across[l&1]
	for i, v := range b {
		b[i] = table[v]
	}
}

// fillEncodeMu follows G.711 table 2: 14-bit magnitudes with a bias of 33, in
// eight segments that double in width. Index is the sample's top 14 bits.
func fillEncodeMu() (t [1 << 14]byte) {
	for i := range t {
		s := int16(uint16(i) << 2)
		sign, magnitude := 0, int(s)>>2
		if s < 0 {
			sign, magnitude = 0x80, int(^s)>>2
		}
		magnitude = min(magnitude+33, 0x1FFF)
		segment := 0
		for m := magnitude >> 6; m != 0; m >>= 1 {
			segment++
		}
		code := segment<<4 | magnitude>>(segment+1)&0x0F
		t[i] = ^byte(sign | code)
	}
	return t
}

// fillEncodeA follows G.711 table 1: 12-bit magnitudes; even bits are inverted
// on the line. Index is the sample's top 12 bits.
func fillEncodeA() (t [1 << 12]byte) {
	for i := range t {
		s := int16(uint16(i) << 4)
		sign, magnitude := 0x80, int(s)>>4
		if s < 0 {
			sign, magnitude = 0, int(^s)>>4
		}
		code := magnitude
		if magnitude > 15 {
			segment := 1
			for ; magnitude > 31; magnitude >>= 1 {
				segment++
			}
			code = segment<<4 | magnitude&0x0F
		}
		t[i] = byte(sign|code) ^ 0x55
	}
	return t
}

// fillDecode gives each code the middle of its step, scaled to 16 bits.
func fillDecode() (t [2][256]int16) {
	for i := range 256 {
		mu := ^byte(i)
		segment, step := int(mu>>4&7), int(mu&0x0F)
		v := ((step<<1+33)<<segment - 33) << 2
		if mu&0x80 != 0 {
			v = -v
		}
		t[MuLaw][i] = int16(v)

		a := byte(i) ^ 0x55
		segment, step = int(a>>4&7), int(a&0x0F)
		v = step<<4 + 8
		if segment > 0 {
			v = (v + 0x100) << (segment - 1)
		}
		if a&0x80 == 0 {
			v = -v
		}
		t[ALaw][i] = int16(v)
	}
	return t
}

func fillAcross() (t [2][256]byte) {
	linear := fillDecode()
	mu, a := fillEncodeMu(), fillEncodeA()
	for i := range 256 {
		t[MuLaw][i] = a[uint16(linear[MuLaw][i])>>4]
		t[ALaw][i] = mu[uint16(linear[ALaw][i])>>2]
	}
	return t
}
