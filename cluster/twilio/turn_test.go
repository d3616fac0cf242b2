package twilio

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/connection"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/media/twilio"
)

// door is a socket of nobody.
type door struct{ code int }

func (d *door) Read() ([]byte, error)    { return nil, fault.Unavailable }
func (d *door) Write([]byte) error       { return nil }
func (d *door) Close(code int, _ string) { d.code = code }

// TestTheNextSocketAwaitsTheEndOfTheOneBefore: after a Dial the call's socket
// comes back, sometimes before the end of the first one was read.
func TestTheNextSocketAwaitsTheEndOfTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trunks := New(Options{})
		defer trunks.Close()
		c := newCall(trunks, &trunk{state: connection.State{}}, "k")
		ends := make(chan chan error, 2)
		c.run = func(twilio.Conn) (string, func() error, error) {
			end := make(chan error)
			return "/CA1", func() error { ends <- end; return <-end }, nil
		}
		c.line = twilio.NewLine(c.hangup)
		var sockets sync.WaitGroup
		sockets.Go(func() { c.serve(&door{}) })
		first := <-ends

		stranger := &door{}
		c.serve(stranger)
		require.Equal(t, 1008, stranger.code, "a second socket in the middle of a call")

		p := &pass{over: make(chan error, 1)}
		_, err := c.lend(p)
		require.NoError(t, err)
		c.afterDial("busy")
		sockets.Go(func() { c.serve(&door{}) })
		synctest.Wait()
		require.Empty(t, p.over, "the first socket is still read")
		close(first)
		second := <-ends
		require.Error(t, <-p.over)
		select {
		case <-c.ended:
			t.Fatal("the end of the first socket ended the call")
		default:
		}
		close(second)
		<-c.ended
		require.Equal(t, event.Completed, c.outcome.Status)
		sockets.Wait()
	})
}

// TestASocketThatNeverEndsHoldsNobodyUp: what waits for it gives up.
func TestASocketThatNeverEndsHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trunks := New(Options{})
		defer trunks.Close()
		c := newCall(trunks, &trunk{state: connection.State{}}, "k")
		c.turn <- struct{}{}
		c.pass = &pass{over: make(chan error, 1), failed: fault.Unavailable}
		begun := time.Now()
		require.False(t, c.takeTurn())
		require.Equal(t, turnWithin, time.Since(begun))
	})
}
