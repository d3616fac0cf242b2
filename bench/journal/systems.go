package journal

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	pdb "github.com/cockroachdb/pebble/v2"

	"flametree/engine/event"
	"flametree/engine/event/wire"
	"flametree/engine/tenant"
	contract "flametree/persist/journal"
	"flametree/persist/journal/pebble"
	"flametree/persist/vault"
)

// text makes the stored event about as large as one of a conversation, 345 bytes.
const text = "I lost my debit card yesterday evening, somewhere between the bus stop and the market. " +
	"Can you block it and tell me how long a new one takes?"

// session is what writer w appends to, and whom it is about.
func session(w int) (event.Stream, string) {
	chance := sha256.Sum256(fmt.Append(nil, w)) // ids as they are, but the same in each run
	id := event.NewID(time.UnixMilli(1_800_000_000_000+int64(w)), [10]byte(chance[:]))
	return event.Stream{Tenant: tenant.ID{15: 1}, Kind: event.SessionStream, ID: id.String()}, fmt.Sprintf("person-%d", w)
}

// message is what a writer appends again and again: made beforehand, as bare
// Pebble's value is.
func message(s event.Stream, subject string) contract.Batch {
	return contract.Batch{
		Stream: s, Subject: subject, At: time.Now(),
		Events: []event.Event{event.MessageReceived{Turn: 1, Message: "01ARYZ6S410000000000000000", Text: event.P(text)}},
	}
}

// openJournal opens the real thing.
func openJournal(dir string, writers int) (appender, func() error, error) {
	j, err := pebble.Open(dir, pebble.Options{Vault: vault.New([32]byte{1}), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, nil, err
	}
	batches := make([]contract.Batch, writers)
	for w := range batches {
		batches[w] = message(session(w))
	}
	return func(ctx context.Context, w int, n uint64) error {
		b := batches[w]
		b.Expected = n
		_, err := j.Append(ctx, b)
		return err
	}, j.Close, nil
}

// rowHead is what stands before an event's bytes in its row: position and hash.
const rowHead = 8 + 32

// eventSize is how many bytes one of our events takes in its row.
func eventSize() (int, error) {
	b := message(session(0))
	raw, err := wire.Encode(event.Envelope{
		Stream: b.Stream, Seq: 1, Time: b.At, Subject: b.Subject, Body: b.Events[0],
	}, oneKey{})
	return rowHead + len(raw), err
}

// oneKey seals with a key that nobody keeps: only the size counts.
type oneKey struct{}

// SealKey implements wire.Sealer.
func (oneKey) SealKey(t tenant.ID, subject string) (wire.Key, error) {
	tn, _ := vault.New([32]byte{1}).NewTenant(t)
	k, _ := tn.NewPerson(subject)
	return wire.Key(k), nil
}

// Nonce implements wire.Sealer.
func (oneKey) Nonce(b []byte) { _, _ = rand.Read(b) }

// openPebble is Pebble with the journal's table sizes and no more: each writer
// sets rows of the size of the journal's own, in the same order, and waits for
// the sync.
func openPebble(size int) func(dir string, _ int) (appender, func() error, error) {
	return func(dir string, writers int) (appender, func() error, error) {
		cache := pdb.NewCache(64 << 20)
		db, err := pdb.Open(dir, &pdb.Options{
			Cache: cache, MemTableSize: 16 << 20, FormatMajorVersion: pdb.FormatNewest, Logger: quiet{},
		})
		if err != nil {
			cache.Unref()
			return nil, nil, err
		}
		value, keys := noise(size), make([][]byte, writers)
		for w := range keys {
			of := sha256.Sum256(fmt.Append(nil, w))
			keys[w] = append(append([]byte("e"), make([]byte, 16)...), of[:16]...) // table, tenant, stream
		}
		return func(_ context.Context, w int, n uint64) error {
				prefix := keys[w]
				return db.Set(binary.BigEndian.AppendUint64(prefix[:len(prefix):len(prefix)], n), value, pdb.Sync)
			}, func() error {
				defer cache.Unref()
				return db.Close()
			}, nil
	}
}

// openRaw appends to one file and syncs it, one writer after the other.
func openRaw(size int) func(dir string, _ int) (appender, func() error, error) {
	return func(dir string, _ int) (appender, func() error, error) {
		f, err := os.Create(dir)
		if err != nil {
			return nil, nil, err
		}
		value := noise(size)
		var mu sync.Mutex
		return func(context.Context, int, uint64) error {
			mu.Lock()
			defer mu.Unlock()
			_, err := f.Write(value)
			return errors.Join(err, f.Sync())
		}, f.Close, nil
	}
}

// noise does not compress, as sealed text does not.
func noise(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.Read(b)
	return b
}

// quiet keeps the engine from printing. Bare Pebble may end the process.
type quiet struct{}

// Infof implements Pebble's Logger.
func (quiet) Infof(string, ...any) {}

// Errorf implements Pebble's Logger.
func (quiet) Errorf(string, ...any) {}

// Fatalf implements Pebble's Logger.
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
