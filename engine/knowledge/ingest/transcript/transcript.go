// Package transcript makes words of recordings: audio and video files are
// decoded in the limited child of package ingest and given to a recogniser of
// speech, and what it hears comes back as a document whose headings are the
// times at which something was said.
//
// It refuses to choose the recogniser and to know what the words are for. It is
// no live ear: it waits for the recogniser, so that none loses a word because a
// file is read faster than it is spoken.
package transcript

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest"
	"flametree/engine/knowledge/ingest/parse"
	"flametree/engine/provider"
)

// Options of reading. Read.Self and Ears are needed; zero values of the rest are
// good.
type Options struct {
	Read      ingest.Options // MaxBytes default 1 GB, CPU 10 min, Timeout twice MaxLength
	Ears      provider.Transcriber
	Language  string
	Hints     provider.Hints
	MaxLength time.Duration             // of a recording; default 3 h
	Told      func(heard time.Duration) // how much of it was heard, from the reader's goroutine
}

// Read gives the words of one recording. An error is one of ingest.Sound or of
// the recogniser; a recording in which nobody speaks is fault.Invalid.
func Read(ctx context.Context, opt Options, file io.Reader, name string) (parse.Document, error) {
	if opt.Ears == nil {
		return parse.Document{}, fmt.Errorf("%q: no recogniser of speech is set up: give the text of the recording: %w", name, fault.Invalid)
	}
	opt.MaxLength = cmp.Or(opt.MaxLength, 3*time.Hour)
	opt.Read.MaxBytes = cmp.Or(opt.Read.MaxBytes, 1<<30)
	opt.Read.CPU = cmp.Or(opt.Read.CPU, 10*time.Minute)
	opt.Read.Timeout = cmp.Or(opt.Read.Timeout, 2*opt.MaxLength)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := opt.Ears.Open(ctx, provider.Format{
		RateHz: ingest.SoundRate, BandHz: ingest.SoundRate, Language: opt.Language, Hints: opt.Hints,
	})
	if err != nil {
		return parse.Document{}, fmt.Errorf("%q: the recogniser of speech: %w", name, err)
	}
	l := listener{stream: stream, told: opt.Told, finals: make(chan provider.Hearing, 1), done: make(chan error, 1)}
	go l.hear(ctx)
	err = ingest.Sound(ctx, opt.Read, file, name, opt.MaxLength, func(pcm []int16) error { return l.take(ctx, pcm) })
	if err == nil {
		err = l.last(ctx)
	} else {
		cancel()
		<-l.done //nolint:errcheck // the fault is known
	}
	if err != nil {
		return parse.Document{}, err
	}
	doc := parse.Document{Source: name, Sections: sections(l.said)}
	if len(doc.Sections) == 0 {
		return parse.Document{}, fmt.Errorf("%q: nobody was understood in the recording: give its text: %w", name, fault.Invalid)
	}
	doc.Warnings = []string{"the words were recognised from the sound and may hold mistakes"}
	return doc, nil
}

// The lengths at which a recording is cut: at a pause, or else in the middle.
// Recognisers hold some seconds of what they have not heard yet: no more than
// longest waits at a time.
const (
	frame    = ingest.SoundRate / 50
	shortest = 3 * ingest.SoundRate
	longest  = 7 * ingest.SoundRate
	pause    = 15  // frames: 300 ms
	silence  = 100 // power of a frame that holds nothing: 10 of 32768
)

// listener feeds a recogniser as fast as it hears.
type listener struct {
	stream provider.Transcription
	told   func(time.Duration)
	finals chan provider.Hearing
	done   chan error // how hearing ended

	heard int // samples before the stretch that is open
	open  int // samples of it
	quiet int // frames in a row
	loud  float64
	said  []line
}

// line is what was said in one stretch.
type line struct {
	at   time.Duration
	text string
}

// hear passes finals on until the stream ends.
func (l *listener) hear(ctx context.Context) {
	var err error
	defer func() { close(l.finals); l.done <- err }()
	for h, e := range l.stream.Heard() {
		if e != nil {
			err = e
			return
		}
		if !h.Final {
			continue
		}
		select {
		case l.finals <- h:
		case <-ctx.Done():
			return
		}
	}
}

// take hears some samples.
func (l *listener) take(ctx context.Context, pcm []int16) error {
	for len(pcm) > 0 {
		n := min(frame, len(pcm))
		if err := l.stream.Write(pcm[:n]); err != nil {
			return l.broken(err)
		}
		l.level(pcm[:n])
		l.open += n
		pcm = pcm[n:]
		if l.open >= longest || l.open >= shortest && l.quiet >= pause {
			if err := l.cut(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// level counts quiet frames: those with a tenth of the loudness that speech had
// lately, and those that hold nothing at all.
func (l *listener) level(pcm []int16) {
	sum := 0.0
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	power := sum / float64(len(pcm))
	l.loud = max(power, l.loud*0.999) // half of it is forgotten in 14 s
	if power < max(l.loud/100, silence) {
		l.quiet++
		return
	}
	l.quiet = 0
}

// cut ends a stretch and waits until it was understood.
func (l *listener) cut(ctx context.Context) error {
	if err := l.stream.Finalize(); err != nil {
		return l.broken(err)
	}
	select {
	case h, ok := <-l.finals:
		if !ok {
			return l.broken(nil)
		}
		l.note(h)
	case <-ctx.Done():
		return fmt.Errorf("the recording was not heard to its end: %w: %w", fault.Cancelled, ctx.Err())
	}
	l.heard += l.open
	l.open, l.quiet = 0, 0
	if l.told != nil {
		l.told(length(l.heard))
	}
	return nil
}

func (l *listener) note(h provider.Hearing) {
	if text := strings.TrimSpace(h.Text); text != "" {
		l.said = append(l.said, line{at: length(l.heard), text: text})
	}
}

// last takes in what comes after the end of the file.
func (l *listener) last(ctx context.Context) error {
	if err := l.stream.CloseSend(); err != nil {
		return l.broken(err)
	}
	for h := range l.finals {
		l.note(h)
	}
	err := <-l.done
	l.done <- err
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", fault.Cancelled, ctx.Err())
	}
	if err != nil {
		return l.broken(err)
	}
	if l.told != nil {
		l.told(length(l.heard + l.open))
	}
	return nil
}

// broken is why the recogniser hears no more.
func (l *listener) broken(err error) error {
	select {
	case why := <-l.done:
		l.done <- why
		err = errors.Join(why, err)
	default:
	}
	if err == nil {
		return fmt.Errorf("the recogniser of speech ended early: %w", fault.Unavailable)
	}
	return fmt.Errorf("the recogniser of speech: %w", err)
}

func length(samples int) time.Duration {
	return time.Duration(samples) * time.Second / ingest.SoundRate
}

// sections joins lines into stretches of about two minutes.
func sections(said []line) []parse.Section {
	const (
		stretch = 2 * time.Minute
		long    = 4000
	)
	var out []parse.Section
	var begun time.Duration
	for _, s := range said {
		n := len(out)
		if n == 0 || s.at-begun >= stretch || len(out[n-1].Text)+len(s.text) > long {
			out = append(out, parse.Section{Heading: clock(s.at), Text: s.text})
			begun = s.at
			continue
		}
		out[n-1].Text += " " + s.text
	}
	return out
}

// clock writes a place in a recording: 1:02:03 or 2:03.
func clock(d time.Duration) string {
	s := int(d / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
