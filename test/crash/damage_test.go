package crash_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

// A server whose newest log was damaged while nobody ran says what is wrong and
// where, or has everything that was acknowledged; never fewer in silence.
func TestDamagedLog(t *testing.T) {
	t.Parallel()
	draw := chance(t)
	data := filepath.Join(t.TempDir(), "data")
	told := fill(t, data)
	log := newestLog(t, data)
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	used := len(text)
	for used > 0 && text[used-1] == 0 { // the engine makes room in advance
		used--
	}
	require.Greater(t, used, 4096)
	damages := map[string]func(t *testing.T, name string){}
	for i := range 20 {
		at, bit := draw.IntN(used), draw.IntN(8)
		if i == 0 {
			at = used - 1
		}
		damages[fmt.Sprintf("flip %02d", i)] = func(t *testing.T, name string) {
			t.Helper()
			t.Logf("bit %d of byte %d of %d", bit, at, used)
			flip(t, name, int64(at), bit)
		}
	}
	for i, to := range []int{0, 1, draw.IntN(used), used - 1} {
		damages[fmt.Sprintf("cut %d", i)] = func(t *testing.T, name string) {
			t.Helper()
			t.Logf("to %d of %d bytes", to, used)
			require.NoError(t, os.Truncate(name, int64(to)))
		}
	}
	refused, whole := 0, 0
	var mu sync.Mutex
	t.Run("each", func(t *testing.T) {
		for name, damage := range damages {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				ok := damaged(t, data, log, damage, told)
				mu.Lock()
				defer mu.Unlock()
				if ok {
					whole++
				} else {
					refused++
				}
			})
		}
	})
	t.Logf("figure: %d damaged logs refused with what and where, %d started with everything", refused, whole)
	require.NotZero(t, refused, "a log cut to nothing went unnoticed")
}

// damaged starts a server on a damaged copy and reports whether it came up.
func damaged(t *testing.T, data, log string, damage func(*testing.T, string), told map[string][]house.Reply) bool {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	out, err := exec.Command("cp", "-a", data, dir).CombinedOutput() // modes matter: keys are secret
	require.NoError(t, err, "%s", out)
	rel, err := filepath.Rel(data, log)
	require.NoError(t, err)
	damage(t, filepath.Join(dir, rel))
	s, err := house.Start(t, house.Options{Data: dir, Agents: []string{agentFile(t, "ferry")}})
	if ended, ok := errors.AsType[*house.Ended](err); ok {
		t.Log(ended.Err)
		require.NotContains(t, ended.Err, "panic:", "a damaged disk is no bug")
		require.NotZero(t, ended.Code)
		require.Regexp(t, regexp.MustCompile(regexp.QuoteMeta(dir)+`.*(position|event|mark|\.log|store)`), ended.Err, "it says what and where")
		return false
	}
	require.NoError(t, err)
	events, err := s.Events(t.Context(), 1)
	require.NoError(t, err)
	complete(t, events, told)
	return true
}

// fill makes a folder with conversations and returns what was acknowledged, by
// session. Its server is ended as if by a loss of power.
func fill(t *testing.T, data string) map[string][]house.Reply {
	t.Helper()
	s := house.Serve(t, house.Options{Data: data, Agents: []string{agentFile(t, "ferry")}})
	chat := s.Chat(s.Agents[0])
	told := make(map[string][]house.Reply)
	for i := range 6 {
		id := chat.MustOpen(t, fmt.Sprintf("customer-%d", i))
		for n := range 5 {
			told[id] = append(told[id], chat.MustSay(t, id, question(n)))
		}
	}
	// The high-water mark follows the last group within 10 ms when nothing comes.
	time.Sleep(50 * time.Millisecond)
	s.Kill()
	return told
}

// complete checks that every acknowledged reply is in the journal once, in order.
func complete(t *testing.T, events []house.Event, told map[string][]house.Reply) {
	t.Helper()
	for id, replies := range told {
		got := []string{}
		for _, e := range house.OfStream(events, "session/"+id) {
			if e.Kind == "reply.sent.v1" && *e.Turn > 0 {
				got = append(got, e.Text)
			}
		}
		want := make([]string, len(replies))
		for i, r := range replies {
			want[i] = r.Text
		}
		require.Equal(t, want, got, "session %s", id)
	}
}

func flip(t *testing.T, name string, at int64, bit int) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	var b [1]byte
	_, err = f.ReadAt(b[:], at)
	require.NoError(t, err)
	b[0] ^= 1 << bit
	_, err = f.WriteAt(b[:], at)
	require.NoError(t, errors.Join(err, f.Close()))
}

// newestLog is the log that was written last.
func newestLog(t *testing.T, data string) string {
	t.Helper()
	var newest string
	var when time.Time
	require.NoError(t, filepath.WalkDir(filepath.Join(data, "journal"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".log" {
			return err
		}
		info, err := d.Info()
		if err == nil && info.ModTime().After(when) && info.Size() > 0 {
			newest, when = path, info.ModTime()
		}
		return err
	}))
	require.NotEmpty(t, newest)
	return newest
}

// A stranger's folder, a folder that another server holds, and a file that is
// no agent are refused with what and where.
func TestRefusedFolders(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	s := house.Serve(t, house.Options{Data: data, Agents: []string{agentFile(t, "ferry")}})
	t.Run("another server runs on it", func(t *testing.T) {
		_, err := house.Start(t, house.Options{Data: data})
		var ended *house.Ended
		require.ErrorAs(t, err, &ended)
		require.Contains(t, ended.Err, data)
		require.Contains(t, ended.Err, "in use")
		require.NotContains(t, ended.Err, "panic")
		code, text := s.Readyz(t.Context())
		require.Equal(t, 200, code, "the one that runs is not disturbed: %s", text)
		house.Must(t, "--data", data, "sessions", "list")
	})
	t.Run("its store was taken away", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "data")
		fill(t, dir)
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "journal", "journal")))
		_, err := house.Start(t, house.Options{Data: dir})
		var ended *house.Ended
		require.ErrorAs(t, err, &ended)
		require.Contains(t, ended.Err, dir)
		require.NotContains(t, ended.Err, "panic")
	})
	t.Run("no folder can be made there", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
		_, err := house.Start(t, house.Options{Data: filepath.Join(file, "data")})
		var ended *house.Ended
		require.ErrorAs(t, err, &ended)
		require.Contains(t, ended.Err, file)
	})
	t.Run("an agent file with a mistake", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "bad.yaml")
		require.NoError(t, os.WriteFile(file, []byte("name: X\nalias: y\ntype: inbound_smoke\n"), 0o600))
		_, err := house.Start(t, house.Options{Agents: []string{file}})
		var ended *house.Ended
		require.ErrorAs(t, err, &ended)
		require.Regexp(t, `bad\.yaml.*3`, ended.Err, "file and line")
	})
}

// longer asks again until the answer fits, at most for a while.
func longer(ctx context.Context, t *testing.T, what string, fits func() bool) time.Duration {
	t.Helper()
	begun := time.Now()
	for !fits() {
		if time.Since(begun) > 8*time.Second {
			t.Fatalf("not within 8 s: %s", what)
		}
		select {
		case <-ctx.Done():
			t.Fatal(what)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return time.Since(begun)
}
