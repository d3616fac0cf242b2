package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/cluster/config"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/media/record"
	"flametree/media/wav"
	"flametree/persist/journal"
	"flametree/persist/readmodel"
)

// tapeHouse is a node as far as recordings need one.
type tapeHouse struct {
	*Node
	t      *testing.T
	tenant tenant.ID
	errs   bytes.Buffer
}

func newTapeHouse(t *testing.T, data string) *tapeHouse {
	t.Helper()
	c, err := config.Load(config.Sources{
		Flags: map[string]string{"data": data, "disk.low": "1MB", "disk.ballast": "1MB"}, Getenv: func(string) string { return "" },
	})
	require.NoError(t, err)
	a := &tapeHouse{t: t, tenant: tenant.ID{7}}
	a.Node = &Node{cfg: c, log: slog.New(slog.NewTextHandler(&a.errs, nil)), model: readmodel.New(), spools: record.New()}
	require.NoError(t, os.MkdirAll(filepath.Join(data, "spool"), 0o700))
	a.journal, err = OpenJournal(c, a.log, nil)
	require.NoError(t, err)
	a.blobs, err = openBlobs(a.Node)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	a.done.Go(func() { _ = a.model.Run(a.journal.Subscribe(ctx, 1)) })
	t.Cleanup(func() {
		cancel()
		require.NoError(t, a.spools.Close())
		require.NoError(t, a.journal.Close())
		a.done.Wait()
	})
	return a
}

func (a *tapeHouse) call(name string) actors.ID {
	return actors.ID{Kind: event.CallStream, Tenant: a.tenant, Name: "call-" + name}
}

func (a *tapeHouse) append(s event.Stream, subject string, at time.Time, events ...event.Event) {
	a.t.Helper()
	head, err := a.journal.Claim(a.t.Context(), s)
	require.NoError(a.t, err)
	_, err = a.journal.Append(a.t.Context(), journal.Batch{
		Stream: s, Expected: head.Version, Epoch: head.Epoch, Subject: subject, At: at, Events: events,
	})
	require.NoError(a.t, err)
	require.NoError(a.t, a.caughtUp(a.t.Context()))
}

// begin has somebody call.
func (a *tapeHouse) begin(name string) actors.Recorder {
	a.t.Helper()
	id := a.call(name)
	a.append(event.Stream{Tenant: a.tenant, Kind: event.SessionStream, ID: name}, name, time.Now(), event.SessionCreated{
		Agent: "desk", Call: id.Name, Phone: event.P("100"),
	})
	a.append(id.Stream(), name, time.Now(), event.CallOffered{Session: name, From: event.P("sip:100@x")})
	rec, err := recorders{a.Node}.Open(a.t.Context(), id, name, 8000)
	require.NoError(a.t, err)
	speak(rec, 50)
	return rec
}

func speak(rec actors.Recorder, frames int) {
	loud := bytes.Repeat([]byte{1}, 160)
	side := make([]int16, len(loud))
	for i := range side {
		side[i] = 0x3c5a
	}
	for range frames {
		rec.Frame(side, side)
	}
}

// end keeps the recording of a call that ended at a time.
func (a *tapeHouse) end(name string, rec actors.Recorder, at time.Time) event.RecordingClosed {
	a.t.Helper()
	r, err := rec.Close()
	require.NoError(a.t, err)
	kept, err := recorders{a.Node}.Keep(a.t.Context(), a.call(name), name, r)
	require.NoError(a.t, err)
	closed := kept.Closed(r)
	a.append(a.call(name).Stream(), name, at, closed, event.CallEnded{Reason: "hangup"})
	kept.Done()
	return closed
}

func (a *tapeHouse) plays(name string) error {
	t, err := a.Recording(a.t.Context(), name)
	if err != nil {
		return err
	}
	defer func() { require.NoError(a.t, t.Close()) }()
	sound, err := wav.Read(t, wav.Limits{})
	if err == nil && (len(sound.PCM) == 0 || sound.PCM[0] != 0x3c5a) {
		err = fmt.Errorf("other sound")
	}
	return err
}

// nothing of what was said is in any file.
func (a *tapeHouse) sealed() {
	a.t.Helper()
	mark := bytes.Repeat([]byte{0x5a, 0x3c}, 8)
	files := 0
	require.NoError(a.t, filepath.WalkDir(a.cfg.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		files++
		require.False(a.t, bytes.Contains(b, mark), path)
		return err
	}))
	require.Greater(a.t, files, 3)
}

func TestARecordingGoesWithThePerson(t *testing.T) {
	a := newTapeHouse(t, t.TempDir())
	a.end("anna", a.begin("anna"), time.Now())
	a.end("bert", a.begin("bert"), time.Now())
	a.sealed()
	require.NoError(t, a.plays("anna"))
	_, err := a.recordings().Peaks(t.Context(), "anna")
	require.NoError(t, err)
	require.NoError(t, a.journal.Forget(t.Context(), a.tenant, "anna"))
	require.ErrorIs(t, a.plays("anna"), fault.NotFound)
	_, err = a.recordings().Peaks(t.Context(), "anna")
	require.ErrorIs(t, err, fault.NotFound)
	require.NoError(t, a.plays("bert"))
}

