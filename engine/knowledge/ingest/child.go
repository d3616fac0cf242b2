package ingest

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest/parse"
)

// Command is the hidden command of our program that is the child.
const Command = "ingest-parse"

// Main is the child: it limits itself, reads the file that args name (or in,
// when they name none) and writes records to out. args are those after Command.
// It returns the status to exit with. It must be called first thing in a
// process that does nothing else, because its limits are the process's.
func Main(args []string, in io.Reader, out io.Writer) int {
	var o reading
	flags := flag.NewFlagSet(Command, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.file, "file", "", "the file to read")
	flags.StringVar(&o.dir, "dir", "", "folder for temporary files")
	flags.StringVar(&o.name, "name", "", "the file's name as the user knows it")
	flags.StringVar(&o.mode, "mode", "text", "text, rows or sound")
	flags.Int64Var(&o.memory, "memory", 512*mega, "bytes of memory")
	flags.Uint64Var(&o.cpu, "cpu", 120, "seconds of processor time")
	w := bufio.NewWriterSize(out, 64<<10)
	t := teller{enc: json.NewEncoder(w)}
	err := flags.Parse(args)
	if err != nil {
		err = fmt.Errorf("%s: %w: %w", Command, err, fault.Bug)
	} else {
		err = o.run(in, &t)
	}
	last := record{Done: err == nil, Peak: peak()}
	if err != nil {
		last.Failed = newFailure(err)
	}
	if errors.Join(t.enc.Encode(last), w.Flush()) != nil || err != nil {
		return 1
	}
	return 0
}

// reading is what the child is told.
type reading struct {
	file, dir, name, mode string
	memory                int64
	cpu                   uint64
}

func (o reading) run(in io.Reader, t *teller) (err error) {
	if err := o.limit(); err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the file is damaged in a way that its reader does not understand: save it again and upload it anew: %w", fault.Invalid)
		}
	}()
	if o.file == "" {
		if o.file, err = spool(in, o.dir); err != nil {
			return err
		}
	}
	f, err := os.Open(o.file)
	if err != nil {
		return fmt.Errorf("open the file: %w: %w", err, fault.Bug)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open the file: %w: %w", err, fault.Bug)
	}
	input := parse.Input{At: f, Size: info.Size(), Path: o.file, Name: o.name, Dir: o.dir}
	ctx := context.Background() // the parent ends us with a signal
	switch o.mode {
	case "rows":
		return parse.Rows(ctx, input, t.row)
	case "sound":
		return parse.Sound(ctx, input, t.sound)
	}
	return parse.Read(ctx, input, t)
}

// limit takes from this process what reading a file does not need. Go's own
// limit is below the hard one, so that it collects before it dies.
func (o reading) limit() error {
	const (
		most    = 4 << 30 // bytes a file may have: an unpacked sheet is one
		handles = 256
	)
	debug.SetMemoryLimit(o.memory / 2)
	debug.SetGCPercent(50)
	begun := status("VmData:") // a program with C in it begins with the stacks of its threads
	for what, to := range map[int]uint64{
		unix.RLIMIT_DATA: uint64(begun + o.memory), unix.RLIMIT_FSIZE: most, unix.RLIMIT_NOFILE: handles, unix.RLIMIT_CORE: 0,
	} {
		if err := unix.Setrlimit(what, &unix.Rlimit{Cur: to, Max: to}); err != nil {
			return fmt.Errorf("limit the reader: %w: %w", err, fault.Unavailable)
		}
	}
	// Go ignores the signal of the soft limit; the hard one cannot be ignored.
	if err := unix.Setrlimit(unix.RLIMIT_CPU, &unix.Rlimit{Cur: o.cpu, Max: o.cpu}); err != nil {
		return fmt.Errorf("limit the reader: %w: %w", err, fault.Unavailable)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("limit the reader: %w: %w", err, fault.Unavailable)
	}
	return nil
}

// spool keeps what comes in where it can be read at any place.
func spool(in io.Reader, dir string) (string, error) {
	f, err := os.CreateTemp(dir, "input-*")
	if err != nil {
		return "", fmt.Errorf("keep the file: %w: %w", err, fault.Unavailable)
	}
	if _, err := io.Copy(f, in); err != nil {
		return "", errors.Join(fmt.Errorf("keep the file: %w: %w", err, fault.Unavailable), f.Close())
	}
	return filepath.Clean(f.Name()), f.Close()
}

// teller writes what is read as records.
type teller struct{ enc *json.Encoder }

// Title implements parse.Sink.
func (t *teller) Title(title string) { _ = t.enc.Encode(record{Title: title}) }

// Warn implements parse.Sink.
func (t *teller) Warn(text string) { _ = t.enc.Encode(record{Warning: text}) }

// Section implements parse.Sink.
func (t *teller) Section(s parse.Section) error { return t.enc.Encode(record{Section: &s}) }

func (t *teller) row(cells []string) error { return t.enc.Encode(record{Row: cells}) }

// sound keeps the order of bytes that the samples came in.
func (t *teller) sound(pcm []int16) error {
	raw := make([]byte, 0, 2*len(pcm))
	for _, v := range pcm {
		raw = binary.LittleEndian.AppendUint16(raw, uint16(v))
	}
	return t.enc.Encode(record{Sound: raw})
}

// peak is the most memory this process, or one that it awaited, had resident.
// The process's own is read from /proc: getrusage would also count what the
// parent had resident when it forked.
func peak() int64 {
	most := status("VmHWM:")
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u) == nil {
		most = max(most, u.Maxrss<<10)
	}
	return most
}

// status is one size of this process in bytes, 0 where it is not told (proc(5)).
func status(name string) int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for l := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(l, name); ok {
			kb, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 10, 64)
			return kb << 10
		}
	}
	return 0
}
