// Package tenant names the organisations whose data must never meet. It holds
// only the identity for now; accounts, roles and plans are not its business yet.
package tenant

import (
	"encoding/hex"
	"fmt"

	"flametree/engine/fault"
)

// ID is a tenant's UUID. The zero ID is the installation itself.
type ID [16]byte

// String writes the canonical form, 8-4-4-4-12 in lower case.
func (id ID) String() string {
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// MarshalText implements encoding.TextMarshaler.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = Parse(string(b))
	return err
}

// Parse reads the canonical form; anything else is fault.Invalid.
func Parse(s string) (ID, error) {
	var id ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, fmt.Errorf("tenant id %q: %w", s, fault.Invalid)
	}
	if _, err := hex.Decode(id[:], []byte(s[:8]+s[9:13]+s[14:18]+s[19:23]+s[24:])); err != nil {
		return ID{}, fmt.Errorf("tenant id %q: %w", s, fault.Invalid)
	}
	return id, nil
}
