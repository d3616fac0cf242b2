package opus

import (
	"strconv"
	"strings"
)

// Wishes are what a peer asks of our packets by a=fmtp (RFC 7587 6.1). The zero
// value asks for nothing.
type Wishes struct {
	FEC     bool // useinbandfec: spend bits against loss
	DTX     bool // usedtx: send next to nothing while it is silent
	Steady  bool // cbr: packets of one size
	Bitrate int  // maxaveragebitrate in bit/s, 6000 to 510000; 0 when not said
	Play    int  // maxplaybackrate in hertz, 8000 to 48000; 0 when not said
}

// ParseWishes reads a format. What it does not know or cannot believe it steps
// over: a wish is no condition of the call.
func ParseWishes(format string) Wishes {
	var w Wishes
	for part := range strings.SplitSeq(format, ";") {
		name, value, _ := strings.Cut(part, "=")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch name {
		case "useinbandfec":
			w.FEC = value == "1"
		case "usedtx":
			w.DTX = value == "1"
		case "cbr":
			w.Steady = value == "1"
		case "maxaveragebitrate":
			w.Bitrate = within(value, 6000, 510000)
		case "maxplaybackrate":
			w.Play = within(value, 8000, 48000)
		}
	}
	return w
}

func within(value string, least, most int) int {
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		return 0
	}
	return n
}
