package vendors

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/speechtest"
)

// What is said. A letter lasts 20 ms on the way to a recogniser.
const (
	said  = "how do i block my card please"
	frame = 320 // samples of 20 ms
	rate  = 16000
)

// errSilent ends a measurement that waits in vain.
var errSilent = fmt.Errorf("nothing came: %w", fault.Unavailable)

// patience bounds one measurement.
const patience = 20 * time.Second

// line is an open recogniser and what it has heard.
type line struct {
	provider.Transcription
	heard chan hearing
	stop  context.CancelFunc
}

type hearing struct {
	provider.Hearing
	at  time.Time
	err error
}

func listen(ctx context.Context, t provider.Transcriber) (*line, error) {
	ctx, stop := context.WithTimeout(ctx, 10*patience)
	s, err := t.Open(ctx, provider.Format{RateHz: rate, BandHz: rate, Language: "en"})
	if err != nil {
		stop()
		return nil, err
	}
	l := &line{Transcription: s, heard: make(chan hearing, 4096), stop: stop}
	go func() {
		defer close(l.heard)
		for h, err := range s.Heard() {
			l.heard <- hearing{Hearing: h, at: time.Now(), err: err}
			if err != nil {
				return
			}
		}
	}()
	return l, nil
}

// next waits for a hearing that fits. An end without one is errSilent.
func (l *line) next(ctx context.Context, fits func(hearing) bool) (hearing, error) {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case h, ok := <-l.heard:
			switch {
			case !ok:
				return hearing{}, errSilent
			case fits(h):
				return h, nil
			case h.err != nil:
				return h, h.err
			}
		case <-late.C:
			return hearing{}, errSilent
		case <-ctx.Done():
			return hearing{}, ctx.Err()
		}
	}
}

// end closes a line and waits until it has.
func (l *line) end() {
	_ = l.CloseSend() // it may have ended
	l.stop()
	for range l.heard {
	}
}

// pace writes sound as a call does, and gives the time of the last sample.
func (l *line) pace(ctx context.Context, pcm []int16) (time.Time, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ; len(pcm) >= frame; pcm = pcm[frame:] {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
		if err := l.Write(pcm[:frame]); err != nil {
			return time.Time{}, err
		}
	}
	return time.Now(), nil
}

// latency measures what is waited for. cut cuts the vendor's sockets.
func (o Options) latency(ctx context.Context, v *vendor, cut func() error) error {
	if err := o.hearing(ctx, v); err != nil {
		return fmt.Errorf("hearing: %w", err)
	}
	if v.sockets {
		if err := o.reconnects(ctx, v, cut); err != nil {
			return fmt.Errorf("reconnect: %w", err)
		}
	}
	if v.mouth == nil {
		return nil
	}
	if err := o.speaking(ctx, v); err != nil {
		return fmt.Errorf("speaking: %w", err)
	}
	return nil
}

func (o Options) hearing(ctx context.Context, v *vendor) error {
	l, err := listen(ctx, v.ears)
	if err != nil {
		return err
	}
	defer l.end()
	// The first word is over with the silence behind it: then a partial may come.
	first := speechtest.Sound("how ", rate, speechtest.Letter)
	rest := speechtest.Sound(said[len("how "):]+" ", rate, speechtest.Letter)
	for range o.Utterances {
		begun, err := l.pace(ctx, first)
		if err != nil {
			return err
		}
		if _, err := l.pace(ctx, rest); err != nil {
			return err
		}
		asked := time.Now()
		if err := l.Finalize(); err != nil {
			return err
		}
		h, err := l.next(ctx, v.partials(begun, asked))
		if err != nil {
			return err
		}
		if h.Text != said {
			return fmt.Errorf("it heard %q: %w", h.Text, fault.Bug)
		}
		v.final = append(v.final, ms(h.at.Sub(asked)))
	}
	return nil
}

// partials notes how long after begun the first words came, if they came before
// asked, and fits the last words.
func (v *vendor) partials(begun, asked time.Time) func(hearing) bool {
	partial := false
	return func(h hearing) bool {
		if h.err == nil && !h.Final && h.Text != "" && !partial {
			partial = true
			if h.at.Before(asked) {
				v.partial = append(v.partial, ms(h.at.Sub(begun)))
			}
		}
		return h.err == nil && h.Final && h.Text != ""
	}
}

