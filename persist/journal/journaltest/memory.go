package journaltest

import (
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"flametree/engine/event"
	"flametree/engine/event/wire"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/persist/journal"
)

// Memory is a journal.Journal that keeps everything in memory. It keeps the
// whole contract: events are encoded and sealed as on disk, and forgetting a
// person erases. It has no goroutine, needs no closing and works in synctest.
type Memory struct {
	mu      sync.Mutex
	streams map[event.Stream]*memStream
	order   []stored // by position
	seen    map[name]bool
	held    map[name]event.Stream
	due     map[dueName]journal.Due
	keys    map[person]wire.Key
	news    chan struct{} // closed by the next append
}

type memStream struct {
	head     journal.Head
	events   []stored
	subjects []string
	snap     *memSnapshot
}

// memSnapshot names the keys that must still be there for it to be read.
type memSnapshot struct {
	journal.Snapshot
	keys map[string]uint64 // id by subject
}

// stored is an event as it would stand on disk, with what stands beside it.
type stored struct {
	bytes    []byte
	position uint64
	hash     [32]byte
}

type name struct {
	tenant tenant.ID
	key    journal.Key
}

type dueName struct {
	tenant tenant.ID
	id     journal.DueID
}

type person struct {
	tenant  tenant.ID
	subject string
}

var _ journal.Journal = (*Memory)(nil)

// NewMemory makes an empty journal.
func NewMemory() *Memory {
	return &Memory{
		streams: map[event.Stream]*memStream{}, seen: map[name]bool{}, held: map[name]event.Stream{},
		due: map[dueName]journal.Due{}, keys: map[person]wire.Key{}, news: make(chan struct{}),
	}
}

func (m *Memory) stream(s event.Stream) *memStream {
	st, ok := m.streams[s]
	if !ok {
		st = &memStream{}
		m.streams[s] = st
	}
	return st
}

// Claim implements journal.Journal.
func (m *Memory) Claim(ctx context.Context, s event.Stream) (journal.Head, error) {
	if err := ctx.Err(); err != nil {
		return journal.Head{}, fmt.Errorf("journal: claim: %w", err)
	}
	if s.Kind == "" || s.ID == "" {
		return journal.Head{}, fmt.Errorf("journal: stream without kind or id: %w", fault.Invalid)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	st := m.stream(s)
	st.head.Epoch++
	return st.head, nil
}

// Append implements journal.Journal.
func (m *Memory) Append(ctx context.Context, b journal.Batch) ([]event.Envelope, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("journal: append: %w", err)
	}
	if err := check(b); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	st := m.stream(b.Stream)
	if err := m.conflict(b, st.head); err != nil {
		return nil, err
	}
	envs, bytes, err := m.encode(b)
	if err != nil {
		return nil, err
	}
	for i := range envs {
		h := sha256.New()
		h.Write(st.head.Hash[:])
		h.Write(bytes[i])
		st.head.Hash = [32]byte(h.Sum(nil))
		st.head.Version++
		s := stored{bytes: bytes[i], position: uint64(len(m.order)) + 1, hash: st.head.Hash}
		st.events, m.order = append(st.events, s), append(m.order, s)
		envs[i].Position, envs[i].Hash = s.position, s.hash
	}
	if len(envs) > 0 {
		st.head.Epoch = max(st.head.Epoch, b.Epoch)
		if b.Subject != "" && !slices.Contains(st.subjects, b.Subject) {
			st.subjects = append(st.subjects, b.Subject)
		}
		close(m.news)
		m.news = make(chan struct{})
	}
	m.take(b)
	return envs, nil
}

