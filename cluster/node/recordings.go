package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"flametree/actors"
	"flametree/cluster/config"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/media/record"
	"flametree/persist/blob"
	"flametree/persist/journal/pebble"
	"flametree/persist/readmodel"
	"flametree/persist/vault"
)

// RecordingCard is a kept recording as people are shown it.
type RecordingCard struct {
	Session string        `json:"session"`
	Call    string        `json:"call"`
	Agent   string        `json:"agent"`
	At      time.Time     `json:"at"` // when it was kept
	Length  time.Duration `json:"length"`
	Paused  time.Duration `json:"paused,omitempty"` // of Length: silent because nothing was to be recorded
	RateHz  uint32        `json:"rate_hz"`
	Bytes   uint64        `json:"bytes"` // as a WAV file
	Cut     bool          `json:"cut,omitempty"`
}

// Peaks is the outline of a recording: the loudest sample of each side in every
// step, 0 to 255.
type Peaks struct {
	StepMS int64 `json:"step_ms"`
	Left   []int `json:"left"`
	Right  []int `json:"right"`
}

func peaksOf(p *actors.Peaks) Peaks {
	out := Peaks{StepMS: p.Step.Milliseconds(), Left: make([]int, len(p.Left)), Right: make([]int, len(p.Right))}
	for i := range p.Left {
		out.Left[i] = int(p.Left[i])
	}
	for i := range p.Right {
		out.Right[i] = int(p.Right[i])
	}
	return out
}

// Recordings gives out kept recordings and deletes them. It is safe for
// concurrent use.
type Recordings struct {
	Journal *pebble.Journal
	Model   *readmodel.Model // folded up to the present
	Blobs   *blob.Store
}

// OpenRecordings gives the recordings of a data folder; Blobs are made there if
// there are none.
func OpenRecordings(c config.Config, j *pebble.Journal, m *readmodel.Model) (*Recordings, error) {
	blobs, err := blob.Open(filepath.Join(c.Data, "blob"))
	return &Recordings{Journal: j, Model: m, Blobs: blobs}, err
}

func (n *Node) recordings() *Recordings {
	return &Recordings{Journal: n.journal, Model: n.model, Blobs: n.blobs}
}

// List shows every recording there is, the newest call first.
func (r *Recordings) List() []RecordingCard {
	out := []RecordingCard{}
	for _, s := range r.Model.Sessions(1<<30, func(s readmodel.Session) bool { return s.Recording != "" }) {
		out = append(out, RecordingCard{
			Session: s.ID, Call: s.Call, Agent: s.Agent, At: s.Recorded.At, Length: s.Recorded.Length, Paused: s.Recorded.Paused,
			RateHz: s.Recorded.RateHz, Bytes: s.Recorded.Bytes, Cut: s.Recorded.Cut,
		})
	}
	return out
}

// find is the session of a recording, by its id or its call's.
func (r *Recordings) find(id string) (readmodel.Session, error) {
	s, ok := r.Model.Session(id)
	if !ok {
		s, ok = r.Model.OfCall(id)
	}
	if !ok || s.Recording == "" {
		return s, fmt.Errorf("no recording of %q: %w", id, fault.NotFound)
	}
	return s, nil
}

func callOf(s readmodel.Session) actors.ID {
	return actors.ID{Kind: event.CallStream, Tenant: s.Tenant, Name: s.Call}
}

// Tape is an open recording as a WAV file. It opens what is read of it as it is
// read, belongs to one goroutine, and is to be closed.
type Tape struct {
	*record.Sound
	io.Closer
	Blob string // names it for good
}

// Open opens the recording of a session. fault.NotFound says that there is
// none, or that the person was erased.
func (r *Recordings) Open(ctx context.Context, id string) (*Tape, error) {
	s, err := r.find(id)
	if err != nil {
		return nil, err
	}
	key, err := personKey(ctx, r.Journal, s.Tenant, s.ID)
	if err != nil {
		return nil, fmt.Errorf("recording of %q: %w", id, err)
	}
	f, err := r.Blobs.Get(s.Recording)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("recording of %q: %w: %w", id, fault.Unavailable, err), f.Close())
	}
	sound, err := record.Open(f, info.Size(), sealName(callOf(s)), unlocks(key, callOf(s)))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Tape{Sound: sound, Closer: f, Blob: s.Recording}, nil
}

