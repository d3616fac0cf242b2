package pebble

import (
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"

	pdb "github.com/cockroachdb/pebble/v2"

	"flametree/engine/event/wire"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/persist/vault"
)

// keyring finds people's keys, makes missing ones and keeps the newest in
// memory. It is safe for concurrent use. It writes nothing: the committer puts
// a new key into the batch of the first event that needs it. Its callers see
// to it that the store is open.
type keyring struct {
	db    *pdb.DB
	vault *vault.Vault

	mu      sync.Mutex
	people  *cache[person, *personKey]
	tenants *cache[tenant.ID, *tenantKey]
	forgot  uint64 // counts Forgets: what was read before one is not cached after it
}

// person is whose key it is.
type person struct {
	tenant  tenant.ID
	subject string
}

func (p person) row() []byte { return keyKey(p.tenant, p.subject) }

// tenantKey is a tenant's key. Only the committer touches stored.
type tenantKey struct {
	id      tenant.ID
	tenant  *vault.Tenant
	wrapped []byte
	stored  bool
}

// personKey is a person's key. Only the committer touches stored.
type personKey struct {
	of      person
	tenant  *tenantKey
	key     vault.Key
	wrapped []byte
	stored  bool
}

func newKeyring(db *pdb.DB, v *vault.Vault, room int) *keyring {
	return &keyring{db: db, vault: v, people: newCache[person, *personKey](room), tenants: newCache[tenant.ID, *tenantKey](room)}
}

// OpenKey implements wire.Opener.
func (k *keyring) OpenKey(t tenant.ID, subject string, id uint64) (cipher.AEAD, bool, error) {
	p, err := k.find(t, subject)
	if err == nil && p != nil && p.key.ID != id {
		// The cached one may be a key that lost the race to be stored.
		k.mu.Lock()
		k.people.drop(p.of)
		k.mu.Unlock()
		p, err = k.find(t, subject)
	}
	if err != nil || p == nil || p.key.ID != id {
		return nil, false, err
	}
	return p.key.AEAD, true, nil
}

// find looks for a key that exists; nil when there is none.
func (k *keyring) find(t tenant.ID, subject string) (*personKey, error) {
	k.mu.Lock()
	p, ok := k.people.get(person{t, subject})
	forgot := k.forgot
	k.mu.Unlock()
	if ok {
		return p, nil
	}
	p, err := k.load(t, subject)
	if err != nil || p == nil {
		return nil, err
	}
	return k.keep(p, forgot), nil
}

// load reads a key from the store; nil when there is none. Unlike find it never
// gives a key that an append has made and not yet stored.
func (k *keyring) load(t tenant.ID, subject string) (*personKey, error) {
	wrapped, err := get(k.db, keyKey(t, subject))
	if err != nil || wrapped == nil {
		return nil, err
	}
	tk, err := k.tenant(t)
	if err != nil {
		return nil, err
	}
	key, err := tk.tenant.Person(subject, wrapped)
	if err != nil {
		return nil, err
	}
	return &personKey{of: person{t, subject}, tenant: tk, key: key, wrapped: wrapped, stored: true}, nil
}

// keep caches p unless somebody was forgotten meanwhile or another was first.
func (k *keyring) keep(p *personKey, forgot uint64) *personKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	if other, ok := k.people.get(p.of); ok {
		return other
	}
	if k.forgot == forgot {
		k.people.put(p.of, p)
	}
	return p
}

// tenant finds the tenant's key or makes one.
func (k *keyring) tenant(t tenant.ID) (*tenantKey, error) {
	k.mu.Lock()
	tk, ok := k.tenants.get(t)
	k.mu.Unlock()
	if ok {
		return tk, nil
	}
	wrapped, err := get(k.db, keyKey(t, ""))
	if err != nil {
		return nil, err
	}
	tk = &tenantKey{id: t, wrapped: wrapped, stored: wrapped != nil}
	if wrapped == nil {
		tk.tenant, tk.wrapped = k.vault.NewTenant(t)
	} else if tk.tenant, err = k.vault.Tenant(t, wrapped); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if other, ok := k.tenants.get(t); ok {
		return other, nil
	}
	k.tenants.put(t, tk)
	return tk, nil
}

// findOrMake is find that makes a missing key. It exists only in memory until
// the committer stores it.
func (k *keyring) findOrMake(t tenant.ID, subject string) (*personKey, error) {
	k.mu.Lock()
	p, ok := k.people.get(person{t, subject})
	forgot := k.forgot
	k.mu.Unlock()
	if ok {
		return p, nil
	}
	p, err := k.find(t, subject)
	if err != nil || p != nil {
		return p, err
	}
	tk, err := k.tenant(t)
	if err != nil {
		return nil, err
	}
	p = &personKey{of: person{t, subject}, tenant: tk}
	p.key, p.wrapped = tk.tenant.NewPerson(subject)
	return k.keep(p, forgot), nil
}

// forget drops a person's key from memory. It is called before the deletion is
// visible and again when it is durable.
func (k *keyring) forget(p person) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.people.drop(p)
	k.forgot++
}

// disown drops a key that turned out not to be the stored one, and its tenant's.
func (k *keyring) disown(p *personKey) {
	k.forget(p.of)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tenants.drop(p.tenant.id)
}

// sealer gives one append its keys and remembers which it used.
type sealer struct {
	ring *keyring
	used []*personKey
}

// SealKey implements wire.Sealer.
func (s *sealer) SealKey(t tenant.ID, subject string) (wire.Key, error) {
	for _, p := range s.used {
		if p.of == (person{t, subject}) {
			return wire.Key(p.key), nil
		}
	}
	p, err := s.ring.findOrMake(t, subject)
	if err != nil {
		return wire.Key{}, err
	}
	s.used = append(s.used, p)
	return wire.Key(p.key), nil
}

// Nonce implements wire.Sealer. crypto/rand never returns an error.
func (*sealer) Nonce(b []byte) { _, _ = rand.Read(b) }

// sealFor seals data with the keys of all subjects, one in the other; ok is
// false when one of them is forgotten.
func (k *keyring) sealFor(t tenant.ID, subjects []string, data, aad []byte) (sealed []byte, ok bool, err error) {
	for _, s := range subjects {
		p, err := k.load(t, s)
		if err != nil || p == nil {
			return nil, false, err
		}
		nonce := make([]byte, p.key.AEAD.NonceSize(), p.key.AEAD.NonceSize()+len(data)+p.key.AEAD.Overhead())
		_, _ = rand.Read(nonce)
		data = p.key.AEAD.Seal(nonce, nonce, data, aad)
	}
	return data, true, nil
}

// openFor is the reverse of sealFor. What does not open was sealed with a key
// that is gone.
func (k *keyring) openFor(t tenant.ID, subjects []string, data, aad []byte) (plain []byte, ok bool, err error) {
	for _, s := range slices.Backward(subjects) {
		p, err := k.load(t, s)
		if err != nil || p == nil {
			return nil, false, err
		}
		n := p.key.AEAD.NonceSize()
		if len(data) < n {
			return nil, false, nil
		}
		if data, err = p.key.AEAD.Open(nil, data[:n], data[n:], aad); err != nil {
			return nil, false, nil
		}
	}
	return data, true, nil
}

// get reads a copy of a value; nil when there is none.
func get(db *pdb.DB, key []byte) ([]byte, error) {
	v, closer, err := db.Get(key)
	if errors.Is(err, pdb.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("journal: read: %w: %w", err, fault.Unavailable)
	}
	v = append(make([]byte, 0, len(v)), v...)
	return v, closer.Close()
}
