package actors

import "sync/atomic"

// tee gives both sides of a call to its recorder and to whoever listens. It is
// the leg's Recorder only while there is somebody to feed. All but Frame and
// Pause are the actor's.
type tee struct {
	rec    Recorder // nil: nothing is recorded
	rateHz int      // at which the leg began to feed it
	fed    bool     // the leg feeds it

	secret atomic.Bool // what is said now is for nobody
	sinks  atomic.Pointer[[]sink]
}

type sink struct {
	id   uint64
	take func(left, right []int16)
}

var _ Recorder = (*tee)(nil)

// Frame implements Recorder. What is not to be recorded is silence for all who
// listen, so that their clocks go on.
func (t *tee) Frame(left, right []int16) {
	if t.rec != nil {
		t.rec.Frame(left, right)
	}
	sinks := t.sinks.Load()
	if sinks == nil {
		return
	}
	if t.secret.Load() {
		left, right = nil, nil
	}
	for _, s := range *sinks {
		s.take(left, right)
	}
}

// Pause implements Recorder.
func (t *tee) Pause(on bool) {
	if t.rec != nil {
		t.rec.Pause(on)
	}
}

// Close implements Recorder.
func (t *tee) Close() (Recording, error) {
	if t.rec == nil {
		return Recording{}, nil
	}
	return t.rec.Close()
}

// idle reports whether nobody listens.
func (t *tee) idle() bool { return t.sinks.Load() == nil }

func (t *tee) add(id uint64, take func(left, right []int16)) {
	var all []sink
	if old := t.sinks.Load(); old != nil {
		all = append(all, *old...)
	}
	all = append(all, sink{id, take})
	t.sinks.Store(&all)
}

func (t *tee) drop(id uint64) {
	old := t.sinks.Load()
	if old == nil {
		return
	}
	var all []sink
	for _, s := range *old {
		if s.id != id {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		t.sinks.Store(nil)
		return
	}
	t.sinks.Store(&all)
}
