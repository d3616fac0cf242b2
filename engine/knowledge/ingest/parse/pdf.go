package parse

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"flametree/engine/fault"
)

// scanned is how many characters a page must have not to be taken for a picture.
const scanned = 10

// readPDF reads the text of a PDF page by page with poppler's programs, which
// are ended with ctx.
func readPDF(ctx context.Context, in Input, sink Sink) error {
	if in.Path == "" {
		return fmt.Errorf("a PDF must be a file on disk to be read: %w", fault.Bug)
	}
	facts, err := pdfFacts(ctx, in)
	if err != nil {
		return err
	}
	if facts.title != "" {
		sink.Title(clip(facts.title, 255))
	}
	if facts.locked {
		sink.Warn("the PDF is encrypted, but opens without a password: its text was read")
	}
	cutOff, err := endless(in)
	if err != nil {
		return err
	}
	p := pdf{builder: builder{sink: sink}}
	if err := p.read(ctx, in); err != nil {
		return err
	}
	if cutOff {
		sink.Warn(fmt.Sprintf("the PDF looks cut off: %d pages could be read; upload the file anew if there are more", p.pages))
	}
	if p.pages < facts.pages {
		sink.Warn(fmt.Sprintf("only %d of %d pages could be read: the file is damaged after them", p.pages, facts.pages))
	}
	switch {
	case p.pages > 0 && len(p.empty) == p.pages:
		sink.Warn("the PDF holds pictures of text (a scan) and no text: run character recognition over it (OCR, for example ocrmypdf) and upload the result")
	case len(p.empty) > 0:
		sink.Warn(fmt.Sprintf("%d of %d pages hold no text (%s): if they are scans, run character recognition (OCR) over the file and upload the result",
			len(p.empty), p.pages, listed(p.empty)))
	}
	return nil
}

func listed(pages []int) string {
	const some = 8
	out := make([]string, 0, some)
	for _, p := range pages[:min(len(pages), some)] {
		out = append(out, strconv.Itoa(p))
	}
	if len(pages) > some {
		out = append(out, "…")
	}
	return strings.Join(out, ", ")
}

// endless reports whether the mark of the end (ISO 32000-1, 7.5.5) is missing.
func endless(in Input) (bool, error) {
	tail := make([]byte, min(2048, in.Size))
	if _, err := in.At.ReadAt(tail, in.Size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("read the end of the file: %w", err)
	}
	return !bytes.Contains(tail, []byte("%%EOF")), nil
}

type pdfInfo struct {
	title  string
	pages  int
	locked bool
}

// program prepares one of poppler's programs. It dies with us and writes what
// it says to said.
func program(ctx context.Context, said io.Writer, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Stderr = said
	c.WaitDelay = time.Second
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c
}

func pdfFacts(ctx context.Context, in Input) (pdfInfo, error) {
	var said bounded
	out, err := program(ctx, &said, "pdfinfo", "-enc", "UTF-8", in.Path).Output()
	if err != nil {
		return pdfInfo{}, pdfTrouble(ctx, err, said.text)
	}
	var f pdfInfo
	for l := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(l, ":")
		value = oneLine(value)
		switch name {
		case "Title":
			f.title = value
		case "Pages":
			f.pages, _ = strconv.Atoi(value)
		case "Encrypted":
			f.locked = strings.HasPrefix(value, "yes")
		}
	}
	return f, nil
}

// pdfTrouble says what is wrong with a file that poppler gave up on.
func pdfTrouble(ctx context.Context, err error, said string) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("pdftotext is not installed: install poppler-utils: %w", fault.Unavailable)
	case strings.Contains(said, "Incorrect password"):
		return fmt.Errorf("the PDF is protected by a password: save it without one and upload it anew: %w", fault.Invalid)
	case strings.Contains(said, "Unsupported security handler"), strings.Contains(said, "Couldn't find the '") && strings.Contains(said, "security handler"):
		return fmt.Errorf("the PDF is protected in a way that is not known: save it without protection and upload it anew: %w", fault.Invalid)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if w, ok := exit.Sys().(syscall.WaitStatus); ok && w.Signaled() || strings.Contains(strings.ToLower(said), "out of memory") {
			return fmt.Errorf("the PDF needs more memory or time to be read than a document may: split it and upload the parts: %w", fault.Invalid)
		}
		return fmt.Errorf("the PDF is damaged or cut off: save it again and upload it anew: %w", fault.Invalid)
	}
	return fmt.Errorf("pdftotext could not be run (%w): %w", err, fault.Unavailable)
}

