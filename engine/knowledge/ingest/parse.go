package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest/parse"
)

// Document is what was read from one file, page or video.
type Document = parse.Document

// Section is a stretch of a document, at most parse.MaxSection bytes of text.
type Section = parse.Section

// Options of reading. The zero value of each field but Self is good.
type Options struct {
	// Self starts our own program, for example {"/proc/self/exe"}; Command and
	// its arguments are appended.
	Self []string
	// MaxBytes is how long a file may be; default 100 MB.
	MaxBytes int64
	// MaxText is how many bytes of text are taken; the rest is left out with a
	// warning. Default 128 MB with Each, 16 MB without.
	MaxText int64
	// Memory is how many bytes of memory the child may map to write to, beyond
	// what it begins with; default 512 MB, at least 128. Go maps 64 MB at a time,
	// so less is used than mapped.
	Memory int64
	// CPU is how much processor time the child may use; default 2 minutes.
	CPU time.Duration
	// Timeout is how long the reading may take in all; default 10 minutes.
	Timeout time.Duration
	// Dir is where the file is kept meanwhile; "" = the system's folder.
	Dir string
	// Strict refuses to read where the child cannot be cut off from the network.
	Strict bool
	// Each is given the sections as they are read, in place of Document.Sections;
	// its error ends the reading and is returned.
	Each func(Section) error
	// Used, when set, is told what the child used.
	Used func(Usage)
}

// Usage is what reading a file took.
type Usage struct {
	PeakBytes int64 // the most memory that one process of the child's had resident
	CPU       time.Duration
	Isolated  bool // it had no network
}

const mega = 1 << 20

func (o Options) filled() Options {
	set := func(v *int64, to int64) {
		if *v <= 0 {
			*v = to
		}
	}
	set(&o.MaxBytes, 100*mega)
	set(&o.Memory, 512*mega)
	o.Memory = max(o.Memory, 128*mega)
	if o.Each != nil {
		set(&o.MaxText, 128*mega)
	}
	set(&o.MaxText, 16*mega)
	if o.CPU <= 0 {
		o.CPU = 2 * time.Minute
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Minute
	}
	return o
}

// Parse reads one file in a child process and needs itself no more memory than
// what it returns. name is the file's, as the user sees it. An error wraps
// fault.Invalid when the file is at fault and says what to do about it,
// fault.Unavailable when a program is missing or time ran out, fault.Cancelled
// when ctx ended.
func Parse(ctx context.Context, opt Options, r io.Reader, name string) (Document, error) {
	opt = opt.filled()
	doc := Document{Source: name}
	var text int64
	full := false
	take := func(rec record) error {
		switch {
		case rec.Section != nil && !full:
			s := *rec.Section
			text += int64(len(s.Heading) + len(s.Text))
			if full = text > opt.MaxText; full {
				return errFull
			}
			if opt.Each != nil {
				return opt.Each(s)
			}
			doc.Sections = append(doc.Sections, s)
		case rec.Title != "":
			doc.Title = rec.Title
		case rec.Warning != "":
			doc.Warnings = append(doc.Warnings, rec.Warning)
		}
		return nil
	}
	err := run(ctx, opt, job{r: r, name: name, mode: "text"}, take)
	if errors.Is(err, errFull) {
		doc.Warnings = append(doc.Warnings, fmt.Sprintf("the text is longer than %d MB: the rest was left out; split the file", opt.MaxText/mega))
		err = nil
	}
	if err != nil {
		return Document{}, err
	}
	return doc, nil
}

var errFull = errors.New("enough text")

// Rows reads a table (CSV, or the first sheet with rows of an XLSX) in a child
// process and gives row by row; each must not keep the cells. Errors are those
// of Parse, and each's own.
func Rows(ctx context.Context, opt Options, file io.Reader, name string, each func(cells []string) error) error {
	return run(ctx, opt.filled(), job{r: file, name: name, mode: "rows"}, func(rec record) error {
		if rec.Row == nil {
			return nil
		}
		return each(rec.Row)
	})
}

