package crash_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/test/house"
)

// volume mounts a small file system for a data folder. It needs root.
func volume(t *testing.T, megabytes int) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", megabytes), "flametree-test", dir).CombinedOutput()
	require.NoError(t, err, "mount: %s", out)
	t.Cleanup(func() {
		out, err := exec.Command("umount", dir).CombinedOutput()
		require.NoError(t, err, "umount: %s", out)
	})
	return dir
}

// eat takes all space of a volume but that much, and returns how to give it back.
func eat(t *testing.T, dir string, leave int64) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "eaten")
	f, err := os.Create(name)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	block, size := make([]byte, 64<<10), int64(0)
	for {
		var st syscall.Statfs_t
		require.NoError(t, syscall.Statfs(dir, &st))
		left := int64(st.Bavail)*st.Bsize - leave
		if left <= 0 {
			break
		}
		n, err := f.WriteAt(block[:min(left, int64(len(block)))], size)
		size += int64(n)
		if errors.Is(err, syscall.ENOSPC) {
			break
		}
		require.NoError(t, err)
	}
	return func() { require.NoError(t, os.Remove(name)) }
}

// On a nearly full disk new conversations are refused while running ones go on;
// with room again they are taken.
func TestNearlyFullDisk(t *testing.T) {
	t.Parallel()
	dir := volume(t, 96)
	data := filepath.Join(dir, "data")
	env := []string{"FLAMETREE_DISK_LOW=16MB", "FLAMETREE_DISK_BALLAST=4MB"}
	s := house.Serve(t, house.Options{Data: data, Agents: []string{agentFile(t, "ferry")}, Env: env})
	chat := s.Chat(s.Agents[0])
	running := chat.MustOpen(t, "early")
	told := map[string][]house.Reply{running: {chat.MustSay(t, running, question(0))}}

	free := eat(t, dir, 8<<20)
	var refused *house.Answer
	noticed := longer(t.Context(), t, "a new conversation is refused", func() bool {
		id, err := chat.Open(t.Context(), "late", "")
		if err == nil {
			told[id] = nil // not noticed yet
			return false
		}
		return errors.As(err, &refused)
	})
	p := refused.Problem(t)
	require.Equal(t, http.StatusServiceUnavailable, p.Status)
	require.NotEmpty(t, refused.Header.Get("Retry-After"))
	code, text := s.Readyz(t.Context())
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Contains(t, text, "disk")
	for n := range 5 {
		told[running] = append(told[running], chat.MustSay(t, running, question(n)))
	}
	house.Must(t, "--data", data, "sessions", "list", "--json")

	free()
	again := longer(t.Context(), t, "new conversations are taken again", func() bool {
		id, err := chat.Open(t.Context(), "later", "")
		if err == nil {
			told[id] = []house.Reply{chat.MustSay(t, id, question(1))}
		}
		return err == nil
	})
	code, text = s.Readyz(t.Context())
	require.Equal(t, http.StatusOK, code, text)
	t.Logf("figure: refused %v after the disk got full, taken again after %v", noticed.Round(time.Millisecond), again.Round(time.Millisecond))
	s.Kill()
	s = house.Serve(t, house.Options{Data: data, Env: env})
	events, err := s.Events(t.Context(), 1)
	require.NoError(t, err)
	complete(t, events, told)
}

// On a disk that runs out of room the engine may end the process: with exit code 3
// and the reason. With room again everything acknowledged is there.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := volume(t, 96)
	data := filepath.Join(dir, "data")
	env := []string{"FLAMETREE_DISK_LOW=1MB", "FLAMETREE_DISK_BALLAST=1MB"}
	options := house.Options{Data: data, Agents: []string{agentFile(t, "ferry")}, Env: env}
	s := house.Serve(t, options)
	chat := s.Chat(s.Agents[0])
	session := chat.MustOpen(t, "customer")
	free := eat(t, dir, 6<<20)

	known, told := map[string]int{}, 0 // acknowledged by the server, by key
	text := strings.Repeat("luggage ", 64<<10)
	for n := 0; n < 400 && s.Running(); n++ {
		key := fmt.Sprintf("part_%03d", n%8)
		body, err := json.Marshal(map[string]any{"kwargs": map[string]any{key: fmt.Sprint(n, " ", text)}})
		require.NoError(t, err)
		a, err := chat.Do(t.Context(), house.Request{
			Method: http.MethodPut, Path: "/session/" + session, Type: "application/json", Body: bytes.NewReader(body),
		})
		if err != nil {
			break // the process has ended
		}
		if a.Status == http.StatusOK {
			known[key] = n
			told++
			continue
		}
		require.Equal(t, http.StatusServiceUnavailable, a.Problem(t).Status)
	}
	require.NotEmpty(t, known)
	code := s.Wait(t, 10*time.Second)
	require.Equal(t, 3, code, "the journal ended the process")
	require.Contains(t, s.Log(), "no space left on device", "the reason")
	require.NotContains(t, s.Log(), "goroutine ", "no panic")
	free()

	s = house.Serve(t, options)
	a := s.Chat(s.Agents[0]).JSON(t, http.MethodGet, "/session/"+session, nil)
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	var got struct{ Kwargs map[string]string }
	a.Into(t, &got)
	for key, n := range known {
		number, _, _ := strings.Cut(got.Kwargs[key], " ")
		// What was under way when the process ended may be there too.
		require.Contains(t, []string{fmt.Sprint(n), fmt.Sprint(n + 8)}, number, key)
	}
	require.Zero(t, s.Stop(t))
	require.Contains(t, house.Must(t, "--data", data, "journal", "verify"), "the journal is whole")
	t.Logf("figure: %d updates acknowledged on a full disk, all there after the restart", told)
}