// encode makes the envelopes and what is stored of them.
func (m *Memory) encode(b journal.Batch) ([]event.Envelope, [][]byte, error) {
	envs, bytes := make([]event.Envelope, len(b.Events)), make([][]byte, len(b.Events))
	made := map[person]wire.Key{} // kept only if all events can be encoded
	for i, e := range b.Events {
		var chance [10]byte
		_, _ = rand.Read(chance[:])
		at := b.At.UTC().Truncate(time.Microsecond)
		envs[i] = event.Envelope{
			ID: event.NewID(at, chance), Stream: b.Stream, Seq: b.Expected + uint64(i) + 1,
			Time: at, Epoch: b.Epoch, Subject: b.Subject, Body: e,
		}
		envs[i].Cause = envs[0].ID
		raw, err := wire.Encode(envs[i], memSealer{have: m.keys, made: made})
		if err != nil {
			return nil, nil, fmt.Errorf("journal: event %d of the batch: %w", i, err)
		}
		bytes[i] = raw
	}
	maps.Copy(m.keys, made)
	return envs, bytes, nil
}

// conflict finds the first condition that does not hold.
func (m *Memory) conflict(b journal.Batch, h journal.Head) error {
	c := &journal.Conflict{Version: h.Version, Epoch: h.Epoch}
	if b.Epoch < h.Epoch {
		c.Condition = "epoch"
		return c
	}
	if b.Expected != h.Version {
		c.Condition = "version"
		return c
	}
	for _, k := range b.Seen {
		if m.seen[name{b.Stream.Tenant, k}] {
			c.Condition, c.Key = "seen", k
			return c
		}
	}
	for _, k := range b.Free {
		if holder := m.held[name{b.Stream.Tenant, k}]; holder != b.Stream {
			c.Condition, c.Key, c.Held = "free", k, holder
			return c
		}
	}
	for _, k := range b.Claim {
		if holder, ok := m.held[name{b.Stream.Tenant, k}]; ok && holder != b.Stream {
			c.Condition, c.Key, c.Held = "claim", k, holder
			return c
		}
	}
	return nil
}

// take does what goes with the events.
func (m *Memory) take(b journal.Batch) {
	t := b.Stream.Tenant
	for _, k := range b.Seen {
		m.seen[name{t, k}] = true
	}
	for _, k := range b.Free {
		delete(m.held, name{t, k})
	}
	for _, k := range b.Claim {
		m.held[name{t, k}] = b.Stream
	}
	for _, id := range b.Done {
		delete(m.due, dueName{t, id})
	}
	for _, d := range b.Due {
		d.At = d.At.UTC().Truncate(time.Microsecond)
		d.Data = append([]byte(nil), d.Data...)
		m.due[dueName{t, d.ID}] = d
	}
}

// Read implements journal.Journal.
func (m *Memory) Read(ctx context.Context, s event.Stream, from uint64) iter.Seq2[event.Envelope, error] {
	return func(yield func(event.Envelope, error) bool) {
		if s.Kind == "" || s.ID == "" {
			yield(event.Envelope{}, fmt.Errorf("journal: stream without kind or id: %w", fault.Invalid))
			return
		}
		m.mu.Lock()
		var events []stored
		if st, ok := m.streams[s]; ok {
			events = st.events[min(max(from, 1)-1, uint64(len(st.events))):]
		}
		m.mu.Unlock()
		for _, e := range events {
			if !m.give(ctx, e, yield) {
				return
			}
		}
	}
}

func (m *Memory) give(ctx context.Context, s stored, yield func(event.Envelope, error) bool) bool {
	if err := ctx.Err(); err != nil {
		yield(event.Envelope{}, fmt.Errorf("journal: read: %w", err))
		return false
	}
	m.mu.Lock()
	env, err := wire.Decode(s.bytes, memOpener(m.keys))
	m.mu.Unlock()
	env.Position, env.Hash = s.position, s.hash
	return yield(env, err) && err == nil
}

// Subscribe implements journal.Journal.
func (m *Memory) Subscribe(ctx context.Context, from journal.Position) iter.Seq2[event.Envelope, error] {
	return func(yield func(event.Envelope, error) bool) {
		next := max(from, 1)
		for ctx.Err() == nil {
			m.mu.Lock()
			events, news := m.order[min(next-1, uint64(len(m.order))):], m.news
			m.mu.Unlock()
			for _, e := range events {
				if ctx.Err() != nil || !m.give(ctx, e, yield) {
					return
				}
				next++
			}
			if len(events) > 0 {
				continue
			}
			select {
			case <-news:
			case <-ctx.Done():
			}
		}
	}
}

