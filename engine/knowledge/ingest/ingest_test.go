package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest"
	"flametree/engine/knowledge/ingest/ingesttest"
)

// TestMain is also the children: the real one, and some that misbehave.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case ingest.Command:
			os.Exit(ingest.Main(os.Args[2:], os.Stdin, os.Stdout))
		case "dial": // dial ADDRESS ingest-parse …
			_, err := net.DialTimeout("tcp", os.Args[2], time.Second)
			_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"warning": fmt.Sprint("dialled: ", err == nil)})
			fmt.Println(`{"done":true}`)
			os.Exit(0)
		case "hang": // hang LOCK ingest-parse …
			c := exec.Command("/usr/bin/flock", os.Args[2], "sleep", "1000")
			if c.Start() != nil {
				os.Exit(3)
			}
			for exec.Command("/usr/bin/flock", "-n", os.Args[2], "true").Run() == nil {
			}
			fmt.Println(`{"warning":"hanging"}`)
			_ = c.Wait()
		case "spin": // spin ingest-parse …: the limits of the real child, then work without end
			go func() {
				for n := 0; ; n++ {
					runtime.KeepAlive(n)
				}
			}()
			os.Exit(ingest.Main(without(os.Args[3:], "-file"), silent{}, os.Stdout))
		case "lie":
			fmt.Println(`{"section":{"text":"x"}}` + "\n" + `{"sect`)
			os.Exit(0)
		}
	}
	goleak.VerifyTestMain(m)
}

// silent never says anything and never ends.
type silent struct{}

func (silent) Read([]byte) (int, error) { select {} }

func without(args []string, flag string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		if args[i] == flag {
			i++
			continue
		}
		out = append(out, args[i])
	}
	return out
}

func options(t testing.TB, self ...string) ingest.Options {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	t.Cleanup(func() {
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left, "nothing is left behind")
	})
	return ingest.Options{Self: append([]string{exe}, self...), Dir: dir}
}

func fixture(t testing.TB, name string) []byte {
	b, err := os.ReadFile(filepath.Join("parse", "testdata", name))
	require.NoError(t, err)
	return b
}

func TestFilesAreReadInAChild(t *testing.T) {
	for name, want := range map[string]string{
		"libreoffice.docx": "9 euros", "libreoffice.pdf": "9 euros", "pandoc.html": "9 euros", "tariffs.md": "9 euros",
		"libreoffice.xlsx": "Название: Плед", "cp1251.csv": "Название: Плед",
	} {
		t.Run(name, func(t *testing.T) {
			opt := options(t)
			var used ingest.Usage
			opt.Used = func(u ingest.Usage) { used = u }
			doc, err := ingest.Parse(t.Context(), opt, bytes.NewReader(fixture(t, name)), name)
			require.NoError(t, err)
			require.Equal(t, name, doc.Source)
			var all strings.Builder
			for _, s := range doc.Sections {
				all.WriteString(s.Text + "\n")
			}
			require.Contains(t, all.String(), want)
			require.Positive(t, used.PeakBytes)
		})
	}
}