// maxPeaks bounds an outline that is read.
const maxPeaks = 1 << 20

// Peaks gives the outline of a session's recording.
func (r *Recordings) Peaks(ctx context.Context, id string) (Peaks, error) {
	s, err := r.find(id)
	if err != nil {
		return Peaks{}, err
	}
	if s.Recorded.Peaks == "" {
		return Peaks{}, fmt.Errorf("the recording of %q has no outline: %w", id, fault.NotFound)
	}
	key, err := personKey(ctx, r.Journal, s.Tenant, s.ID)
	if err != nil {
		return Peaks{}, fmt.Errorf("recording of %q: %w", id, err)
	}
	f, err := r.Blobs.Get(s.Recorded.Peaks)
	if err != nil {
		return Peaks{}, err
	}
	defer func() { _ = f.Close() }() // only read
	plain, err := vault.OpenFile(f, key, peaksName(callOf(s)))
	if err != nil {
		return Peaks{}, err
	}
	text, err := io.ReadAll(io.LimitReader(plain, maxPeaks))
	if err != nil {
		return Peaks{}, err
	}
	var out Peaks
	if err := json.Unmarshal(text, &out); err != nil {
		return Peaks{}, fmt.Errorf("outline of %q: %w: %w", id, fault.Invalid, err)
	}
	return out, nil
}

// Delete removes the recording of a session and its outline, and tells the
// journal why. The files go first: whoever is stopped in between deletes again.
// It fails with fault.Conflict while the call runs.
func (r *Recordings) Delete(ctx context.Context, id, reason string) error {
	s, err := r.find(id)
	if err != nil {
		return err
	}
	if !s.CallEnded {
		return fmt.Errorf("the call of %q is not over: %w", id, fault.Conflict)
	}
	for _, name := range []string{s.Recording, s.Recorded.Peaks} {
		if name == "" || r.shared(name, s.ID) {
			continue
		}
		if err := r.Blobs.Delete(name); err != nil {
			return err
		}
	}
	return actors.Close(ctx, r.Journal, callOf(s), []event.Event{event.RecordingDeleted{Blob: s.Recording, Reason: reason}})
}

// shared reports whether another session needs a blob, too.
func (r *Recordings) shared(name, but string) bool {
	return len(r.Model.Sessions(1, func(s readmodel.Session) bool {
		return s.ID != but && (s.Recording == name || s.Recorded.Peaks == name)
	})) > 0
}

// Sweep deletes the recordings that were kept for longer than keep, 0 being for
// ever, and says how many. It goes on behind one that cannot be deleted; the
// next sweep tries that again.
func (r *Recordings) Sweep(ctx context.Context, now time.Time, keep time.Duration) (deleted int, err error) {
	if keep <= 0 {
		return 0, nil
	}
	old := r.Model.Sessions(1<<30, func(s readmodel.Session) bool {
		return s.Recording != "" && s.CallEnded && now.Sub(s.Recorded.At) > keep
	})
	for _, s := range old {
		if ctx.Err() != nil {
			return deleted, errors.Join(err, ctx.Err())
		}
		if one := r.Delete(ctx, s.ID, "retention"); one != nil {
			err = errors.Join(err, fmt.Errorf("recording of session %s: %w", s.ID, one))
			continue
		}
		deleted++
	}
	return deleted, err
}

// sweep deletes old recordings at once and every day.
func (n *Node) sweep(ctx context.Context) {
	tick := time.NewTicker(24 * time.Hour)
	defer tick.Stop()
	for {
		deleted, err := n.recordings().Sweep(ctx, time.Now(), n.cfg.Retention.Recordings)
		if err != nil && ctx.Err() == nil {
			n.log.Error("recordings not deleted in time", "err", err)
		}
		if deleted > 0 {
			n.log.Info("recordings deleted", "count", deleted)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
