package library

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/event"
	"flametree/engine/fault"
)

// told is a source with all that happened to it.
type told struct {
	State
	t   testing.TB
	log []event.Envelope
}

func (s *told) apply(events []event.Event) {
	for _, b := range events {
		e := event.Envelope{Seq: s.Seq + 1, Time: time.Unix(int64(s.Seq), 0), Body: b}
		s.log = append(s.log, e)
		s.Apply(e)
	}
}

// must applies the answer to a command that is allowed.
func (s *told) must(events []event.Event, err error) {
	s.t.Helper()
	require.NoError(s.t, err)
	s.apply(events)
}

func text(t testing.TB) *told {
	s := &told{t: t}
	s.must(s.Create(event.SourceCreated{Type: Text, Title: " Opening hours "}))
	return s
}

func (s *told) save(blob string) {
	s.t.Helper()
	s.must(s.Save(event.SourceSaved{Title: "Opening hours", Blob: blob, Bytes: 10}))
}

func TestStatusesOfASource(t *testing.T) {
	s := text(t)
	require.Equal(t, "Opening hours", s.Title)
	require.Equal(t, Pending, s.Status())
	_, err := s.Start()
	require.ErrorIs(t, err, fault.Invalid, "there is nothing to index")

	s.save("one")
	require.Equal(t, Pending, s.Status())
	s.must(s.Start())
	require.Equal(t, Indexing, s.Status())
	_, err = s.Start()
	require.ErrorIs(t, err, fault.Conflict, "one run at a time")
	s.apply(s.Finish(event.SourceIndexed{Run: 1, Revision: 1, Blob: "docs-1", Chunks: 3}))
	require.Equal(t, Ready, s.Status())

	s.save("two")
	require.Equal(t, Modified, s.Status())
	s.must(s.Connect("agent", 1))
	require.Equal(t, "docs-1", s.Found("agent"), "what was indexed before is found until the next run ends")
	s.must(s.Start())
	s.apply(s.Fail(2, "the file cannot be read: save it as PDF 1.7"))
	require.Equal(t, Error, s.Status())
	require.Equal(t, "docs-1", s.Found("agent"))
	s.save("three")
	require.Equal(t, Modified, s.Status(), "what failed is not what is there now")
	s.must(s.Start())
	s.apply(s.Finish(event.SourceIndexed{Run: 3, Revision: 3, Blob: "docs-3"}))
	require.Equal(t, Ready, s.Status())
	require.Equal(t, "docs-3", s.Found("agent"))

	s.must(s.Start())
	require.Equal(t, uint64(4), s.Run, "what is ready can be indexed again")
	s.save("four")
	s.apply(s.Finish(event.SourceIndexed{Run: 4, Revision: 3, Blob: "docs-4"}))
	require.Equal(t, Modified, s.Status(), "it was saved while it was indexed")
}

func TestAStoppedRunBringsNothing(t *testing.T) {
	s := text(t)
	s.save("one")
	s.must(s.Start())
	s.must(s.Stop())
	require.Equal(t, Pending, s.Status())
	require.Empty(t, s.Finish(event.SourceIndexed{Run: 1, Revision: 1, Blob: "late"}), "the run was stopped")
	require.Empty(t, s.Fail(1, "late"))
	s.must(s.Start())
	require.Empty(t, s.Finish(event.SourceIndexed{Run: 1, Revision: 1, Blob: "late"}), "another run is on")
	require.Empty(t, s.Fail(1, "late"))
	s.apply(s.Finish(event.SourceIndexed{Run: 2, Revision: 1, Blob: "docs"}))
	require.Equal(t, Ready, s.Status())
	s.must(s.Stop())
	require.Equal(t, Ready, s.Status(), "nothing was on")
}

func TestABrokenRunIsBegunAnew(t *testing.T) {
	s := text(t)
	require.Empty(t, s.Resume())
	s.save("one")
	s.must(s.Start())
	s.apply(s.Resume())
	require.True(t, s.Running)
	require.Equal(t, uint64(2), s.Run)
	require.Empty(t, s.Finish(event.SourceIndexed{Run: 1, Revision: 1}))
}

func TestAgentsAreConnectedAndDisconnected(t *testing.T) {
	s := text(t)
	_, err := s.Connect("new", 0)
	require.ErrorIs(t, err, fault.Invalid, "the agent was never saved")
	for _, a := range []string{"b", "a", "c", "b"} {
		s.must(s.Connect(a, 1))
	}
	require.Equal(t, []string{"a", "b", "c"}, s.Agents)
	s.must(s.Disconnect("b"))
	s.must(s.Disconnect("b"))
	require.Equal(t, []string{"a", "c"}, s.Agents)
	require.Empty(t, s.Found("b"))
}

