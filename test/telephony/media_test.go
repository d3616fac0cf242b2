package telephony_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/test/telephony"
)

// Packets of somebody who was not agreed on are no sound of the call, not even
// with its synchronisation source and the next sequence numbers.
func TestStrangersSoundIsNotHeard(t *testing.T) {
	t.Parallel()
	o := plain(t, nil)
	phone := telephony.NewPhone(t, "anna", "127.0.0.1")
	require.Equal(t, 200, phone.Dial(o.SIP, "board"))
	call, session := o.CallOf(t, "anna")
	telephony.Of[event.ReplySpoken](t, o, session, nil)
	phone.Sing(callerHz)
	phone.Listen(25)
	other := telephony.NewPhone(t, "eve", "127.0.0.1")
	other.Intrude(phone)
	other.Sing(bystanderHz)
	phone.Listen(100)
	require.Greater(t, o.Brain.Heard(callerHz), -3.0)
	require.Less(t, o.Brain.Heard(bystanderHz), -40.0, "the stranger is heard")
	t.Logf("figure: the caller is heard at %.1f dB, the stranger at %.1f dB", o.Brain.Heard(callerHz), o.Brain.Heard(bystanderHz))
	phone.Bye()
	o.Ended(t, call, session)
}

// Keys whose end packets are lost, and keys behind a jump of the source, count
// once each.
func TestKeysOverBadLines(t *testing.T) {
	for name, how := range map[string]telephony.Pressing{
		"as it should be": {}, "the packets that end a key are lost": {LoseEnd: true}, "the source jumps": {Jump: true},
		"both": {LoseEnd: true, Jump: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := plain(t, nil)
			phone := telephony.NewPhone(t, "anna", "127.0.0.1")
			require.Equal(t, 200, phone.Dial(o.SIP, "board"))
			call, session := o.CallOf(t, "anna")
			telephony.Of[event.ReplySpoken](t, o, session, nil)
			phone.Press("4423#", how)
			require.Equal(t, "4423", telephony.Of[event.UtteranceHeard](t, o, session, nil).Text.Text)
			phone.Bye()
			o.Ended(t, call, session)
		})
	}
}

// Keys pressed between the answer and its acknowledgement are not lost with the
// greeting still to come, and those before the answer harm nobody.
func TestKeysBeforeTheCallIsUp(t *testing.T) {
	t.Parallel()
	o := plain(t, nil)
	phone := telephony.NewPhone(t, "anna", "127.0.0.1")
	phone.Begin(o.SIP, "board")
	phone.Send("INFO", "Signal=1\r\n")
	require.Equal(t, 200, phone.Taken())
	call, session := o.CallOf(t, "anna")
	phone.Press("42#", telephony.Pressing{})
	require.Equal(t, "42", telephony.Of[event.UtteranceHeard](t, o, session, nil).Text.Text)
	phone.Bye()
	ended, _ := o.Ended(t, call, session)
	require.Equal(t, "hangup", ended.Reason)
}

// A caller who promised to refresh the session and never does is hung up on
// when it expires (RFC 4028 10). The shortest there is takes a minute.
func TestCallerWhoNeverRefreshes(t *testing.T) {
	t.Parallel()
	o := plain(t, nil)
	phone := telephony.NewPhone(t, "anna", "127.0.0.1")
	require.Equal(t, 422, phone.Dial(o.SIP, "board", "Supported: timer", "Session-Expires: 30"), "shorter than anybody needs")
	require.Equal(t, 200, phone.Dial(o.SIP, "board", "Supported: timer", "Session-Expires: 90;refresher=uac"))
	call, session := o.CallOf(t, "anna")
	if os.Getenv("FLAMETREE_TEST_LONG") == "" {
		phone.Bye()
		o.Ended(t, call, session)
		return
	}
	begun := time.Now()
	phone.Gone(95 * time.Second)
	t.Logf("figure: hung up on after %v of the 90 s", time.Since(begun).Round(time.Second))
	require.Greater(t, time.Since(begun), 45*time.Second)
	o.Ended(t, call, session)
}

// Sound over roads on which packets are lost, overtake each other and come
// late, by a seed: the tone goes on. How much of it is right is measured in
// frames of 20 ms at the agent's ear.
func TestSoundOverBadRoads(t *testing.T) {
	const ms = time.Millisecond
	for name, test := range map[string]struct {
		weather telephony.Weather
		whole   float64 // share of frames that are the tone
	}{
		"clear":                       {telephony.Weather{Seed: 1}, 0.97},
		"5 % lost":                    {telephony.Weather{Seed: 2, Lose: 0.05}, 0.90},
		"30 ms of jitter":             {telephony.Weather{Seed: 3, Delay: 20 * ms, Jitter: 30 * ms}, 0.90},
		"10 % come behind the next":   {telephony.Weather{Seed: 4, Swap: 0.1, Behind: 25 * ms}, 0.90},
		"150 ms late and all of that": {telephony.Weather{Seed: 5, Lose: 0.03, Swap: 0.05, Behind: 25 * ms, Delay: 150 * ms, Jitter: 20 * ms}, 0.85},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := plain(t, nil)
			road := telephony.NewRoad(t, test.weather)
			phone := telephony.NewPhone(t, "anna", "127.0.0.1")
			phone.Through(road)
			require.Equal(t, 200, phone.Dial(o.SIP, "board"))
			call, session := o.CallOf(t, "anna")
			telephony.Of[event.ReplySpoken](t, o, session, nil)
			phone.Sing(callerHz)
			phone.Listen(200)
			phone.Sing(0)
			phone.Bye()
			ended, _ := o.Ended(t, call, session)
			whole, all := frames(o.Brain.Ears()[0].PCM())
			seen, lost, overtaken := road.Carried()
			t.Logf("figure: %d of %d frames are the tone; the road carried %d, lost %d, let %d be overtaken; the leg says received %d, lost %d, jitter %v, MOS %.2f",
				whole, all, seen, lost, overtaken, ended.Received, ended.Lost, ended.Jitter.Round(time.Millisecond), ended.Quality)
			require.Greater(t, all, 100)
			require.GreaterOrEqual(t, float64(whole), test.whole*float64(all))
		})
	}
}

// frames counts the frames of 20 ms between the first and the last of the tone,
// and those that are the tone.
func frames(pcm []int16) (whole, all int) {
	const size = 320
	first, last := -1, -1
	var right []bool
	for at := 0; at+size <= len(pcm); at += size {
		ok := telephony.Level(pcm[at:at+size], callerHz, 16000) > -10
		if right = append(right, ok); ok {
			if last = at / size; first < 0 {
				first = at / size
			}
		}
	}
	if first < 0 {
		return 0, 0
	}
	for _, ok := range right[first : last+1] {
		if ok {
			whole++
		}
	}
	return whole, last + 1 - first
}
