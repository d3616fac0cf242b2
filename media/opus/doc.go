// Package opus is Opus (RFC 6716) for telephone speech: libopus at 16 kHz and
// one channel, what a packet says of itself, and the wishes of a=fmtp
// (RFC 7587). Peers code music, stereo and 48 kHz as they like: all of it
// decodes to 16 kHz mono, which is what recognisers hear. It offers no
// multistream and no files, and it is the only package of media with cgo.
package opus

// RateHz is the rate of the sound, ClockHz that of RTP whatever the sound's is
// (RFC 7587 4.1).
const (
	RateHz  = 16000
	ClockHz = 48000
)

// Most samples one packet can hold, and most bytes we write for 20 ms.
const (
	MaxSamples = RateHz * 120 / 1000 // RFC 6716 3.2.5
	MaxBytes   = 400                 // 160 kbit/s; speech stays under a quarter of it
)
