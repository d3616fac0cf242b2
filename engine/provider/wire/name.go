package wire

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"strings"

	"flametree/engine/provider"
)

const maxName = 63

// Name gives a tool's name as every vendor takes it: a letter or _ first, then
// letters, digits, _ and -, at most 63. A name that is so already stays;
// another is spelt with _ and ends in a mark of the original.
func Name(s string) string {
	if legal(s) && !(s[0] >= '0' && s[0] <= '9' || s[0] == '-') {
		return s
	}
	return "t_" + marked(s)
}

// ID gives a call's id as every vendor takes it.
func ID(s string) string {
	if legal(s) {
		return s
	}
	return marked(s)
}

func legal(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		if !wordByte(s[i]) && s[i] != '-' {
			return false
		}
	}
	return true
}

func marked(s string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s)) // never fails
	plain := strings.Map(func(r rune) rune {
		if r < 128 && (wordByte(byte(r)) || r == '-') {
			return r
		}
		return '_'
	}, s)
	return fmt.Sprintf("%.40s_%08x", plain, h.Sum32())
}

// Names finds the tool that a model means by a name on the wire.
type Names map[string]string

// NamesOf are the names of tools.
func NamesOf(tools []provider.Tool) Names {
	out := make(Names, len(tools))
	for _, t := range tools {
		out[Name(t.Name)] = t.Name
	}
	return out
}

// Real is the tool's own name; one nobody offered stays as it came, so that it
// can be refused by its name.
func (n Names) Real(wire string) string {
	if s, ok := n[wire]; ok {
		return s
	}
	return wire
}

// NewID is an id for a call whose vendor gave none.
func NewID() string {
	var b [9]byte
	_, _ = rand.Read(b[:]) // never fails
	return "call_" + hex.EncodeToString(b[:])
}

// Unfenced takes off the fence that a model puts around JSON though it was
// asked not to.
func Unfenced(s string) string {
	s = strings.TrimSpace(s)
	if !strings.HasPrefix(s, "```") || !strings.HasSuffix(s, "```") || len(s) < 6 {
		return s
	}
	s = s[3 : len(s)-3]
	if _, rest, ok := strings.Cut(s, "\n"); ok {
		s = rest
	}
	return strings.TrimSpace(s)
}
