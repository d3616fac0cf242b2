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
	"slices"
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

// turn is what a session appends for one turn of a chat: two of four events hold
// personal text, which is sealed.
func turn() []event.Event {
	const message = "01ARYZ6S410000000000000000"
	return []event.Event{
		event.MessageReceived{Turn: 7, Message: message, Text: event.P("I lost my debit card yesterday evening, somewhere " +
			"between the bus stop and the market. Can you block it and tell me how long a new one takes?")},
		event.ReplyStarted{Turn: 7, Message: message, Revision: 3, Voice: "slt"},
		event.ReplySent{Turn: 7, Message: message, Role: "AI", Text: event.P("I have blocked the card that ends in 4417. " +
			"A new one takes three working days and is free of charge. Shall I order it to your home address?")},
		event.TurnTimed{Turn: 7, Waited: "model", Stages: []event.Stage{
			{Name: "queue", Took: 210 * time.Microsecond},
			{Name: "llm_ttft", Took: 4 * time.Millisecond},
			{Name: "llm_first_clause", Took: 6 * time.Millisecond},
			{Name: "engine", Took: 900 * time.Microsecond},
		}},
	}
}

// session is what writer w appends to, and whom it is about.
func session(w int) (event.Stream, string) {
	chance := sha256.Sum256(fmt.Append(nil, w)) // ids as they are, but the same in each run
	id := event.NewID(time.UnixMilli(1_800_000_000_000+int64(w)), [10]byte(chance[:]))
	return event.Stream{Tenant: tenant.ID{15: 1}, Kind: event.SessionStream, ID: id.String()}, fmt.Sprintf("person-%d", w)
}

// batches are what a writer appends in turn, one event each: made beforehand, as
// bare Pebble's value is.
func batches(s event.Stream, subject string) []contract.Batch {
	var bs []contract.Batch
	for _, e := range turn() {
		bs = append(bs, contract.Batch{Stream: s, Subject: subject, At: time.Now(), Events: []event.Event{e}})
	}
	return bs
}

// openJournal opens the real thing.
func openJournal(dir string, writers int) (appender, func() error, error) {
	j, err := pebble.Open(dir, pebble.Options{Vault: vault.New([32]byte{1}), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, nil, err
	}
	turns := make([][]contract.Batch, writers)
	for w := range turns {
		turns[w] = batches(session(w))
	}
	return func(ctx context.Context, w int, n uint64) error {
		b := turns[w][n%uint64(len(turns[w]))]
		b.Expected = n
		_, err := j.Append(ctx, b)
		return err
	}, j.Close, nil
}

// rowHead is what stands before an event's bytes in its row: position and hash.
const rowHead = 8 + 32

// eventSizes is how many bytes our events take in their rows.
func eventSizes() ([]int, error) {
	var sizes []int
	for _, b := range batches(session(0)) {
		raw, err := wire.Encode(event.Envelope{
			Stream: b.Stream, Seq: 1, Time: b.At, Subject: b.Subject, Body: b.Events[0],
		}, oneKey{})
		if err != nil {
			return nil, err
		}
		sizes = append(sizes, rowHead+len(raw))
	}
	return sizes, nil
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
func openPebble(sizes []int) func(dir string, _ int) (appender, func() error, error) {
	return func(dir string, writers int) (appender, func() error, error) {
		cache := pdb.NewCache(64 << 20)
		db, err := pdb.Open(dir, &pdb.Options{
			Cache: cache, MemTableSize: 16 << 20, FormatMajorVersion: pdb.FormatNewest, Logger: quiet{},
		})
		if err != nil {
			cache.Unref()
			return nil, nil, err
		}
		values, keys := noise(sizes), make([][]byte, writers)
		for w := range keys {
			of := sha256.Sum256(fmt.Append(nil, w))
			keys[w] = append(append([]byte("e"), make([]byte, 16)...), of[:16]...) // table, tenant, stream
		}
		return func(_ context.Context, w int, n uint64) error {
				prefix := keys[w]
				return db.Set(binary.BigEndian.AppendUint64(slices.Clip(prefix), n), values[n%uint64(len(values))], pdb.Sync)
			}, func() error {
				defer cache.Unref()
				return db.Close()
			}, nil
	}
}

// openRaw appends to one file and syncs it, one writer after the other.
func openRaw(sizes []int) func(dir string, _ int) (appender, func() error, error) {
	return func(dir string, _ int) (appender, func() error, error) {
		f, err := os.Create(dir)
		if err != nil {
			return nil, nil, err
		}
		values := noise(sizes)
		var mu sync.Mutex
		return func(_ context.Context, _ int, n uint64) error {
			mu.Lock()
			defer mu.Unlock()
			_, err := f.Write(values[n%uint64(len(values))])
			return errors.Join(err, f.Sync())
		}, f.Close, nil
	}
}

// noise does not compress, as sealed text does not.
func noise(sizes []int) [][]byte {
	var values [][]byte
	for _, n := range sizes {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		values = append(values, b)
	}
	return values
}

// quiet keeps the engine from printing. Bare Pebble may end the process.
type quiet struct{}

// Infof implements Pebble's Logger.
func (quiet) Infof(string, ...any) {}

// Errorf implements Pebble's Logger.
func (quiet) Errorf(string, ...any) {}

// Fatalf implements Pebble's Logger.
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
