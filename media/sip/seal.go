package sip

import "flametree/media/srtp"

// offeredSuites are those of our offers: the one every phone has, and the strong
// one. More would only make the offer too long for a datagram.
func offeredSuites() []srtp.Suite { return []srtp.Suite{srtp.AES128CM80, srtp.AES256GCM} }

// pickCrypto is the first line we can do: the peer's order is its preference
// (RFC 4568 5.1.2). Of several keys in one line we know none from the other, so
// that such a line is passed over.
func pickCrypto(lines []string) int {
	for i, line := range lines {
		if _, err := srtp.ParseCrypto(line); err == nil {
			return i
		}
	}
	return -1
}

// keyring holds our keys of one call: one a suite, kept over all its offers, so
// that a re-INVITE does not cut the sound.
type keyring struct{ keys []srtp.Key }

// offer gives the lines of an offer of ours.
func (r *keyring) offer() []string {
	var lines []string
	for i, s := range offeredSuites() {
		lines = append(lines, srtp.Attribute{Tag: i + 1, Key: r.of(s)}.Line())
	}
	return lines
}

// of gives our key for a suite, and makes it when there is none.
func (r *keyring) of(s srtp.Suite) srtp.Key {
	for _, k := range r.keys {
		if k.Suite() == s {
			return k
		}
	}
	k, err := srtp.Generate(s)
	if err != nil {
		panic(err) // the suite was read or is ours, and chance never fails since Go 1.24
	}
	r.keys = append(r.keys, k)
	return k
}