func TestErrorsCrossFromTheChild(t *testing.T) {
	_, err := ingest.Parse(t.Context(), options(t), bytes.NewReader(fixture(t, "password.pdf")), "offer.pdf")
	require.ErrorIs(t, err, fault.Invalid)
	require.ErrorContains(t, err, `"offer.pdf": the PDF is protected by a password: save it without one`)

	opt := options(t)
	opt.MaxBytes = 1000
	_, err = ingest.Parse(t.Context(), opt, strings.NewReader(strings.Repeat("x ", 600)), "long.txt")
	require.ErrorIs(t, err, fault.Invalid)
	require.ErrorContains(t, err, "longer than 0 MB")

	_, err = ingest.Parse(t.Context(), options(t, "lie"), strings.NewReader("x"), "a.txt")
	require.Equal(t, fault.Bug, fault.KindOf(err), "%v", err)

	_, err = ingest.Parse(t.Context(), options(t), io.MultiReader(strings.NewReader("x"), failing{}), "a.txt")
	require.ErrorIs(t, err, fault.Unavailable)
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestAFileThatNeedsTooMuchMemoryBreaksOnlyTheChild(t *testing.T) {
	const childMemory = 160 // MB
	opt := options(t)
	opt.Memory = childMemory << 20
	small, err := ingest.Parse(t.Context(), opt, strings.NewReader("<html><body><p>a"), "small.html")
	require.NoError(t, err)
	require.NotEmpty(t, small.Sections)
	page := "<html><body>" + strings.Repeat("<p>a", 1_000_000)
	_, err = ingest.Parse(t.Context(), opt, strings.NewReader(page), "page.html")
	require.ErrorIs(t, err, fault.Invalid)
	require.ErrorContains(t, err, fmt.Sprintf(`"page.html" needs more than %d MB of memory to be read`, childMemory))
}

func TestAFileThatNeedsTooMuchTimeBreaksOnlyTheChild(t *testing.T) {
	opt := options(t, "spin")
	opt.CPU = 2 * time.Second // the kernel counts its limit in ticks: in one second it may be a tenth off
	_, err := ingest.Parse(t.Context(), opt, strings.NewReader("x"), "a.txt")
	require.ErrorIs(t, err, fault.Invalid)
	require.ErrorContains(t, err, "needs more than 2s of processor time")
}

func TestAChildReachesNoNetwork(t *testing.T) {
	canary, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer canary.Close()
	opt := options(t, "dial", canary.Addr().String())
	opt.Strict = true
	doc, err := ingest.Parse(t.Context(), opt, strings.NewReader("x"), "a.txt")
	if err != nil {
		require.ErrorIs(t, err, fault.Unavailable)
		require.ErrorContains(t, err, "namespaces are forbidden")
		return
	}
	require.Equal(t, []string{"dialled: false"}, doc.Warnings)
}

func TestCancellingEndsTheChildAndWhatItStarted(t *testing.T) {
	lock := filepath.Join(t.TempDir(), "lock")
	require.NoError(t, os.WriteFile(lock, nil, 0o666))
	ctx, cancel := context.WithCancel(t.Context())
	opt := options(t, "hang", lock)
	ready, write := io.Pipe()
	defer ready.Close()
	done := make(chan error, 1)
	go func() {
		_, err := ingest.Parse(ctx, opt, strings.NewReader("x"), "a.txt")
		done <- err
		_ = write.Close()
	}()
	// The grandchild holds the lock while it lives.
	for exec.Command("/usr/bin/flock", "-n", lock, "true").Run() == nil {
		if ctx.Err() != nil {
			break
		}
	}
	cancel()
	require.ErrorIs(t, <-done, fault.Cancelled)
	require.NoError(t, exec.Command("/usr/bin/flock", "-w", "10", lock, "true").Run(), "the grandchild is gone")
}

func TestTimeRunsOut(t *testing.T) {
	opt := options(t, "hang", filepath.Join(t.TempDir(), "lock"))
	opt.Timeout = 300 * time.Millisecond
	_, err := ingest.Parse(t.Context(), opt, strings.NewReader("x"), "a.txt")
	require.ErrorIs(t, err, fault.Unavailable)
	require.ErrorContains(t, err, "took too long")
}

func TestLongTextsAreCutOrStreamed(t *testing.T) {
	var file bytes.Buffer
	_, err := ingesttest.Write(&file, "txt", 1<<20)
	require.NoError(t, err)
	opt := options(t)
	opt.MaxText = 200 << 10
	doc, err := ingest.Parse(t.Context(), opt, bytes.NewReader(file.Bytes()), "a.txt")
	require.NoError(t, err)
	require.NotEmpty(t, doc.Sections)
	require.Contains(t, doc.Warnings[0], "the rest was left out")

	opt = options(t)
	n := 0
	opt.Each = func(s ingest.Section) error { n += len(s.Text); return nil }
	doc, err = ingest.Parse(t.Context(), opt, bytes.NewReader(file.Bytes()), "a.txt")
	require.NoError(t, err)
	require.Empty(t, doc.Sections)
	require.Greater(t, n, 900<<10)

	opt.Each = func(ingest.Section) error { return fault.Conflict }
	_, err = ingest.Parse(t.Context(), opt, bytes.NewReader(file.Bytes()), "a.txt")
	require.ErrorIs(t, err, fault.Conflict)
}

func TestRowsOfATable(t *testing.T) {
	var rows [][]string
	err := ingest.Rows(t.Context(), options(t), bytes.NewReader(fixture(t, "cp1251.csv")), "p.csv", func(c []string) error {
		rows = append(rows, append([]string(nil), c...))
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, []string{"A-1", "Чайник электрический", "1990.5", "2026-03-01"}, rows[1])
	err = ingest.Rows(t.Context(), options(t), bytes.NewReader(fixture(t, "scan.pdf")), "p.pdf", nil)
	require.ErrorIs(t, err, fault.Invalid)
	require.ErrorContains(t, err, "pdf is not a table")
}

// A file ten times as long must not need more memory; FLAMETREE_TEST_LONG makes
// it a hundred megabytes.
func TestMemoryIsFlat(t *testing.T) {
	size := int64(8 << 20)
	if os.Getenv("FLAMETREE_TEST_LONG") != "" {
		size = 99 << 20
	}
	for _, format := range []string{"pdf", "docx", "xlsx", "csv", "txt", "md", "html"} {
		size := size
		if format != "pdf" {
			size /= 4
		}
		var peak [2]int64
		for i, n := range []int64{size / 8, size} {
			opt := options(t)
			name := filepath.Join(t.TempDir(), "file."+format)
			f, err := os.Create(name)
			require.NoError(t, err)
			pages, err := ingesttest.Write(f, format, n)
			require.NoError(t, err)
			_, err = f.Seek(0, io.SeekStart)
			require.NoError(t, err)
			var last, texts int
			opt.MaxText = 1 << 30
			opt.Each = func(s ingest.Section) error { last = s.Page; texts += len(s.Text); return nil }
			opt.Used = func(u ingest.Usage) { peak[i] = u.PeakBytes }
			_, err = ingest.Parse(t.Context(), opt, f, "file."+format)
			require.NoError(t, err, format)
			require.NoError(t, f.Close())
			require.Equal(t, pages, last, "every page is read")
			require.Greater(t, int64(texts), n*6/10, format)
		}
		t.Logf("figure: %s of %d MB: peak %d MB, of an eighth of that %d MB", format, size>>20, peak[1]>>20, peak[0]>>20)
		require.Less(t, peak[1], int64(300<<20), format)
	}
}
