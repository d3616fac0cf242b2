package pebble_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/persist/journal"
	"flametree/persist/journal/journaltest"
	"flametree/persist/journal/pebble"
	"flametree/persist/vault"
)

func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		child(mode, os.Getenv(childDir))
		return
	}
	goleak.VerifyTestMain(m)
}

var (
	at     = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	silent = slog.New(slog.DiscardHandler)
)

// times is how often something is tried: by night thrice as often as by day.
func times(night int) int {
	if os.Getenv("FLAMETREE_TEST_LONG") != "" {
		return night
	}
	return night / 3
}

func options(fs vfs.FS) pebble.Options {
	return pebble.Options{Vault: vault.New([32]byte{1}), FS: fs, Log: silent, LowWater: 1}
}

func open(t *testing.T, dir string, opt pebble.Options) *pebble.Journal {
	t.Helper()
	j, err := pebble.Open(dir, opt)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, j.Close()) })
	return j
}

func session(n int) event.Stream {
	return event.Stream{Tenant: tenant.ID{15: 1}, Kind: event.SessionStream, ID: fmt.Sprintf("session %03d", n)}
}

func said(text string) event.Event { return event.MessageReceived{Turn: 1, Text: event.P(text)} }

func batch(n int, expected uint64, texts ...string) journal.Batch {
	b := journal.Batch{Stream: session(n), Expected: expected, Subject: fmt.Sprint("person ", n), At: at}
	for _, text := range texts {
		b.Events = append(b.Events, said(text))
	}
	return b
}

// fill appends count events, one at a time, over 7 streams.
func fill(t require.TestingT, j journal.Journal, count int) {
	for i := range count {
		_, err := j.Append(context.Background(), batch(i%7, uint64(i/7), fmt.Sprint("event ", i)))
		require.NoError(t, err)
	}
}

func requireSound(t *testing.T, j *pebble.Journal, events int) {
	t.Helper()
	told := uint64(0)
	report, err := j.Verify(t.Context(), func(done, _ uint64) { told = done })
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	require.EqualValues(t, events, report.Events)
	require.EqualValues(t, events, report.Position)
	require.LessOrEqual(t, told, report.Events)
}

func TestItKeepsTheContract(t *testing.T) {
	journaltest.Run(t, func(t *testing.T) journal.Journal { return open(t, "/data", options(vfs.NewMem())) })
}

func TestItKeepsTheContractWithTinyCaches(t *testing.T) {
	journaltest.Run(t, func(t *testing.T) journal.Journal {
		opt := options(vfs.NewMem())
		opt.Keys, opt.Heads = 1, 1
		return open(t, "/data", opt)
	})
}