func TestARemovedSourceIsGoneEverywhere(t *testing.T) {
	s := text(t)
	s.save("one")
	s.must(s.Connect("a", 1))
	s.must(s.Connect("b", 1))
	s.must(s.Start())
	out, err := s.Remove()
	require.NoError(t, err)
	require.Equal(t, []event.Event{
		event.SourceStopped{Run: 1}, event.SourceDisconnected{Agent: "a"}, event.SourceDisconnected{Agent: "b"}, event.SourceRemoved{},
	}, out)
	s.apply(out)
	require.Empty(t, s.Agents)
	for name, try := range map[string]func() ([]event.Event, error){
		"save":       func() ([]event.Event, error) { return s.Save(event.SourceSaved{Title: "x", Blob: "b"}) },
		"start":      s.Start,
		"stop":       s.Stop,
		"connect":    func() ([]event.Event, error) { return s.Connect("a", 1) },
		"disconnect": func() ([]event.Event, error) { return s.Disconnect("a") },
		"remove":     s.Remove,
	} {
		_, err := try()
		require.ErrorIs(t, err, fault.NotFound, name)
	}
	require.Empty(t, s.Finish(event.SourceIndexed{Run: 1}))
	require.Empty(t, s.Resume())
}

func TestWhatCannotBeASource(t *testing.T) {
	for name, born := range map[string]event.SourceCreated{
		"no title":             {Type: Text},
		"a title too long":     {Type: Text, Title: strings.Repeat("ä", MaxTitle+1)},
		"an unknown type":      {Type: "notion", Title: "x"},
		"a text with a mode":   {Type: Text, Title: "x", Mode: Vector},
		"a strange mode":       {Type: FAQ, Title: "x", Mode: "both"},
		"a website of no host": {Type: Website, Title: "x", Origin: "https://"},
		"a website of a file":  {Type: Website, Title: "x", Origin: "file:///etc/passwd"},
		"a video of two words": {Type: YouTube, Title: "x", Origin: "https://a b"},
	} {
		s := State{}
		out, err := s.Create(born)
		require.ErrorIs(t, err, fault.Invalid, name)
		require.Empty(t, out, name)
	}
	s := text(t)
	_, err := s.Create(event.SourceCreated{Type: Text, Title: "again"})
	require.ErrorIs(t, err, fault.Conflict)
	for name, saved := range map[string]event.SourceSaved{
		"no content":      {Title: "x"},
		"no title":        {Blob: "b"},
		"a text too long": {Title: "x", Blob: "b", Bytes: MaxTextBytes + 1},
	} {
		_, err := s.Save(saved)
		require.ErrorIs(t, err, fault.Invalid, name)
	}
	f := &told{t: t}
	f.must(f.Create(event.SourceCreated{Type: FAQ, Title: "x"}))
	require.Equal(t, Vector, f.Born.Mode)
	s.save("one")
	s.save("one")
	require.Equal(t, uint64(1), s.Content.Revision, "the same content is no new revision")
}

// Whatever is done in whatever order: what lives and what is replayed are the
// same, at most one run is on, and agents find what a run brought, never less.
func TestAnyLifeOfASource(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := &told{t: t}
		s.must(s.Create(event.SourceCreated{Type: Text, Title: "x"}))
		brought := []string{""}
		for range rapid.IntRange(0, 40).Draw(r, "steps") {
			agent := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "agent")
			run := rapid.Uint64Range(0, s.Run+1).Draw(r, "run")
			var out []event.Event
			switch rapid.SampledFrom([]string{"save", "start", "stop", "finish", "fail", "connect", "disconnect", "resume"}).Draw(r, "what") {
			case "save":
				out, _ = s.Save(event.SourceSaved{Title: "x", Blob: rapid.SampledFrom([]string{"1", "2"}).Draw(r, "blob")})
			case "start":
				out, _ = s.Start()
			case "stop":
				out, _ = s.Stop()
			case "finish":
				blob := "docs" + string(rune('0'+len(s.log)%10))
				if out = s.Finish(event.SourceIndexed{Run: run, Revision: s.Content.Revision, Blob: blob}); len(out) > 0 {
					brought = append(brought, blob)
					if run != s.Run || !s.Running {
						r.Fatal("a run that is not on has brought something")
					}
				}
			case "fail":
				out = s.Fail(run, "no")
			case "connect":
				out, _ = s.Connect(agent, 1)
			case "disconnect":
				out, _ = s.Disconnect(agent)
			case "resume":
				out = s.Resume()
			}
			s.apply(out)
			if slices.Contains(s.Agents, agent) && s.Found(agent) != brought[len(brought)-1] {
				r.Fatalf("found %q, brought %q", s.Found(agent), brought)
			}
		}
		var again State
		for _, e := range s.log {
			again.Apply(e)
		}
		require.Equal(t, s.State, again)
	})
}
