package actors_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/actors/actorstest"
	"flametree/engine/knowledge"
)

// remote is knowledge whose questions have to be prepared outside.
type remote struct {
	begun, let chan struct{}
	ready      atomic.Bool
	early      atomic.Int32 // searches before the question was ready
}

func (r *remote) Seek(ctx context.Context, _ knowledge.Query) {
	r.begun <- struct{}{}
	select {
	case <-r.let:
		r.ready.Store(true)
	case <-ctx.Done():
	}
}

func (r *remote) Find(knowledge.Query) []knowledge.Hit {
	if !r.ready.Load() {
		r.early.Add(1)
	}
	return nil
}

func TestAQuestionIsMadeReadyWhileTheSessionGoesOn(t *testing.T) {
	h := actorstest.New(t, time.Minute)
	r := &remote{begun: make(chan struct{}, 4), let: make(chan struct{})}
	h.Cast.Knowledge = r
	h.Begin(t, "s")
	answered := make(chan *actors.Answered, 1)
	go func() {
		got, _ := h.Dir.Ask(context.Background(), h.Session("s"), &actors.Write{Text: "good morning"})
		a, _ := got.(*actors.Answered)
		answered <- a
	}()
	<-r.begun
	require.NotNil(t, look(t, h, "s").State.Open, "the session answers while its question is made ready")
	close(r.let)
	a := <-answered
	require.NotNil(t, a)
	require.Equal(t, "You said: good morning", a.Text)
	require.Zero(t, r.early.Load(), "nothing is searched for before")
}

func TestAQuestionThatIsGivenUpAsksNoModel(t *testing.T) {
	h := actorstest.New(t, time.Minute)
	r := &remote{begun: make(chan struct{}, 4), let: make(chan struct{})}
	h.Cast.Knowledge = r
	h.Begin(t, "s")
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = h.Dir.Ask(context.Background(), h.Session("s"), &actors.Write{Text: "good morning"})
	}()
	<-r.begun
	require.NoError(t, h.Dir.Send(h.Session("s"), &actors.StopReply{}))
	<-done
	close(r.let)
	look(t, h, "s")
	require.Zero(t, h.Model.Requests(), "the reply was not asked for")
}
