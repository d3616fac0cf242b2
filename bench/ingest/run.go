package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"flametree/bench/report"
	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest"
	"flametree/engine/knowledge/ingest/ingesttest"
)

// Options of a run. The zero value reads a PDF of 100 MB and 20 MB of each
// other format.
type Options struct {
	PDF   int64    // bytes
	Other int64    // bytes of each other format
	Dir   string   // for the files; what is made there is removed
	Self  []string // starts the child; default this program
}

// The promises.
const (
	wantedPeak = 300.0 // MB
	mega       = 1 << 20
	// under is how far below its limit a file stays: writers end a little later
	// than they are told.
	under = 64 << 10
)

// Run measures. It leaves nothing behind.
func Run(ctx context.Context, opt Options) (r report.Report, err error) {
	if opt.PDF == 0 {
		opt.PDF = 100 * mega
	}
	if opt.Other == 0 {
		opt.Other = 20 * mega
	}
	if opt.PDF < 0 || opt.Other < 0 {
		return r, fmt.Errorf("bench ingest: sizes cannot be negative: %w", fault.Invalid)
	}
	if len(opt.Self) == 0 {
		opt.Self = []string{"/proc/self/exe"}
	}
	dir, err := os.MkdirTemp(opt.Dir, "bench-ingest-")
	if err != nil {
		return r, fmt.Errorf("bench ingest: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r = report.Report{Name: "ingest", Machine: report.Here(time.Now())}
	r.Params.Add("pdf_mb", float64(opt.PDF)/mega)
	r.Params.Add("other_mb", float64(opt.Other)/mega)
	speed := report.Plot{Title: "Reading a file", Unit: "MB a second"}
	peak := report.Plot{Title: "Memory of the child", Unit: "MB", Lines: []report.Line{{Name: "wanted", At: wantedPeak}}}
	for _, format := range ingesttest.Formats() {
		size := opt.Other
		if format == "pdf" {
			size = opt.PDF
		}
		m, err := opt.measure(ctx, dir, format, size)
		if err != nil {
			return report.Report{}, fmt.Errorf("bench ingest: %s: %w", format, err)
		}
		m.tell(&r, format)
		speed.Groups = append(speed.Groups, report.Group{Name: format, Bars: []report.Bar{{Name: "MB/s", Value: m.rate()}}})
		peak.Groups = append(peak.Groups, report.Group{Name: format, Bars: []report.Bar{{Name: "MB", Value: m.peak()}}})
	}
	r.Plots = []report.Plot{speed, peak}
	r.Notes = []string{"The file is received, kept on disk and read in a child of its own; the time includes the child's start. " +
		"DOCX and XLSX are packed: their megabytes are those of the file. Text is what came out."}
	return r, nil
}

// measured is one file.
type measured struct {
	bytes       int64
	text        int64
	pages, last int
	took        time.Duration
	used        ingest.Usage
}

func (m measured) rate() float64 { return float64(m.bytes) / mega / m.took.Seconds() }
func (m measured) peak() float64 { return float64(m.used.PeakBytes) / mega }

func (m measured) tell(r *report.Report, format string) {
	v := report.Values{
		{Name: "file_mb", Of: float64(m.bytes) / mega},
		{Name: "mb_per_second", Of: m.rate()},
		{Name: "text_mb", Of: float64(m.text) / mega},
		{Name: "peak_mb", Of: m.peak()},
		{Name: "cpu_seconds", Of: m.used.CPU.Seconds()},
	}
	if m.pages > 0 {
		v.Add("pages", m.pages)
		v.Add("pages_per_second", float64(m.pages)/m.took.Seconds())
		r.Checks = append(r.Checks, report.Check{Name: format + ": pages written, pages read", Left: float64(m.pages), Right: float64(m.last)})
		r.Gates = append(r.Gates, report.Gate{Name: fmt.Sprintf("memory for a %s of %.0f MB", format, float64(m.bytes)/mega), Want: wantedPeak, Got: m.peak(), Unit: "MB"})
	}
	r.Metrics.Add(format, v)
}

// measure writes one file and reads it.
func (o Options) measure(ctx context.Context, dir, format string, size int64) (m measured, err error) {
	path := filepath.Join(dir, "file."+format)
	f, err := os.Create(path)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(path)) }()
	m.pages, err = ingesttest.Write(f, format, max(size-size/8, size-under-size/40)) // the PDF's table of objects comes after its pages
	if err != nil {
		return m, err
	}
	if m.bytes, err = f.Seek(0, io.SeekCurrent); err != nil {
		return m, err
	}
	if _, err = f.Seek(0, io.SeekStart); err != nil {
		return m, err
	}
	begun := time.Now()
	_, err = ingest.Parse(ctx, ingest.Options{
		Self: o.Self, Dir: dir, MaxText: 4 << 30,
		Each: func(s ingest.Section) error {
			m.text += int64(len(s.Text))
			m.last = max(m.last, s.Page)
			return nil
		},
		Used: func(u ingest.Usage) { m.used = u },
	}, f, "file."+format)
	m.took = time.Since(begun)
	return m, err
}