// job is one file to read.
type job struct {
	r    io.Reader
	name string
	mode string // text rows sound
}

// run keeps the file in a folder of its own, starts the child on it and gives
// its records. Nothing is left behind, neither files nor processes.
func run(ctx context.Context, opt Options, j job, take func(record) error) (err error) {
	if len(opt.Self) == 0 {
		return fmt.Errorf("ingest: Options.Self does not say how to start the child: %w", fault.Bug)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, opt.Timeout, errSlow)
	defer cancel()
	dir, err := os.MkdirTemp(opt.Dir, "ingest-")
	if err != nil {
		return fmt.Errorf("a folder to read %q in: %w: %w", j.name, err, fault.Unavailable)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "input")
	if err := keep(ctx, opt, j, file); err != nil {
		return err
	}
	err = start(ctx, opt, child{dir: dir, file: file, job: j, apart: true}, take)
	if errors.Is(err, errNoNamespace) {
		if opt.Strict {
			return fmt.Errorf("read %q: user namespaces are forbidden here and Strict is set: %w", j.name, fault.Unavailable)
		}
		err = start(ctx, opt, child{dir: dir, file: file, job: j}, take)
	}
	return err
}

var (
	errSlow        = errors.New("reading took too long")
	errNoNamespace = errors.New("no namespace")
)

// keep writes the file to disk, where it can be read at any place.
func keep(ctx context.Context, opt Options, j job, file string) (err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keep %q: %w: %w", j.name, err, fault.Unavailable)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	n, err := io.Copy(f, io.LimitReader(untilDone{ctx, j.r}, opt.MaxBytes+1))
	switch {
	case ctx.Err() != nil:
		return ended(ctx, j.name)
	case err != nil:
		return fmt.Errorf("receive %q: %w: %w", j.name, err, fault.Unavailable)
	case n > opt.MaxBytes:
		return fmt.Errorf("%q is longer than %d MB: split it and upload the parts: %w", j.name, opt.MaxBytes/mega, fault.Invalid)
	}
	return nil
}

// untilDone stops reading when the context ends.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// ended says why the context did.
func ended(ctx context.Context, name string) error {
	if errors.Is(context.Cause(ctx), errSlow) {
		return fmt.Errorf("%q: %w: split it and upload the parts: %w", name, errSlow, fault.Unavailable)
	}
	return fmt.Errorf("read %q: %w: %w", name, ctx.Err(), fault.Cancelled)
}

// child is one start of our program.
type child struct {
	dir, file string
	job       job
	apart     bool // in namespaces of its own
}

func (c child) command(ctx context.Context, opt Options) *exec.Cmd {
	args := append(opt.Self[1:len(opt.Self):len(opt.Self)], Command,
		"-file", c.file, "-dir", c.dir, "-name", c.job.name, "-mode", c.job.mode,
		"-memory", strconv.FormatInt(opt.Memory, 10), "-cpu", strconv.Itoa(int(opt.CPU.Seconds()+0.999)))
	cmd := exec.CommandContext(ctx, opt.Self[0], args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "TMPDIR=" + c.dir, "GOTRACEBACK=none"}
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if c.apart {
		// A user that is not root in the new namespace loses its capabilities on exec.
		const nobody = 65534
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC | syscall.CLONE_NEWPID
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: nobody, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: nobody, HostID: os.Getgid(), Size: 1}}
	}
	return cmd
}

