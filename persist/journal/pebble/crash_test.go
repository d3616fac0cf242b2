package pebble_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/persist/journal"
	"flametree/persist/journal/pebble"
)

// ledger is what writers were told is done.
type ledger struct {
	mu     sync.Mutex
	events []event.Envelope
	epochs map[event.Stream]uint64
	gone   map[string]bool
	count  int
	enough chan struct{} // closed when count reaches 0
}

func newLedger(count int) *ledger {
	return &ledger{epochs: map[event.Stream]uint64{}, gone: map[string]bool{}, count: count, enough: make(chan struct{})}
}

func (l *ledger) done(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	if l.count--; l.count == 0 {
		close(l.enough)
	}
}

// write appends, claims and forgets on one stream until ctx ends or the journal fails.
func (l *ledger) write(ctx context.Context, j *pebble.Journal, n int) {
	epoch := uint64(0)
	for i := uint64(0); ctx.Err() == nil; i++ {
		b := batch(n, i, fmt.Sprintf("event %d of %d", i, n))
		b.Epoch, b.Subject = epoch, fmt.Sprintf("%d in %d", i/8, n)
		b.Seen = []journal.Key{{Space: "x", Name: fmt.Sprint(n, " ", i)}}
		envs, err := j.Append(ctx, b)
		if err != nil {
			return
		}
		l.done(func() { l.events = append(l.events, envs...) })
		if i%8 != 7 {
			continue
		}
		if err := j.Forget(ctx, b.Stream.Tenant, b.Subject); err != nil {
			return
		}
		l.done(func() { l.gone[b.Subject] = true })
		head, err := j.Claim(ctx, b.Stream)
		if err != nil {
			return
		}
		epoch = head.Epoch
		l.done(func() { l.epochs[b.Stream] = epoch })
	}
}

// missing is what of the ledger j does not have.
func (l *ledger) missing(t *testing.T, j *pebble.Journal) (missing []string) {
	t.Helper()
	last := uint64(0)
	for _, want := range l.events {
		last = max(last, want.Position)
		found := false
		for env, err := range j.Read(t.Context(), want.Stream, want.Seq) {
			require.NoError(t, err)
			if l.gone[want.Subject] {
				require.True(t, env.Body.(event.MessageReceived).Text.Erased, "%s is not forgotten", want.Subject)
			}
			found = env.ID == want.ID && env.Position == want.Position && env.Hash == want.Hash
			break
		}
		if !found {
			missing = append(missing, fmt.Sprintf("position %d", want.Position))
		}
	}
	for s, epoch := range l.epochs {
		head, err := j.Claim(t.Context(), s)
		require.NoError(t, err)
		if head.Epoch <= epoch {
			missing = append(missing, fmt.Sprintf("epoch %d of %s", epoch, s.ID))
		}
	}
	report, err := j.Verify(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	if len(missing) == 0 {
		require.GreaterOrEqual(t, report.Position, last)
	}
	return missing
}

// crash writes until count things are acknowledged, loses the power and opens
// what is left. Wrap may stand between the journal and the disk.
func crash(t *testing.T, seed uint64, wrap func(vfs.FS) vfs.FS) (*ledger, *vfs.MemFS) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	mem := vfs.NewCrashableMem()
	j, err := pebble.Open("/data", options(wrap(mem)))
	require.NoError(t, err)
	l := newLedger(50 + rng.IntN(400))
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	for n := range 8 {
		work.Go(func() { l.write(ctx, j, n) })
	}
	<-l.enough
	l.mu.Lock()
	known := &ledger{events: slices.Clip(l.events), epochs: map[event.Stream]uint64{}, gone: map[string]bool{}}
	maps.Copy(known.epochs, l.epochs)
	for s := range l.gone {
		known.gone[s] = true
	}
	l.mu.Unlock()
	left := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(3) * 50, RNG: rng})
	stop()
	work.Wait()
	require.NoError(t, j.Close())
	return known, left
}

func TestPowerLossLosesNothingAcknowledged(t *testing.T) {
	acked := 0
	for seed := range uint64(times(60)) {
		known, left := crash(t, seed, func(fs vfs.FS) vfs.FS { return fs })
		acked += len(known.events)
		j, err := pebble.Open("/data", options(left))
		require.NoError(t, err, "seed %d", seed)
		require.Empty(t, known.missing(t, j), "seed %d", seed)
		require.NoError(t, j.Close())
	}
	t.Logf("%d events acknowledged, 0 lost", acked)
}

// lying is a disk that says it has synced the log and has not.
type lying struct{ vfs.FS }

func (l lying) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := l.FS.Create(name, c)
	if err == nil && strings.HasSuffix(name, ".log") {
		f = lyingFile{f}
	}
	return f, err
}

type lyingFile struct{ vfs.File }

func (lyingFile) Sync() error                { return nil }
func (lyingFile) SyncData() error            { return nil }
func (lyingFile) SyncTo(int64) (bool, error) { return false, nil }

func TestThePowerLossTestNoticesADiskThatLies(t *testing.T) {
	refused, lost := 0, 0
	for seed := range uint64(20) {
		known, left := crash(t, seed, func(fs vfs.FS) vfs.FS { return lying{fs} })
		j, err := pebble.Open("/data", options(left))
		if err != nil {
			refused++
			continue
		}
		if len(known.missing(t, j)) > 0 {
			lost++
		}
		require.NoError(t, j.Close())
	}
	t.Logf("refused %d, lost something in silence %d of 20", refused, lost)
	require.Positive(t, refused+lost)
	require.Positive(t, refused, "the high-water mark notices it")
}

func TestACrashAtEveryWriteLeavesAJournal(t *testing.T) {
	// The whole life of a small journal, cut before its n-th operation.
	life := func(fs vfs.FS, tell func([]event.Envelope)) error {
		j, err := pebble.Open("/data", options(fs))
		if err != nil {
			return err
		}
		for i := range 3 {
			envs, err := j.Append(t.Context(), batch(i, 0, "x"))
			require.NoError(t, err)
			tell(envs)
		}
		return j.Close()
	}
	for n := 0; ; n++ {
		mem := vfs.NewCrashableMem()
		var left *vfs.MemFS
		var told, known []event.Envelope
		var mu sync.Mutex
		op := 0
		fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(o errorfs.Op) error {
			mu.Lock()
			defer mu.Unlock()
			if o.Kind.ReadOrWrite() == errorfs.OpIsWrite {
				if op == n {
					known = told
					left = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(uint64(n), 2))})
				}
				op++
			}
			return nil
		}))
		require.NoError(t, life(fs, func(envs []event.Envelope) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, envs...)
		}))
		if left == nil {
			require.Greater(t, n, 30)
			t.Logf("%d operations", n)
			return
		}
		j, err := pebble.Open("/data", options(left))
		require.NoError(t, err, "crash before operation %d", n)
		require.Empty(t, (&ledger{events: known}).missing(t, j), "crash before operation %d", n)
		require.NoError(t, j.Close())
	}
}