func TestMoreStreamsThanTheCachesHold(t *testing.T) {
	opt := options(vfs.NewMem())
	opt.Heads, opt.Keys = 1, 1 // at least 1,024 heads are kept
	j := open(t, "/data", opt)
	const streams, writers = 3000, 16
	var work sync.WaitGroup
	for w := range writers {
		work.Go(func() {
			for round := range uint64(2) {
				for n := w; n < streams; n += writers {
					b := batch(n, round, "x")
					b.Subject = fmt.Sprint("person ", n%50)
					if _, err := j.Append(t.Context(), b); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	work.Wait()
	requireSound(t, j, 2*streams)
	for n := range 50 {
		for env, err := range j.Read(t.Context(), session(n), 1) {
			require.NoError(t, err)
			require.Equal(t, said("x"), env.Body)
		}
	}
}

func TestAStreamOfManyPeopleKeepsNoNewSnapshot(t *testing.T) {
	j := open(t, "/data", options(vfs.NewMem()))
	for i := range uint64(9) {
		b := batch(1, i, "x")
		b.Subject = fmt.Sprint("person ", i)
		_, err := j.Append(t.Context(), b)
		require.NoError(t, err)
		require.NoError(t, j.Save(t.Context(), session(1), journal.Snapshot{Seq: i + 1, Data: []byte("x")}))
		snap, ok, err := j.Restore(t.Context(), session(1))
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, min(i+1, 8), snap.Seq, "the ninth person is one too many")
	}
}

func TestEverythingIsThereAfterClosing(t *testing.T) {
	dir := t.TempDir()
	j, err := pebble.Open(dir, options(nil))
	require.NoError(t, err)
	fill(t, j, 100)
	b := batch(1, 15, "last")
	b.Claim = []journal.Key{{Space: "a", Name: "b"}}
	b.Due = []journal.Due{{ID: "d", Stream: b.Stream, At: at}}
	_, err = j.Append(t.Context(), b)
	require.NoError(t, err)
	head, err := j.Claim(t.Context(), session(2))
	require.NoError(t, err)
	require.NoError(t, j.Forget(t.Context(), session(3).Tenant, "person 3"))
	require.NoError(t, j.Save(t.Context(), session(1), journal.Snapshot{Seq: 2, Data: []byte("x")}))
	require.NoError(t, j.Close())
	require.NoError(t, j.Close(), "closing twice is nothing")

	j = open(t, dir, options(nil))
	requireSound(t, j, 101)
	again, err := j.Claim(t.Context(), session(2))
	require.NoError(t, err)
	require.Equal(t, head.Epoch+1, again.Epoch)
	for env, err := range j.Read(t.Context(), session(3), 1) {
		require.NoError(t, err)
		require.True(t, env.Body.(event.MessageReceived).Text.Erased)
	}
	_, ok, err := j.Holder(t.Context(), b.Stream.Tenant, b.Claim[0])
	require.NoError(t, err)
	require.True(t, ok)
	rows, err := j.Due(t.Context(), at.Add(time.Hour), 5)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	snap, ok, err := j.Restore(t.Context(), session(1))
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, []byte("x"), snap.Data)
}

func TestAClosedJournalRefuses(t *testing.T) {
	j, err := pebble.Open("/data", options(vfs.NewMem()))
	require.NoError(t, err)
	fill(t, j, 3)
	ended := make(chan error)
	go func() {
		var last error
		for _, err := range j.Subscribe(t.Context(), 1) {
			last = err
		}
		ended <- last
	}()
	require.NoError(t, j.Close())
	require.ErrorIs(t, <-ended, fault.Unavailable)
	_, err = j.Append(t.Context(), batch(9, 0, "x"))
	require.ErrorIs(t, err, fault.Unavailable)
	_, err = j.Verify(t.Context(), nil)
	require.ErrorIs(t, err, fault.Unavailable)
	for _, err := range j.Read(t.Context(), session(1), 1) {
		require.ErrorIs(t, err, fault.Unavailable)
	}
}

func TestADirectoryIsOpenOnce(t *testing.T) {
	for name, c := range map[string]struct {
		dir string
		fs  vfs.FS
	}{
		"in memory": {"/data", vfs.NewMem()},
		"on disk":   {t.TempDir(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			j := open(t, c.dir, options(c.fs))
			_, err := pebble.Open(c.dir, options(c.fs))
			require.ErrorIs(t, err, fault.Unavailable)
			require.ErrorContains(t, err, "in use")
			fill(t, j, 3)
		})
	}
}

func TestAStoreWithoutItsFilesIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(fs vfs.FS)
		says  string
	}{
		"an empty store beside the files": {
			func(fs vfs.FS) { require.NoError(t, fs.RemoveAll("/data/journal")) }, "says that there was one",
		},
		"another store beside the files": {func(fs vfs.FS) {
			j, err := pebble.Open("/other", options(fs))
			require.NoError(t, err)
			fill(t, j, 50)
			require.NoError(t, j.Close())
			require.NoError(t, fs.RemoveAll("/data/journal"))
			require.NoError(t, fs.Rename("/other/journal", "/data/journal"))
		}, "does not name format 1"},
		"no format file":        {func(fs vfs.FS) { require.NoError(t, fs.Remove("/data/format")) }, "format"},
		"no high-water file":    {func(fs vfs.FS) { require.NoError(t, fs.Remove("/data/high-water")) }, "high-water"},
		"a damaged format file": {func(fs vfs.FS) { spoilFile(t, fs, "/data/format") }, "format"},
		"a damaged high-water file": {func(fs vfs.FS) {
			spoilFile(t, fs, "/data/high-water")
		}, "neither of its two marks is whole"},
	} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			j, err := pebble.Open("/data", options(fs))
			require.NoError(t, err)
			fill(t, j, 20)
			require.NoError(t, j.Close())
			c.spoil(fs)
			_, err = pebble.Open("/data", options(fs))
			require.Error(t, err)
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, "open journal /data")
			_, err = pebble.Open("/data", options(fs))
			require.ErrorContains(t, err, c.says, "nor at the second try")
		})
	}
}

