package telephony_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/test/telephony"
)

// The ways to leave a call.
const (
	byBye = iota
	byCancel
	bySilence
	byClosing
	ways
)

// departure is a caller who leaves after a while, in his way.
type departure struct {
	name  string
	way   int
	after time.Duration
	taken bool // he had the answer, and acknowledged it
}

// 500 callers leave at moments that a seed chooses, before, while and after
// they are answered: by CANCEL, by BYE, by falling silent or by closing their
// sockets. No call is left over, none ended twice, each ended as it was left,
// and the process holds what it held before.
func TestCallersWhoLeaveAtAnyMoment(t *testing.T) {
	if !apart(t) {
		return
	}
	o := plain(t, nil, "VOICE_MEDIA_LOST_SECONDS", "1", "VOICE_MEDIA_START_SECONDS", "2")
	warm := telephony.NewPhone(t, "first", "127.0.0.1")
	require.Equal(t, 200, warm.Dial(o.SIP, "board"), "the first call makes what lasts")
	warm.Bye()
	warm.Close()
	o.Quiet(t, 5*time.Second)
	require.Eventually(t, func() bool { return telephony.Holds(t).Sockets > 0 }, time.Second, time.Millisecond)
	before := telephony.Holds(t)

	callers, atOnce := 80, 40
	if os.Getenv("FLAMETREE_TEST_LONG") != "" {
		callers, atOnce = 500, 50
	}
	chance := rand.New(rand.NewPCG(500, 1)) // it repeats itself by intent
	plans := make(chan departure, callers)
	for i := range callers {
		plans <- departure{name: fmt.Sprintf("leaver%d", i), way: i % ways, after: time.Duration(chance.Int64N(int64(400 * time.Millisecond)))}
	}
	close(plans)
	var mu sync.Mutex
	left := make(map[string]departure)
	var work sync.WaitGroup
	for range atOnce {
		work.Go(func() {
			for d := range plans {
				d.leave(t, o)
				mu.Lock()
				left[d.name] = d
				mu.Unlock()
			}
		})
	}
	work.Wait()
	waits(t)
	o.Quiet(t, 45*time.Second) // an answer that nobody acknowledges is repeated for 32 s
	settled(t, before)
	tally(t, o, left)
}

func (d *departure) leave(t *testing.T, o *telephony.Office) {
	phone := telephony.NewPhone(t, d.name, "127.0.0.1")
	defer phone.Close()
	phone.Begin(o.SIP, "board")
	if d.way == byCancel {
		time.Sleep(d.after % (3 * time.Millisecond)) // an answer takes no longer
		phone.Send("CANCEL", "")
		if phone.Final("INVITE", 5*time.Second) == 200 { // it came too late
			phone.Taken()
			d.taken = true
			phone.Ask("BYE", "")
		} else {
			phone.Send("ACK", "")
		}
		return
	}
	if d.way == byClosing && d.after < 100*time.Millisecond {
		time.Sleep(d.after / 50)
		return // without having heard of an answer
	}
	if phone.Taken() != 200 {
		return
	}
	d.taken = true
	time.Sleep(d.after)
	switch d.way {
	case byBye:
		phone.Ask("BYE", "")
	case bySilence:
		phone.Mute(true)
		phone.Gone(8 * time.Second)
	}
}

// tally checks how each call ended against how it was left.
func tally(t *testing.T, o *telephony.Office, left map[string]departure) {
	t.Helper()
	who, ended := make(map[string]string), make(map[string][]event.CallEnded)
	for _, e := range o.Events() {
		switch b := e.Body.(type) {
		case event.SessionCreated:
			who[b.Call] = b.Phone.Text
		case event.CallEnded:
			ended[e.Stream.ID] = append(ended[e.Stream.ID], b)
		default:
		}
	}
	count := make(map[string]int)
	for call, name := range who {
		d, ours := left[name]
		require.Len(t, ended[call], 1, "%s", name)
		if !ours {
			continue
		}
		reason := ended[call][0].Reason
		count[fmt.Sprintf("%s: %s", []string{"BYE", "CANCEL", "silence", "closed"}[d.way], reason)]++
		require.Contains(t, truths(d), reason, "%+v", d)
	}
	t.Logf("figure: %d calls, each with one end: %v", len(who), count)
}

// truths are the reasons that would be true of a call that was left.
func truths(d departure) []string {
	switch {
	case d.way == byBye, d.way == byCancel && d.taken:
		return []string{"hangup"}
	case d.way == byCancel:
		return []string{"canceled"}
	case d.way == bySilence:
		return []string{"media_lost"}
	}
	return []string{"media_lost", "failed"} // no packet any more, or no acknowledgement
}
