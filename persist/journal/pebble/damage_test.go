package pebble_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/persist/journal"
	"flametree/persist/journal/pebble"
)

// newestLog finds the newest log of a store.
func newestLog(t *testing.T, fs vfs.FS) string {
	t.Helper()
	names, err := fs.List("/data/journal")
	require.NoError(t, err)
	newest := ""
	for _, name := range names {
		if strings.HasSuffix(name, ".log") && name > newest {
			newest = name
		}
	}
	require.NotEmpty(t, newest)
	return "/data/journal/" + newest
}

func contents(t *testing.T, fs vfs.FS, path string) []byte {
	t.Helper()
	f, err := fs.Open(path)
	require.NoError(t, err)
	defer f.Close()
	b, err := io.ReadAll(f)
	require.NoError(t, err)
	return b
}

func replace(t *testing.T, fs vfs.FS, path string, b []byte) {
	t.Helper()
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	_, err = f.Write(append([]byte(nil), b...))
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// lived writes a journal that ends with a forgotten person and an epoch, and
// says what of it must never be missing.
func lived(t *testing.T) (*vfs.MemFS, *ledger) {
	t.Helper()
	fs := vfs.NewMem()
	j, err := pebble.Open("/data", options(fs))
	require.NoError(t, err)
	l := newLedger(1)
	for i := range 200 {
		envs, err := j.Append(t.Context(), batch(i%7, uint64(i/7), fmt.Sprint("event ", i)))
		require.NoError(t, err)
		l.events = append(l.events, envs...)
	}
	require.NoError(t, j.Forget(t.Context(), session(3).Tenant, "person 3"))
	l.gone["person 3"] = true
	head, err := j.Claim(t.Context(), session(2))
	require.NoError(t, err)
	l.epochs[session(2)] = head.Epoch
	require.NoError(t, j.Close())
	return fs, l
}

// openDamaged opens a copy whose newest log is b. It reports whether the
// journal was refused; one that opens must hold everything.
func openDamaged(t *testing.T, fs vfs.FS, l *ledger, b []byte) (refused error) {
	t.Helper()
	mem := vfs.NewMem()
	ok, err := vfs.Clone(fs, mem, "/data", "/data")
	require.NoError(t, err)
	require.True(t, ok)
	replace(t, mem, newestLog(t, mem), b)
	j, err := pebble.Open("/data", options(mem))
	if err != nil {
		require.ErrorContains(t, err, "open journal /data", "it says where")
		require.Contains(t, []fault.Kind{fault.Unavailable, fault.Invalid}, fault.KindOf(err))
		return err
	}
	require.Empty(t, l.missing(t, j))
	require.NoError(t, j.Close())
	return nil
}

func TestAFlippedBitIsNeverSilent(t *testing.T) {
	fs, l := lived(t)
	whole := contents(t, fs, newestLog(t, fs))
	refused, rng := map[string]int{}, rand.New(rand.NewPCG(1, 2))
	n := times(60)
	for i := range n {
		b := append([]byte(nil), whole...)
		at := len(b) * i / n
		b[at] ^= 1 << rng.IntN(8)
		if err := openDamaged(t, fs, l, b); err != nil {
			refused[says(err)]++
		}
	}
	t.Logf("of %d: %v", n, refused)
	require.NotEmpty(t, refused)
}

func TestATruncatedLogIsNeverSilent(t *testing.T) {
	fs, l := lived(t)
	whole := contents(t, fs, newestLog(t, fs))
	n := times(60)
	for i := range n {
		err := openDamaged(t, fs, l, whole[:len(whole)*i/n])
		require.Error(t, err, "cut at %d of %d", len(whole)*i/n, len(whole))
	}
	for cut := 1; cut < 40; cut += 60 / n { // the last record alone
		_ = openDamaged(t, fs, l, whole[:len(whole)-cut])
	}
	err := openDamaged(t, fs, l, whole[:len(whole)/2])
	require.Regexp(t, `ends at position \d+ \(group \d+\), but position 200 \(group 202\) was acknowledged`, err.Error())
	require.ErrorContains(t, err, "restore a backup")
}

// says sorts refusals.
func says(err error) string {
	if strings.Contains(err.Error(), "was acknowledged") {
		return "below the mark"
	}
	return "by the engine"
}

func TestAFlippedBitInATableIsNeverSilent(t *testing.T) {
	fs, l := lived(t)
	// Opening once replays the log into tables.
	j, err := pebble.Open("/data", options(fs))
	require.NoError(t, err)
	require.NoError(t, j.Close())
	tables, err := fs.List("/data/journal")
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(1, 3))
	found := 0
	for _, name := range tables {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		for range 20 {
			mem := vfs.NewMem()
			_, err := vfs.Clone(fs, mem, "/data", "/data")
			require.NoError(t, err)
			b := contents(t, mem, "/data/journal/"+name)
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
			replace(t, mem, "/data/journal/"+name, b)
			if noticed(t, mem, l) {
				found++
			}
		}
	}
	require.Positive(t, found)
}

