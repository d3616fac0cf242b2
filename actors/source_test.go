package actors_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/knowledge/library"
	"flametree/engine/tenant"
	"flametree/persist/journal"
	"flametree/persist/journal/journaltest"
)

// shelving is an Indexer whose runs end when and as a test says.
type shelving struct {
	begun chan uint64 // numbers of runs
	ended map[uint64]chan func() (event.SourceIndexed, error)
	told  string // what each run tells of its progress
}

func newShelving(runs int) *shelving {
	s := &shelving{begun: make(chan uint64, runs), ended: map[uint64]chan func() (event.SourceIndexed, error){}}
	for i := range runs {
		s.ended[uint64(i+1)] = make(chan func() (event.SourceIndexed, error), 1)
	}
	return s
}

// Index implements actors.Indexer. It does not mind its context, so that a run
// can end late.
func (s *shelving) Index(_ context.Context, r actors.Run) (event.SourceIndexed, error) {
	r.Told(actors.Progress{Doing: "reading", Done: 3, What: s.told})
	s.begun <- r.Source.Run
	return (<-s.ended[r.Source.Run])()
}

func (s *shelving) ends(run uint64, blob string) {
	s.ended[run] <- func() (event.SourceIndexed, error) {
		return event.SourceIndexed{Blob: blob, Entries: 1, Chunks: 2}, nil
	}
}

// shelf is a library of one source.
type shelf struct {
	t   *testing.T
	dir *actors.Registry
	id  actors.ID
	j   journal.Journal
}

func newShelf(t *testing.T, j journal.Journal, x actors.Indexer) *shelf {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	sys := actor.NewActorSystemWithConfig(actor.Configure(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return quiet })))
	kinds := actors.WithSources(map[event.StreamKind]actors.Maker{}, actors.Deps{Journal: j, Log: quiet}, x)
	t.Cleanup(func() { sys.Shutdown() })
	return &shelf{
		t: t, dir: actors.NewLocal(sys, kinds, quiet), j: j,
		id: actors.ID{Kind: event.SourceStream, Tenant: tenant.ID{1}, Name: "s"},
	}
}

func (s *shelf) try(msg any) (*actors.SourceView, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	got, err := s.dir.Ask(ctx, s.id, msg)
	if err != nil {
		return nil, err
	}
	return got.(*actors.SourceView), nil
}

func (s *shelf) ask(msg any) *actors.SourceView {
	s.t.Helper()
	v, err := s.try(msg)
	require.NoError(s.t, err)
	return v
}

// until looks at the source until it stands as wanted.
func (s *shelf) until(want library.Status) *actors.SourceView {
	s.t.Helper()
	for range 100_000 {
		if v := s.ask(&actors.LookSource{}); v.State.Status() == want {
			return v
		}
	}
	s.t.Fatalf("the source is never %s: %+v", want, s.ask(&actors.LookSource{}).State)
	return nil
}

func (s *shelf) kinds() []string {
	var out []string
	for e, err := range s.j.Read(context.Background(), s.id.Stream(), 1) {
		require.NoError(s.t, err)
		out = append(out, string(e.Body.Kind()))
	}
	return out
}

func full(index bool) *actors.CreateSource {
	return &actors.CreateSource{
		Born:  event.SourceCreated{Type: library.Text, Title: "Tides"},
		Saved: &event.SourceSaved{Title: "Tides", Blob: "one"}, Connect: []actors.Connection{{Agent: "a", Revision: 1}}, Index: index,
	}
}

func TestASourceIsIndexedBesideItsActor(t *testing.T) {
	x := newShelving(1)
	x.told = "page 3"
	s := newShelf(t, journaltest.NewMemory(), x)
	require.Equal(t, library.Indexing, s.ask(full(true)).State.Status())
	require.Equal(t, uint64(1), <-x.begun)
	v := s.ask(&actors.LookSource{})
	require.Equal(t, actors.Progress{Doing: "reading", Done: 3, What: "page 3"}, v.Progress, "it answers while it is being indexed")
	x.ends(1, "docs")
	v = s.until(library.Ready)
	require.Equal(t, "docs", v.State.Found("a"))
	require.Equal(t, uint64(1), v.State.Indexed.Revision)
	require.Zero(t, v.Progress)
}

func TestASourceIsMadeWholeOrNotAtAll(t *testing.T) {
	s := newShelf(t, journaltest.NewMemory(), newShelving(1))
	m := full(true)
	m.Connect[0].Revision = 0 // an agent that was never saved
	_, err := s.try(m)
	require.ErrorIs(t, err, fault.Invalid)
	require.Empty(t, s.kinds())
	_, err = s.try(&actors.LookSource{})
	require.ErrorIs(t, err, fault.NotFound)
}

