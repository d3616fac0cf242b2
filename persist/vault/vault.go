// Package vault wraps keys in keys: one master key wraps a key for each tenant,
// which wraps a key for each of its people. Deleting a person's wrapped key
// deletes what was sealed with it, everywhere at once. The vault stores nothing
// but the master key: wrapped keys are handed in and out, and who may ask is
// not its business.
package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"flametree/engine/fault"
	"flametree/engine/tenant"
)

const (
	keySize   = 32 // AES-256
	idSize    = 8
	nonceSize = 12
	tagSize   = 16
	format    = 1 // of a wrapped key
	// wrappedSize is format ‖ id ‖ nonce ‖ sealed key.
	wrappedSize = 1 + idSize + nonceSize + keySize + tagSize
)

// Key is a data key, ready to seal. ID is drawn with it and never 0: a subject
// that is forgotten and comes back has another key with another ID. A Key is
// safe for concurrent use.
type Key struct {
	ID   uint64
	AEAD cipher.AEAD // AES-256-GCM
}

// Vault holds the master key. It is immutable and safe for concurrent use.
type Vault struct{ master cipher.AEAD }

// Tenant wraps and unwraps the keys of one tenant's people. It is immutable and
// safe for concurrent use.
type Tenant struct {
	id  tenant.ID
	key Key
}

// New makes a vault from a master key that somebody else keeps.
func New(master [keySize]byte) *Vault { return &Vault{master: aead(master[:])} }

// Open reads the master key, 32 bytes, from the file at path, by convention
// keys/master.key. A file that is missing is made with mode 0600 and synced,
// its folder with 0700. A file of another size or one that others may read is
// fault.Invalid: the vault never replaces a key.
func Open(path string) (*Vault, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return create(path)
	}
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("master key %s: mode %o lets others read it, want 600: %w", path, info.Mode().Perm(), fault.Invalid)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	if len(b) != keySize {
		return nil, fmt.Errorf("master key %s: %d bytes, want %d: %w", path, len(b), keySize, fault.Invalid)
	}
	return New([keySize]byte(b)), nil
}

// create writes a new key beside its place and links it there, so that two
// starts at once end up with the same key and a crash leaves no half of one.
func create(path string) (*Vault, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	f, err := os.CreateTemp(dir, ".master-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	defer os.Remove(f.Name()) //nolint:errcheck // Only tidiness: the key has its own name by then.
	key := random(keySize)
	_, err = f.Write(key)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), path)
	}
	if errors.Is(err, fs.ErrExist) {
		return Open(path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("make master key %s: %w", path, err)
	}
	return New([keySize]byte(key)), nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// NewTenant draws a tenant's key. The caller stores wrapped.
func (v *Vault) NewTenant(t tenant.ID) (tn *Tenant, wrapped []byte) {
	raw, id := random(keySize), newID()
	return &Tenant{id: t, key: Key{ID: id, AEAD: aead(raw)}}, wrap(v.master, raw, id, tenantData(t))
}

// Tenant unwraps a tenant's key. Bytes that another master key or another
// tenant wrapped are fault.Invalid.
func (v *Vault) Tenant(t tenant.ID, wrapped []byte) (*Tenant, error) {
	k, err := unwrap(v.master, wrapped, tenantData(t))
	if err != nil {
		return nil, fmt.Errorf("key of tenant %s: %w", t, err)
	}
	return &Tenant{id: t, key: k}, nil
}

// Key is the tenant's own key, for its secrets.
func (t *Tenant) Key() Key { return t.key }

// NewPerson draws the key of one of the tenant's people. The caller stores wrapped.
func (t *Tenant) NewPerson(subject string) (k Key, wrapped []byte) {
	raw, id := random(keySize), newID()
	return Key{ID: id, AEAD: aead(raw)}, wrap(t.key.AEAD, raw, id, personData(t.id, subject))
}

// Person unwraps a person's key. Bytes wrapped for somebody else are fault.Invalid.
func (t *Tenant) Person(subject string, wrapped []byte) (Key, error) {
	k, err := unwrap(t.key.AEAD, wrapped, personData(t.id, subject))
	if err != nil {
		return Key{}, fmt.Errorf("key of a person of tenant %s: %w", t.id, err)
	}
	return k, nil
}

func tenantData(t tenant.ID) []byte { return append([]byte("flametree tenant key\x00"), t[:]...) }

func personData(t tenant.ID, subject string) []byte {
	b := append([]byte("flametree person key\x00"), t[:]...)
	return append(b, subject...)
}

func wrap(with cipher.AEAD, raw []byte, id uint64, data []byte) []byte {
	b := make([]byte, 0, wrappedSize)
	b = append(b, format)
	b = binary.BigEndian.AppendUint64(b, id)
	nonce := random(nonceSize)
	b = append(b, nonce...)
	return with.Seal(b, nonce, raw, append(data, b[:1+idSize]...))
}

func unwrap(with cipher.AEAD, b, data []byte) (Key, error) {
	if len(b) != wrappedSize || b[0] != format {
		return Key{}, fmt.Errorf("not a wrapped key of format %d: %w", format, fault.Invalid)
	}
	nonce, sealed := b[1+idSize:1+idSize+nonceSize], b[1+idSize+nonceSize:]
	raw, err := with.Open(nil, nonce, sealed, append(data, b[:1+idSize]...))
	if err != nil {
		return Key{}, fmt.Errorf("does not open with this master key at this place: %w", fault.Invalid)
	}
	return Key{ID: binary.BigEndian.Uint64(b[1:]), AEAD: aead(raw)}, nil
}

// aead cannot fail: the key is always 32 bytes.
func aead(raw []byte) cipher.AEAD {
	block, err := aes.NewCipher(raw)
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return gcm
}

// random cannot fail: crypto/rand ends the process rather than return an error.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func newID() uint64 {
	for {
		if id := binary.BigEndian.Uint64(random(idSize)); id != 0 {
			return id
		}
	}
}