// start runs the child to its end and gives its records.
func start(ctx context.Context, opt Options, c child, take func(record) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := c.command(ctx, opt)
	var said tail
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start a reader: %w: %w", err, fault.Unavailable)
	}
	if err := cmd.Start(); err != nil {
		if c.apart && (errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL)) {
			return errNoNamespace
		}
		return fmt.Errorf("start a reader: %w: %w", err, fault.Unavailable)
	}
	last, takeErr := records(out, take)
	if takeErr != nil && !errors.Is(takeErr, io.ErrUnexpectedEOF) { // cut off by its own end, it says more by its status
		cancel()
	}
	waitErr := cmd.Wait()
	if opt.Used != nil {
		opt.Used(Usage{PeakBytes: last.Peak, CPU: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), Isolated: c.apart})
	}
	switch {
	case takeErr != nil && !errors.Is(takeErr, io.ErrUnexpectedEOF):
		return takeErr
	case last.Failed != nil:
		return fmt.Errorf("%q: %w", c.job.name, last.Failed)
	case last.Done:
		return nil
	case ctx.Err() != nil:
		return ended(ctx, c.job.name)
	}
	return died(opt, c.job.name, cmd.ProcessState, waitErr, said.text)
}

// died says why a child ended without saying so itself.
func died(opt Options, name string, p *os.ProcessState, err error, said string) error {
	w, ok := p.Sys().(syscall.WaitStatus)
	used := p.UserTime() + p.SystemTime() // rounded in another way than the limit is
	switch {
	case strings.Contains(said, "out of memory"), strings.Contains(said, "cannot allocate memory"),
		strings.Contains(said, "newosproc"), strings.Contains(said, "pthread_create failed"), // a thread's stack is memory as well
		strings.Contains(said, "SIGSEGV"), strings.Contains(said, "SIGBUS"), strings.Contains(said, "ThreadSanitizer"): // Go 1.26's collector and the race detector do not check what they are given
		return fmt.Errorf("%q needs more than %d MB of memory to be read: split it and upload the parts: %w", name, opt.Memory/mega, fault.Invalid)
	case ok && w.Signaled() && (w.Signal() == syscall.SIGXCPU || used*10 >= opt.CPU*9):
		return fmt.Errorf("%q needs more than %v of processor time to be read: split it and upload the parts: %w", name, opt.CPU, fault.Invalid)
	case ok && w.Signaled() && w.Signal() == syscall.SIGKILL:
		return fmt.Errorf("%q: the reader was ended from outside: try again: %w", name, fault.Unavailable)
	}
	return fmt.Errorf("%q: the reader broke (%w): %w", name, err, fault.Bug)
}

// tail keeps the beginning of what a child writes to its standard error.
type tail struct{ text string }

func (t *tail) Write(p []byte) (int, error) {
	const most = 4096
	t.text += string(p[:min(len(p), most-len(t.text))])
	return len(p), nil
}

// records reads what a child tells, each record a line of JSON.
func records(out io.Reader, take func(record) error) (last record, err error) {
	dec := json.NewDecoder(out)
	for {
		var rec record
		err := dec.Decode(&rec)
		if errors.Is(err, io.EOF) {
			return last, nil
		}
		if err != nil {
			return last, fmt.Errorf("the reader told nonsense (%w): %w", err, fault.Bug)
		}
		if rec.Done || rec.Failed != nil {
			last = rec
			continue
		}
		if err := take(rec); err != nil {
			return last, err
		}
	}
}

// record is one line of the child's.
type record struct {
	Title   string   `json:"title,omitempty"`
	Section *Section `json:"section,omitempty"`
	Row     []string `json:"row,omitempty"`
	Warning string   `json:"warning,omitempty"`
	Sound   []byte   `json:"sound,omitempty"` // samples, little endian
	Failed  *failure `json:"failed,omitempty"`
	Done    bool     `json:"done,omitempty"`
	Peak    int64    `json:"peak,omitempty"` // bytes, with Done or Failed
}

// failure is an error that crosses from the child.
type failure struct {
	Kind fault.Kind `json:"kind"`
	Text string     `json:"text"`
}

// Error implements error.
func (f *failure) Error() string { return f.Text }

// Unwrap gives the kind.
func (f *failure) Unwrap() error { return f.Kind }

// newFailure takes the kind's own word from the end: it is told by Kind.
func newFailure(err error) *failure {
	k := fault.KindOf(err)
	return &failure{Kind: k, Text: string(bytes.ToValidUTF8([]byte(err.Error()), nil))}
}