// noticed reports whether opening, reading or verifying says that something is
// wrong. When none does, everything must be there.
func noticed(t *testing.T, fs vfs.FS, l *ledger) bool {
	t.Helper()
	j, err := pebble.Open("/data", options(fs))
	if err != nil {
		require.ErrorContains(t, err, "open journal /data")
		return true
	}
	defer j.Close()
	report, err := j.Verify(t.Context(), nil)
	if err != nil || report.Found > 0 {
		return true
	}
	require.EqualValues(t, len(l.events), report.Events)
	require.Empty(t, l.missing(t, j))
	return false
}

func TestVerifyNamesWhatIsWrong(t *testing.T) {
	fs, _ := lived(t)
	require.Empty(t, pebble.Spoil(t, fs, "/data", nil))
	for name, c := range map[string]struct {
		key  []byte
		says string
	}{
		"an event is missing": {pebble.EventKey(session(1), 5), "session/session 001 of tenant 00000000-0000-0000-0000-000000000001 seq 6: follows seq 4"},
		"a pointer":           {pebble.GlobalKey(17), "position 17: is missing: the next is 18"},
		"a head":              {pebble.HeadKey(session(1)), "its head is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			_, err := vfs.Clone(fs, mem, "/data", "/data")
			require.NoError(t, err)
			problems := pebble.Spoil(t, mem, "/data", c.key)
			require.Contains(t, strings.Join(problems, "\n"), c.says)
			_, err = pebble.Open("/data", options(mem))
			require.Error(t, err, "opening notices it as well")
		})
	}
}

// injected opens a journal whose disk fails for what match chooses, once armed.
type injected struct {
	fs    vfs.FS
	armed atomic.Bool
	hit   atomic.Int32
	fatal chan error
}

func inject(mem vfs.FS, fail error, match func(op errorfs.Op) bool) *injected {
	in := &injected{fatal: make(chan error, 10)}
	in.fs = errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if in.armed.Load() && match(op) {
			in.hit.Add(1)
			return fail
		}
		return nil
	}))
	return in
}

func (in *injected) options() pebble.Options {
	opt := options(in.fs)
	opt.Fatal = func(err error) { in.fatal <- err }
	return opt
}

func isSync(op errorfs.Op) bool {
	return op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo
}

func TestAFailedDiskStopsAllWrites(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		match func(op errorfs.Op) bool
	}{
		"the log does not sync": {syscall.EIO, func(op errorfs.Op) bool {
			return isSync(op) && filepath.Ext(op.Path) == ".log"
		}},
		"the disk is full": {syscall.ENOSPC, func(op errorfs.Op) bool {
			return op.Kind == errorfs.OpFileWrite && filepath.Ext(op.Path) == ".log"
		}},
		"the mark does not sync": {syscall.EIO, func(op errorfs.Op) bool {
			return isSync(op) && filepath.Base(op.Path) == "high-water"
		}},
		"the mark cannot be written": {syscall.ENOSPC, func(op errorfs.Op) bool {
			return op.Kind == errorfs.OpFileWriteAt && filepath.Base(op.Path) == "high-water"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem()
			in := inject(mem, c.err, c.match)
			j, err := pebble.Open("/data", in.options())
			require.NoError(t, err)
			l := newLedger(1 << 30)
			var work sync.WaitGroup
			var failed atomic.Int32
			arm := make(chan struct{})
			for n := range 8 {
				work.Go(func() {
					for i := uint64(0); ; i++ {
						if i == 20 {
							<-arm
						}
						envs, err := j.Append(t.Context(), batch(n, i, "x"))
						if err != nil {
							if errors.Is(err, fault.Unavailable) {
								failed.Add(1)
							}
							return
						}
						l.done(func() { l.events = append(l.events, envs...) })
					}
				})
			}
			in.armed.Store(true)
			close(arm)
			work.Wait()
			require.EqualValues(t, 8, failed.Load(), "every waiting append is told")
			require.Positive(t, in.hit.Load())
			require.ErrorIs(t, <-in.fatal, c.err)
			require.ErrorIs(t, j.Err(), fault.Unavailable)
			in.armed.Store(false)
			_, err = j.Append(t.Context(), batch(99, 0, "the disk is well again"))
			require.ErrorIs(t, err, fault.Unavailable, "a failed sync is never tried again")
			_, err = j.Claim(t.Context(), session(1))
			require.ErrorIs(t, err, fault.Unavailable)
			for env, err := range j.Read(t.Context(), session(1), 1) {
				require.NoError(t, err, "reading goes on")
				require.Equal(t, said("x"), env.Body)
			}
			require.NoError(t, j.Close())
			require.Empty(t, in.fatal, "it is said once")
			j = open(t, "/data", options(mem))
			require.Empty(t, l.missing(t, j))
		})
	}
}

func TestTheHighWaterMarkFollowsTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewMem()
		j, err := pebble.Open("/data", options(fs))
		require.NoError(t, err)
		before := contents(t, fs, "/data/high-water")
		mark := func() []byte { return contents(t, fs, "/data/high-water") }
		for version := range uint64(4) {
			_, err = j.Append(t.Context(), batch(1, version, "x"))
			require.NoError(t, err)
			synctest.Wait()
			require.True(t, bytes.Equal(before, mark()), "the mark waits for four groups and the next")
		}
		_, err = j.Append(t.Context(), batch(1, 4, "x"))
		require.NoError(t, err)
		synctest.Wait()
		next := mark()
		require.False(t, bytes.Equal(before, next))
		time.Sleep(49 * time.Millisecond)
		synctest.Wait()
		require.True(t, bytes.Equal(next, mark()))
		time.Sleep(time.Millisecond)
		synctest.Wait()
		require.False(t, bytes.Equal(next, mark()), "or for 50 ms of nothing")
		require.NoError(t, j.Close())
	})
}

func TestLowSpaceRefusesNewStreamsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ballast, low = 1 << 20, 10 << 20
		var free atomic.Uint64
		free.Store(100 << 20)
		fs := vfs.NewMem()
		opt := options(fs)
		opt.Ballast, opt.LowWater = ballast, low
		opt.DiskFree = func() (uint64, uint64, error) { return free.Load(), 1 << 30, nil }
		j, err := pebble.Open("/data", opt)
		require.NoError(t, err)
		hasBallast := func() bool {
			info, err := fs.Stat("/data/ballast")
			return err == nil && info.Size() == ballast
		}
		later := func() {
			time.Sleep(4 * time.Second)
			synctest.Wait()
		}
		require.True(t, hasBallast())
		_, err = j.Append(t.Context(), batch(1, 0, "x"))
		require.NoError(t, err)

		free.Store(low - 1)
		later()
		require.True(t, j.LowOnSpace())
		require.False(t, hasBallast(), "the ballast is released")
		_, err = j.Append(t.Context(), batch(2, 0, "a new conversation"))
		require.ErrorIs(t, err, fault.Unavailable)
		require.ErrorContains(t, err, "space")
		_, err = j.Append(t.Context(), batch(1, 1, "one that runs"))
		require.NoError(t, err)
		_, err = j.Claim(t.Context(), session(1))
		require.NoError(t, err)

		free.Store(low + ballast - 1)
		later()
		require.True(t, j.LowOnSpace(), "the ballast would not fit")
		free.Store(low + ballast)
		later()
		require.False(t, j.LowOnSpace())
		require.True(t, hasBallast())
		_, err = j.Append(t.Context(), batch(2, 0, "a new conversation"))
		require.NoError(t, err)
		require.NoError(t, j.Close())
	})
}

func TestReadersSeeOnlyWhatIsSynced(t *testing.T) {
	release := make(chan struct{})
	entered := make(chan struct{}, 100)
	hold := atomic.Bool{}
	mem := vfs.NewMem()
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if hold.Load() && isSync(op) && filepath.Ext(op.Path) == ".log" {
			entered <- struct{}{}
			<-release
		}
		return nil
	}))
	j := open(t, "/data", options(fs))
	letGo := sync.OnceFunc(func() {
		hold.Store(false)
		close(release)
	})
	defer letGo()
	hold.Store(true)
	key := journal.Key{Space: "a", Name: "b"}
	b := batch(1, 0, "x")
	b.Claim = []journal.Key{key}
	b.Due = []journal.Due{{ID: "d", Stream: b.Stream, At: at}}
	answer := make(chan error)
	go func() {
		_, err := j.Append(t.Context(), b)
		answer <- err
	}()
	<-entered
	seen := func() (events int, holder bool, due int) {
		for range j.Read(t.Context(), session(1), 1) {
			events++
		}
		_, holder, err := j.Holder(t.Context(), b.Stream.Tenant, key)
		require.NoError(t, err)
		rows, err := j.Due(t.Context(), at.Add(time.Hour), 10)
		require.NoError(t, err)
		return events, holder, len(rows)
	}
	events, holder, due := seen()
	require.Zero(t, events)
	require.False(t, holder)
	require.Zero(t, due)
	select {
	case err := <-answer:
		t.Fatalf("acknowledged before the sync: %v", err)
	default:
	}
	letGo()
	require.NoError(t, <-answer)
	events, holder, due = seen()
	require.Equal(t, 1, events)
	require.True(t, holder)
	require.Equal(t, 1, due)
}
