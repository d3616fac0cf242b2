package opus

import (
	"fmt"

	"flametree/engine/fault"
)

// errors are made once: a flood of bad packets must not cost memory.
var (
	errEmpty  = fmt.Errorf("opus: an empty packet: %w", fault.Invalid)
	errFrames = fmt.Errorf("opus: byte 1: no frames, or more than 120 ms of them: %w", fault.Invalid)
)

// unit is 2.5 ms, the shortest frame, in ticks of RTP's clock.
const unit = ClockHz / 400

// Ticks is how long a packet lasts on RTP's clock: 120 to 5760, in steps of 120
// (RFC 6716 3.1, 3.2).
func Ticks(packet []byte) (int, error) {
	if len(packet) == 0 {
		return 0, errEmpty
	}
	frames := 2
	switch packet[0] & 3 {
	case 0:
		frames = 1
	case 3:
		if len(packet) < 2 {
			return 0, errFrames
		}
		frames = int(packet[1] & 0x3F)
	}
	n := frames * frameTicks(packet[0])
	if n == 0 || n > 48*unit {
		return 0, errFrames
	}
	return n, nil
}

// frameTicks reads the table of RFC 6716 3.1.
func frameTicks(toc byte) int {
	config := int(toc >> 3)
	switch {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		return [4]int{4, 8, 16, 24}[config&3] * unit
	case config < 16: // hybrid: 10, 20 ms
		return 4 << (config & 1) * unit
	default: // CELT: 2.5, 5, 10, 20 ms
		return 1 << (config & 3) * unit
	}
}

// HasFEC says whether a packet carries a coarse copy of the one before it: the
// flag behind the voice activity flags of the SILK layer (RFC 6716 4.2.3, 4.2.4).
func HasFEC(packet []byte) bool {
	if len(packet) < 2 || packet[0]>>3 >= 16 {
		return false
	}
	first := 1
	switch packet[0] & 3 {
	case 1: // two frames of one size
	case 2:
		first = 2
		if packet[1] >= 252 {
			first = 3
		}
	case 3:
		first = afterCounts(packet)
	}
	if first >= len(packet) {
		return false
	}
	silk := max(frameTicks(packet[0])/(8*unit), 1) // SILK frames in one of ours
	return packet[first]>>(7-silk)&1 == 1
}

// afterCounts is where the first frame of a packet of code 3 begins
// (RFC 6716 3.2.5).
func afterCounts(packet []byte) int {
	at := 2
	if packet[1]&0x40 != 0 { // padding
		for at < len(packet) && packet[at] == 255 {
			at++
		}
		at++
	}
	if packet[1]&0x80 != 0 { // variable sizes: one less than there are frames
		for range int(packet[1]&0x3F) - 1 {
			if at < len(packet) && packet[at] >= 252 {
				at++
			}
			at++
		}
	}
	return at
}