// bounded keeps the beginning of what a program says.
type bounded struct{ text string }

func (b *bounded) Write(p []byte) (int, error) {
	const most = 4096
	b.text += string(p[:min(len(p), most-len(b.text))])
	return len(p), nil
}

// pdf gathers pages.
type pdf struct {
	builder
	pages int
	empty []int
}

// read lets pdftotext write the pages, each ended by a form feed.
func (p *pdf) read(ctx context.Context, in Input) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var said bounded
	c := program(ctx, &said, "pdftotext", "-q", "-enc", "UTF-8", "-eol", "unix", in.Path, "-")
	out, err := c.StdoutPipe()
	if err != nil {
		return fmt.Errorf("pdftotext could not be run (%w): %w", err, fault.Unavailable)
	}
	if err := c.Start(); err != nil {
		return pdfTrouble(ctx, err, "")
	}
	readErr := p.lines(out)
	if readErr != nil {
		cancel()
	}
	waitErr := c.Wait()
	if readErr != nil {
		return readErr
	}
	if waitErr != nil && p.pages == 0 {
		return pdfTrouble(ctx, waitErr, said.text)
	}
	return ctx.Err()
}

func (p *pdf) lines(out io.Reader) error {
	r := bufio.NewReaderSize(out, MaxSection)
	var page []string
	size := 0
	for {
		b, err := r.ReadSlice('\n')
		line := string(b)
		for {
			before, after, ended := strings.Cut(line, "\f")
			if s := strings.TrimRight(before, "\n"); size < maxCell {
				page = append(page, s)
				size += len(s)
			}
			if !ended {
				break
			}
			if err := p.page(page); err != nil {
				return err
			}
			page, size, line = page[:0], 0, after
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("read what pdftotext writes: %w", err)
		}
	}
}

// page tells one page.
func (p *pdf) page(lines []string) error {
	p.pages++
	if err := p.turn(p.pages); err != nil {
		return err
	}
	n := 0
	for _, l := range lines {
		n += utf8.RuneCountInString(strings.TrimSpace(l))
	}
	if n < scanned {
		p.empty = append(p.empty, p.pages)
	}
	if err := p.para(unwrap(lines)); err != nil {
		return err
	}
	return p.flush()
}

// unwrap joins the lines of a page that are one sentence to the reader: those
// that reach the right margin and neither end a sentence nor stand before an
// item of a list. A word broken by a hyphen at a line's end becomes whole.
func unwrap(lines []string) string {
	widest := 0
	for _, l := range lines {
		widest = max(widest, utf8.RuneCountInString(l))
	}
	var b strings.Builder
	for i, l := range lines {
		l = strings.TrimSpace(l)
		next := ""
		if i+1 < len(lines) {
			next = strings.TrimSpace(lines[i+1])
		}
		first, _ := utf8.DecodeRuneInString(next)
		stem, hyphen := strings.CutSuffix(l, "-")
		switch {
		case hyphen && unicode.IsLower(first) && stem != "" && unicode.IsLetter(lastRune(stem)):
			b.WriteString(stem)
		case runsOn(l, next, widest):
			b.WriteString(l)
			b.WriteByte(' ')
		default:
			b.WriteString(l)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func runsOn(l, next string, widest int) bool {
	if l == "" || next == "" || utf8.RuneCountInString(l)*10 < widest*7 {
		return false
	}
	first, _ := utf8.DecodeRuneInString(next)
	return !strings.ContainsRune(".!?:;", lastRune(l)) && (unicode.IsLetter(first) || unicode.IsDigit(first) || first == '(' || first == '"')
}

func lastRune(s string) rune {
	r, _ := utf8.DecodeLastRuneInString(s)
	return r
}
