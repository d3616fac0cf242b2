package python

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
	"flametree/engine/tool"
)

func quantile(d []time.Duration, q float64) time.Duration {
	slices.Sort(d)
	return d[int(float64(len(d)-1)*q)]
}

func long() bool { return os.Getenv("FLAMETREE_TEST_LONG") == "1" }

// plainBundle is the tool whose calls are timed.
func plainBundle() Bundle {
	return bundle("def plain(ctx, place, seats): return {'place': place, 'seats': seats, 'channel': ctx.session.channel}\n"+
		"async def awaited(ctx, place, seats): return {'place': place, 'seats': seats}\ndef loop(ctx):\n    while True: pass\n", "plain", "awaited", "loop 0.1")
}

func typical() tool.Call {
	return tool.Call{
		Tenant: here, Name: "plain", Key: "k", Args: json.RawMessage(`{"place":"Almaty","seats":2}`),
		Scene: tool.Scene{
			Session: "0190", Channel: "web", Mode: "auto", Language: "en", Now: moment,
			Results: map[string]string{"name": "Aigul"}, Env: map[string]string{"API_KEY": "abcdefgh"},
		},
	}
}

func TestFiguresOfAWarmCall(t *testing.T) {
	p := newPool(t, Options{})
	r := opened(t, p, plainBundle())
	for _, name := range []string{"plain", "awaited"} {
		c := typical()
		c.Name = name
		var took []time.Duration
		for range 900 {
			start := time.Now()
			_, err := r.Run(t.Context(), c)
			require.NoError(t, err)
			took = append(took, time.Since(start))
		}
		t.Logf("figure: warm call (%s) p50 %v p99 %v", name, quantile(took, 0.5), quantile(took, 0.99))
	}
	var took []time.Duration
	for range 10 {
		start := time.Now()
		w, err := p.start(t.Context(), "")
		require.NoError(t, err)
		took = append(took, time.Since(start))
		w.kill()
	}
	t.Logf("figure: cold start p50 %v", quantile(took, 0.5))
}

// TestARunawayIsDeadAtItsDeadline checks that the interpreter is gone, not only
// given up: talk returns when nobody holds its pipes any more. The wall clock is
// told; what is asserted is how long a runaway computed until it was dead.
func TestARunawayIsDeadAtItsDeadline(t *testing.T) {
	store := &MemoryStore{}
	p := newPool(t, Options{KV: store})
	b := bundle("import time\ndef loop(ctx):\n    began = time.process_time()\n    while True: ctx.kv.set('used', time.process_time() - began)\n", "loop 0.1")
	_, err := run(t, opened(t, p, b), "loop", "{}")
	require.ErrorIs(t, err, fault.Unavailable)
	used := 0.0 // a busy machine may not let it begin
	text, err := store.Get(t.Context(), here, "test", "used")
	if !errors.Is(err, fault.NotFound) {
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &used))
	}
	require.Less(t, used, 0.3, "seconds of computing with a deadline of 0.1 s")

	r := opened(t, p, plainBundle())
	var late []time.Duration
	seen := 0
	for range 10 {
		w, err := p.take(t.Context(), r.(*runner).home)
		require.NoError(t, err)
		p.put(r.(*runner).home, w)
		p.mu.Lock()
		resting := slices.Clone(p.idle) // any of them may be taken
		p.mu.Unlock()
		start := time.Now()
		_, err = r.Run(t.Context(), tool.Call{Tenant: here, Name: "loop"})
		late = append(late, time.Since(start)-100*time.Millisecond)
		require.ErrorIs(t, err, fault.Unavailable)
		dead := slices.DeleteFunc(resting, func(w *worker) bool { return !w.dead.Load() })
		seen += len(dead) // none where one that came meanwhile was taken
		for _, w := range dead {
			select {
			case <-w.ended:
			default:
				t.Fatal("the interpreter is still there")
			}
		}
	}
	require.Greater(t, seen, 3, "interpreters that ran are dead when their calls come back")
	t.Logf("figure: runaway dead after its deadline by p50 %v max %v", quantile(late, 0.5), quantile(late, 1))
}

// memoryOf sums what the processes of the workers keep for themselves and share
// (proportional set size, proc(5)), in bytes.
func memoryOf(t *testing.T, workers []*worker) (total int64) {
	t.Helper()
	for _, w := range workers {
		pids := []int{w.cmd.Process.Pid}
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pids[0], pids[0]))
		require.NoError(t, err)
		for f := range strings.FieldsSeq(string(children)) {
			var pid int
			_, err := fmt.Sscan(f, &pid)
			require.NoError(t, err)
			pids = append(pids, pid)
		}
		require.Len(t, pids, 2, "bubblewrap and the interpreter")
		for _, pid := range pids {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
			require.NoError(t, err)
			_, rest, _ := strings.Cut(string(text), "\nPss:")
			var kilo int64
			_, err = fmt.Sscan(rest, &kilo)
			require.NoError(t, err)
			total += kilo << 10
		}
	}
	return total
}

func TestInterpretersAreSmall(t *testing.T) {
	count := 8
	if long() {
		count = 64
	}
	p := newPool(t, Options{})
	var workers []*worker
	for i := range count {
		opened(t, p, bundle(fmt.Sprintf("def f(ctx): return %d\n", i), "f"))
	}
	p.mu.Lock()
	workers = slices.Clone(p.idle)
	p.mu.Unlock()
	require.Len(t, workers, count)
	total := memoryOf(t, workers)
	t.Logf("figure: %d workers %.1f MB, %.2f MB each", count, float64(total)/1e6, float64(total)/1e6/float64(count))
	require.Less(t, total/int64(count), int64(500e6/64), "64 of them have more than 0.5 GB")
}

func BenchmarkWarmCall(b *testing.B) {
	p := newPool(b, Options{})
	r := opened(b, p, plainBundle())
	c := typical()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Run(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
}