func TestWhatAStoppedRunBringsLateIsNotTaken(t *testing.T) {
	x := newShelving(2)
	s := newShelf(t, journaltest.NewMemory(), x)
	s.ask(full(true))
	<-x.begun
	require.Equal(t, library.Pending, s.ask(&actors.StopIndexing{}).State.Status())
	s.ask(&actors.IndexSource{})
	require.Equal(t, uint64(2), <-x.begun, "a new run does not wait for the old one")
	x.ends(1, "late")
	x.ends(2, "docs")
	require.Equal(t, "docs", s.until(library.Ready).State.Indexed.Blob)
	require.Equal(t, uint64(2), s.ask(&actors.LookSource{}).State.Indexed.Run)
}

func TestWhatIsSavedDuringARunIsIndexedAfterIt(t *testing.T) {
	x := newShelving(2)
	s := newShelf(t, journaltest.NewMemory(), x)
	s.ask(full(true))
	<-x.begun
	s.ask(&actors.SaveSource{Saved: event.SourceSaved{Title: "Tides", Blob: "two"}}) // without Index: the run goes on
	x.ends(1, "of one")
	v := s.until(library.Modified)
	require.Equal(t, uint64(1), v.State.Indexed.Revision, "the run read what was there when it began")
	s.ask(&actors.SaveSource{Saved: event.SourceSaved{Title: "Tides", Blob: "two"}, Index: true})
	<-x.begun
	x.ends(2, "of two")
	require.Equal(t, "of two", s.until(library.Ready).State.Found("a"))
	before := s.kinds()
	s.ask(&actors.SaveSource{Saved: event.SourceSaved{Title: "Tides", Blob: "two"}, Index: true})
	require.Equal(t, before, s.kinds(), "what agents find already is not read again")
}

func TestARunIsBegunAgainAfterTheProcessEnded(t *testing.T) {
	j := journaltest.NewMemory()
	dead, alive := newShelving(1), newShelving(2)
	s := newShelf(t, j, dead)
	s.ask(full(true))
	<-dead.begun
	s = newShelf(t, j, alive) // the process that began the run is gone for the journal
	require.NoError(t, s.dir.Send(s.id, &actors.Recover{}))
	require.Equal(t, uint64(2), <-alive.begun)
	dead.ends(1, "of the dead")
	alive.ends(2, "docs")
	v := s.until(library.Ready)
	require.Equal(t, "docs", v.State.Indexed.Blob)
	require.Equal(t, []string{
		"source.created.v1", "source.saved.v1", "source.connected.v1", "source.indexing.v1",
		"source.stopped.v1", "source.indexing.v1", "source.indexed.v1",
	}, s.kinds())
}

func TestAFailedRunLeavesWhatWasThere(t *testing.T) {
	x := newShelving(3)
	s := newShelf(t, journaltest.NewMemory(), x)
	s.ask(full(true))
	x.ends(<-x.begun, "docs")
	s.until(library.Ready)
	for run, end := range map[uint64]func() (event.SourceIndexed, error){
		2: func() (event.SourceIndexed, error) {
			return event.SourceIndexed{}, fmt.Errorf("the page is behind a login: %w", fault.Denied)
		},
		3: func() (event.SourceIndexed, error) { panic(errors.New("a nil map")) },
	} {
		x.ended[run] <- end
	}
	s.ask(&actors.IndexSource{})
	<-x.begun
	require.Equal(t, "the page is behind a login", s.until(library.Error).State.Failure)
	s.ask(&actors.IndexSource{})
	<-x.begun
	v := s.until(library.Error)
	require.Contains(t, v.State.Failure, "fault of the program")
	require.NotContains(t, v.State.Failure, "nil map")
	require.Equal(t, "docs", v.State.Found("a"), "agents go on finding what was there")
}

func TestARemovedSourceIsGone(t *testing.T) {
	x := newShelving(1)
	s := newShelf(t, journaltest.NewMemory(), x)
	s.ask(full(true))
	<-x.begun
	require.True(t, s.ask(&actors.RemoveSource{}).State.Removed)
	x.ends(1, "late")
	_, err := s.try(&actors.ConnectSource{Agent: "b", Revision: 1})
	require.ErrorIs(t, err, fault.NotFound)
	_, err = s.try(&actors.Write{Text: "hello"})
	require.ErrorIs(t, err, fault.Bug, "a message of others")
}