// Due implements journal.Store.
func (m *Memory) Due(ctx context.Context, before time.Time, most int) ([]journal.Due, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("journal: due: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var rows []journal.Due
	for _, d := range m.due {
		if d.At.Before(before) {
			rows = append(rows, d)
		}
	}
	slices.SortFunc(rows, func(a, b journal.Due) int {
		return cmp.Or(a.At.Compare(b.At), slices.Compare(a.Stream.Tenant[:], b.Stream.Tenant[:]), cmp.Compare(a.ID, b.ID))
	})
	return rows[:min(max(most, 0), len(rows))], nil
}

// Holder implements journal.Store.
func (m *Memory) Holder(_ context.Context, t tenant.ID, k journal.Key) (event.Stream, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.held[name{t, k}]
	return s, ok, nil
}

// Save implements journal.Store.
func (m *Memory) Save(_ context.Context, s event.Stream, snap journal.Snapshot) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	st := m.stream(s)
	if snap.Seq > st.head.Version {
		return fmt.Errorf("journal: a snapshot at seq %d of a stream that ends at %d: %w", snap.Seq, st.head.Version, fault.Invalid)
	}
	snap.Data = slices.Clone(snap.Data)
	keep := &memSnapshot{Snapshot: snap, keys: map[string]uint64{}}
	for _, subject := range st.subjects {
		k, ok := m.keys[person{s.Tenant, subject}]
		if !ok {
			return nil // somebody is forgotten: losing a snapshot is harmless
		}
		keep.keys[subject] = k.ID
	}
	st.snap = keep
	return nil
}

// Restore implements journal.Store.
func (m *Memory) Restore(_ context.Context, s event.Stream) (journal.Snapshot, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	st, ok := m.streams[s]
	if !ok || st.snap == nil {
		return journal.Snapshot{}, false, nil
	}
	for subject, id := range st.snap.keys {
		if m.keys[person{s.Tenant, subject}].ID != id {
			return journal.Snapshot{}, false, nil
		}
	}
	snap := st.snap.Snapshot
	snap.Data = slices.Clone(snap.Data)
	return snap, true, nil
}

// Forget implements journal.Store.
func (m *Memory) Forget(ctx context.Context, t tenant.ID, subject string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("journal: forget: %w", err)
	}
	if subject == "" {
		return fmt.Errorf("journal: forget nobody: %w", fault.Invalid)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.keys, person{t, subject})
	return nil
}

// memSealer finds keys and makes missing ones.
type memSealer struct{ have, made map[person]wire.Key }

// SealKey implements wire.Sealer.
func (s memSealer) SealKey(t tenant.ID, subject string) (wire.Key, error) {
	p := person{t, subject}
	if k, ok := s.have[p]; ok {
		return k, nil
	}
	if k, ok := s.made[p]; ok {
		return k, nil
	}
	raw := make([]byte, 32+8)
	_, _ = rand.Read(raw)
	block, err := aes.NewCipher(raw[:32])
	if err != nil {
		return wire.Key{}, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return wire.Key{}, err
	}
	s.made[p] = wire.Key{ID: binary.BigEndian.Uint64(raw[32:]) | 1, AEAD: aead}
	return s.made[p], nil
}

// Nonce implements wire.Sealer.
func (memSealer) Nonce(b []byte) { _, _ = rand.Read(b) }

// memOpener implements wire.Opener.
type memOpener map[person]wire.Key

// OpenKey implements wire.Opener.
func (o memOpener) OpenKey(t tenant.ID, subject string, id uint64) (cipher.AEAD, bool, error) {
	k, ok := o[person{t, subject}]
	return k.AEAD, ok && k.ID == id, nil
}