// spoilFile overwrites a file with as many other bytes.
func spoilFile(t *testing.T, fs vfs.FS, path string) {
	info, err := fs.Stat(path)
	require.NoError(t, err)
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	_, err = f.Write(make([]byte, info.Size()))
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func TestAnotherMasterKeyIsNoticed(t *testing.T) {
	fs := vfs.NewMem()
	j, err := pebble.Open("/data", options(fs))
	require.NoError(t, err)
	fill(t, j, 3)
	require.NoError(t, j.Close())
	opt := options(fs)
	opt.Vault = vault.New([32]byte{2})
	j = open(t, "/data", opt)
	for _, err := range j.Read(t.Context(), session(0), 1) {
		require.ErrorIs(t, err, fault.Invalid)
		require.ErrorContains(t, err, "master key")
	}
}

func TestACheckpointIsAJournal(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir+"/live", options(nil))
	fill(t, j, 50)
	var work sync.WaitGroup
	work.Go(func() {
		for i := range 50 {
			if _, err := j.Append(t.Context(), batch(100, uint64(i), "meanwhile")); err != nil {
				t.Error(err)
			}
		}
	})
	require.NoError(t, j.Checkpoint(dir+"/copy"))
	require.ErrorIs(t, j.Checkpoint(dir+"/copy"), fault.Conflict)
	work.Wait()
	c := open(t, dir+"/copy", options(nil))
	report, err := c.Verify(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	require.GreaterOrEqual(t, report.Events, uint64(50))
	_, err = c.Append(t.Context(), batch(101, 0, "the copy goes its own way"))
	require.NoError(t, err)
	requireSound(t, j, 100)
}

func TestAPersonsKeyServesFiles(t *testing.T) {
	j := open(t, "/data", options(vfs.NewMem()))
	fill(t, j, 1)
	k, ok, err := j.PersonKey(t.Context(), session(0).Tenant, "person 0")
	require.NoError(t, err)
	require.True(t, ok)
	require.NotZero(t, k.ID)
	require.NoError(t, j.Forget(t.Context(), session(0).Tenant, "person 0"))
	_, ok, err = j.PersonKey(t.Context(), session(0).Tenant, "person 0")
	require.NoError(t, err)
	require.False(t, ok)
}

func TestSubscribersFollowUnderLoad(t *testing.T) {
	const writers, each, readers = 32, 100, 4
	j := open(t, t.TempDir(), options(nil))
	var work sync.WaitGroup
	for r := range readers {
		work.Go(func() {
			next := uint64(1 + 100*r)
			for env, err := range j.Subscribe(t.Context(), next) {
				if err != nil || env.Position != next {
					t.Errorf("want position %d, got %d, %v", next, env.Position, err)
					return
				}
				if next++; next > writers*each {
					return
				}
			}
		})
	}
	for w := range writers {
		work.Go(func() {
			for i := range each {
				if _, err := j.Append(t.Context(), batch(w, uint64(i), "x")); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
	requireSound(t, j, writers*each)
}

func BenchmarkAppend(b *testing.B) {
	j, err := pebble.Open(b.TempDir(), options(nil))
	require.NoError(b, err)
	defer j.Close()
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		if _, err := j.Append(b.Context(), batch(1, i, "how much does a new debit card cost?")); err != nil {
			b.Fatal(err)
		}
	}
}