// reconnects cuts a socket in the middle of an utterance, opens the next, and
// gives it what was said in the last five seconds.
func (o Options) reconnects(ctx context.Context, v *vendor, cut func() error) error {
	pcm := append(make([]int16, 4*rate), speechtest.Sound(said+" ", rate, speechtest.Letter)...)
	for range min(o.Utterances, 5) {
		l, err := listen(ctx, v.ears)
		if err != nil {
			return err
		}
		_, err = l.pace(ctx, pcm[4*rate:])
		begun := time.Now()
		if err = errors.Join(err, cut()); err == nil {
			_, err = l.next(ctx, func(h hearing) bool { return h.err != nil })
		}
		l.end()
		if err != nil {
			return err
		}
		if l, err = listen(ctx, v.ears); err != nil {
			return err
		}
		err = errors.Join(l.Write(pcm), l.Finalize())
		var h hearing
		if err == nil {
			h, err = l.next(ctx, func(h hearing) bool { return h.err == nil && h.Final && h.Text != "" })
		}
		l.end()
		if err != nil {
			return err
		}
		if h.Text != said {
			return fmt.Errorf("it heard %q again: %w", h.Text, fault.Bug)
		}
		v.again = append(v.again, ms(h.at.Sub(begun)))
	}
	return nil
}

func (o Options) speaking(ctx context.Context, v *vendor) error {
	ctx, stop := context.WithTimeout(ctx, 10*patience)
	defer stop()
	s, err := v.mouth.Open(ctx, provider.Voice{Language: "en"})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	n, begun, first := 0, time.Now(), true
	if err := s.Speak(said, 1, 1); err != nil {
		return err
	}
	for a, err := range s.Audio() {
		if err != nil {
			return err
		}
		if first && len(a.PCM) > 0 {
			v.sound, first = append(v.sound, ms(time.Since(begun))), false
		}
		if !a.Last {
			continue
		}
		if n++; n == o.Utterances {
			return nil
		}
		begun, first = time.Now(), true
		if err := s.Speak(said, 1, uint64(n+1)); err != nil {
			return err
		}
	}
	return errSilent
}

// meter is what this process has used.
type meter struct {
	cpu    time.Duration
	allocs uint64
	bytes  uint64
}

func reads() meter {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail for oneself
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return meter{cpu: time.Duration(u.Utime.Nano() + u.Stime.Nano()), allocs: m.Mallocs, bytes: m.TotalAlloc}
}

func (m meter) since(of time.Duration) spent {
	now := reads()
	return spent{
		cpu:    100 * float64(now.cpu-m.cpu) / float64(of),
		allocs: float64(now.allocs-m.allocs) / of.Seconds(),
		kilo:   float64(now.bytes-m.bytes) / 1024 / of.Seconds(),
	}
}

// cost counts what a vendor's audio costs. It runs alone and faster than a call.
func (o Options) cost(ctx context.Context, v *vendor) error {
	l, err := listen(ctx, v.ears)
	if err != nil {
		return err
	}
	defer l.end()
	pcm := speechtest.Sound(said+" ", rate, speechtest.Letter)
	runtime.GC()
	m, written := reads(), time.Duration(0)
	for written < o.Audio {
		for at := 0; at+frame <= len(pcm); at += frame {
			if err := l.Write(pcm[at : at+frame]); err != nil {
				return err
			}
		}
		written += time.Duration(len(pcm)) * time.Second / rate
		if err := l.Finalize(); err != nil {
			return err
		}
		if _, err := l.next(ctx, func(h hearing) bool { return h.err == nil && h.Final }); err != nil {
			return err
		}
	}
	v.hearing = m.since(written)
	if v.mouth == nil {
		return nil
	}
	return o.voiceCost(ctx, v)
}

func (o Options) voiceCost(ctx context.Context, v *vendor) error {
	ctx, stop := context.WithTimeout(ctx, 10*patience)
	defer stop()
	s, err := v.mouth.Open(ctx, provider.Voice{Language: "en"})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	runtime.GC()
	m, spoken, n := reads(), time.Duration(0), uint64(1)
	if err := s.Speak(said, 1, n); err != nil {
		return err
	}
	for a, err := range s.Audio() {
		if err != nil {
			return err
		}
		if a.RateHz > 0 {
			spoken += time.Duration(len(a.PCM)) * time.Second / time.Duration(a.RateHz)
		}
		if !a.Last {
			continue
		}
		if spoken >= o.Audio {
			v.speaking = m.since(spoken)
			return nil
		}
		if n++; s.Speak(said, 1, n) != nil {
			return errSilent
		}
	}
	return errSilent
}