func TestAPersonWhoIsErasedDuringACallLeavesNoRecording(t *testing.T) {
	a := newTapeHouse(t, t.TempDir())
	rec := a.begin("anna")
	require.NoError(t, a.journal.Forget(t.Context(), a.tenant, "anna"))
	r, err := rec.Close()
	require.NoError(t, err)
	_, err = recorders{a.Node}.Keep(t.Context(), a.call("anna"), "anna", r)
	require.ErrorIs(t, err, fault.NotFound)
	left, err := os.ReadDir(filepath.Join(a.cfg.Data, "spool"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestRecordingsAreDeletedWhenTheirTimeIsUp(t *testing.T) {
	const day = 24 * time.Hour
	a := newTapeHouse(t, t.TempDir())
	now := time.Now()
	old := a.end("old", a.begin("old"), now.Add(-91*day))
	a.end("young", a.begin("young"), now.Add(-89*day))
	rec := a.begin("running")
	defer func() { _, _ = rec.Close() }()

	n, err := a.recordings().Sweep(t.Context(), now, 0)
	require.NoError(t, err)
	require.Zero(t, n, "0 keeps them for ever")
	require.NoError(t, a.plays("old"))

	// A sweep that was stopped between file and journal is finished by the next.
	require.NoError(t, a.blobs.Delete(old.Blob))
	n, err = a.recordings().Sweep(t.Context(), now, a.cfg.Retention.Recordings)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.NoError(t, a.caughtUp(t.Context()))
	require.ErrorIs(t, a.plays("old"), fault.NotFound)
	require.NoError(t, a.plays("young"))
	_, err = a.blobs.Get(old.Peaks)
	require.ErrorIs(t, err, fault.NotFound, "the outline goes, too")
	n, err = a.recordings().Sweep(t.Context(), now, a.cfg.Retention.Recordings)
	require.NoError(t, err)
	require.Zero(t, n, "once")
	var told []event.RecordingDeleted
	for e, err := range a.journal.Read(t.Context(), a.call("old").Stream(), 1) {
		require.NoError(t, err)
		if b, ok := e.Body.(event.RecordingDeleted); ok {
			told = append(told, b)
		}
	}
	require.Equal(t, []event.RecordingDeleted{{Blob: old.Blob, Reason: "retention"}}, told)
}

func TestABlobThatAnotherSessionNeedsStays(t *testing.T) {
	a := newTapeHouse(t, t.TempDir())
	now := time.Now()
	one := a.end("one", a.begin("one"), now.Add(-100*24*time.Hour))
	_, err := a.begin("two").Close()
	require.NoError(t, err)
	a.append(a.call("two").Stream(), "two", now, one, event.CallEnded{Reason: "hangup"})
	n, err := a.recordings().Sweep(t.Context(), now, 90*24*time.Hour)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	f, err := a.blobs.Get(one.Blob)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func TestARecordingOfARunningCallIsNotDeleted(t *testing.T) {
	a := newTapeHouse(t, t.TempDir())
	r, err := a.begin("anna").Close()
	require.NoError(t, err)
	kept, err := recorders{a.Node}.Keep(t.Context(), a.call("anna"), "anna", r)
	require.NoError(t, err)
	a.append(a.call("anna").Stream(), "anna", time.Now(), kept.Closed(r))
	require.ErrorIs(t, a.recordings().Delete(t.Context(), "anna", "asked"), fault.Conflict)
	require.ErrorIs(t, a.recordings().Delete(t.Context(), "nobody", "asked"), fault.NotFound)
	require.NoError(t, a.plays("anna"))
}

func TestACrashBetweenKeepingAndTellingLosesNothing(t *testing.T) {
	data := t.TempDir()
	a := newTapeHouse(t, data)
	r, err := a.begin("anna").Close()
	require.NoError(t, err)
	kept, err := recorders{a.Node}.Keep(t.Context(), a.call("anna"), "anna", r)
	require.NoError(t, err) // the process dies here
	require.NoError(t, a.recoverSpools(t.Context()))
	require.NoError(t, a.caughtUp(t.Context()))
	s, _ := a.model.Session("anna")
	require.Equal(t, kept.Blob, s.Recording)
	require.NoError(t, a.plays("anna"))
	left, err := os.ReadDir(filepath.Join(data, "spool"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// The session of a call is committed in its own stream, before the call's.
func TestACallThatWasNeverCommittedHasNoRecording(t *testing.T) {
	a := newTapeHouse(t, t.TempDir())
	id := a.call("anna")
	a.append(event.Stream{Tenant: a.tenant, Kind: event.SessionStream, ID: "anna"}, "anna", time.Now(), event.SessionCreated{
		Agent: "desk", Call: id.Name, Phone: event.P("100"),
	})
	rec, err := recorders{a.Node}.Open(t.Context(), id, "anna", 8000)
	require.NoError(t, err)
	speak(rec, 50)
	_, err = rec.Close()
	require.NoError(t, err) // the process dies here
	require.NoError(t, a.recoverSpools(t.Context()))
	require.NoFileExists(t, recorders{a.Node}.spool(id.Name))
	for e, err := range a.journal.Read(t.Context(), id.Stream(), 1) {
		require.Fail(t, "a call that never was has events", "%v %v", e, err)
	}
	require.Empty(t, a.errs.String())
}

func TestASpoolThatWasTamperedWithIsToldAndLeftAlone(t *testing.T) {
	a := newTapeHouse(t, t.TempDir())
	rec := a.begin("anna")
	_, err := rec.Close()
	require.NoError(t, err)
	path := recorders{a.Node}.spool("call-anna")
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	b[len(b)/2] ^= 1
	require.NoError(t, os.WriteFile(path, b, 0o600))
	require.NoError(t, a.recoverSpools(t.Context()))
	require.Contains(t, a.errs.String(), "was changed")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, b, after)
	require.ErrorIs(t, a.plays("anna"), fault.NotFound)
}

func TestARecordingIsOfOneCallOnly(t *testing.T) {
	a := newTapeHouse(t, t.TempDir())
	one := a.end("one", a.begin("one"), time.Now())
	two := a.end("two", a.begin("two"), time.Now())
	swap := func(name string) string { return filepath.Join(a.cfg.Data, "blob", "sha256", name[:2], name) }
	require.NoError(t, os.Rename(swap(two.Blob), swap(one.Blob)))
	require.ErrorIs(t, a.plays("one"), fault.Invalid)
}

func TestWhatIsPressedInAPauseIsShownToNobody(t *testing.T) {
	h := new(hushed)
	take := func(seq uint64, b event.Event) event.Event {
		h.take(event.Envelope{Seq: seq, Body: b})
		return h.body(b)
	}
	digit := func(d string, at int) event.CallDigit {
		return event.CallDigit{Digit: event.P(d), Offset: time.Duration(at) * time.Second}
	}
	require.Equal(t, "7", take(1, digit("7", 1)).(event.CallDigit).Digit.Text, "before")
	take(2, event.RecordingPaused{Reason: "asked", Offset: 2 * time.Second})
	for i, d := range "4929570#123" {
		require.NotContains(t, take(uint64(3+i), digit(string(d), 3)).(event.CallDigit).Digit.Text, string(d))
	}
	heard := h.body(event.UtteranceHeard{Text: event.P("yes 12"), Digits: true, Offset: 4 * time.Second})
	require.NotContains(t, heard.(event.UtteranceHeard).Text.Text, "12")
	inputs := h.body(event.CallInputs{Inputs: []event.TurnInput{
		{Kind: "digit", Text: event.P("7"), Offset: time.Second}, {Kind: "digit", Text: event.P("4"), Offset: 3 * time.Second},
	}}).(event.CallInputs)
	require.Equal(t, "7", inputs.Inputs[0].Text.Text)
	require.NotEqual(t, "4", inputs.Inputs[1].Text.Text)
	take(20, event.RecordingResumed{Offset: 5 * time.Second})
	require.Equal(t, "8", take(21, digit("8", 6)).(event.CallDigit).Digit.Text, "afterwards")

	for text, want := range map[string]string{
		"your card 4929570 is fine":   "your card ********** is fine",
		"4929-570":                    "**********-**********",
		"code 123, room 45":           "code **********, room 45",
		"it costs 300 euros":          "it costs 300 euros",
		"agent a123b and 01X123":      "agent a123b and 01X123",
		`{"card":"4929570","n":4929}`: `{"card":"**********","n":**********}`,
	} {
		require.Equal(t, want, h.text(text), text)
	}
	require.Equal(t, `{"Pos":4929,"Text":"say \"**********\" now","Offset":123}`, string(h.quoted([]byte(`{"Pos":4929,"Text":"say \"4929\" now","Offset":123}`))))
	again := *h
	take(20, event.RecordingPaused{Offset: 9 * time.Second})
	require.Equal(t, again, *h, "what is known already changes nothing")
}

func FuzzQuoted(f *testing.F) {
	f.Add([]byte(`{"a":"1234","b":["\"1234\"",1234]}`))
	f.Add([]byte(`"\`))
	f.Add([]byte(`""""`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		h := &hushed{spans: []span{{to: time.Hour, pressed: "1234"}}}
		if out := h.quoted(doc); !bytes.Contains(doc, []byte("123")) && !bytes.Contains(doc, []byte("234")) && !bytes.Equal(out, doc) {
			t.Fatalf("%q became %q", doc, out)
		}
	})
}

var _ io.ReadSeeker = (*Tape)(nil)
