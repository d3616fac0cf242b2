package twilio

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"flametree/engine/fault"
)

// Recorded is a recording that Twilio has made of a call: WAV, the caller on the
// left.
type Recorded struct {
	Connection, Call, SID string // the call's and the recording's names at Twilio
	Length                time.Duration
	// Fetch reads the file; the caller closes it.
	Fetch func(ctx context.Context) (io.ReadCloser, error)
}

// hookRecorded tells that a recording is complete.
const hookRecorded = "recorded"

// RecordThere has Twilio record the call, for calls whose sound never comes
// here. It is for calls that were answered; Options.Recorded is told when the
// file is there.
func (w *wire) RecordThere(ctx context.Context) error {
	c := w.call
	c.t.mu.Lock()
	sid, on := c.sid, c.started && !c.over && !c.taped
	c.taped = c.taped || on
	c.t.mu.Unlock()
	if !on {
		return fmt.Errorf("record: the call was not answered, is over or is recorded: %w", fault.Conflict)
	}
	return c.trunk.api.ask(ctx, http.MethodPost, "/Calls/"+url.PathEscape(sid)+"/Recordings.json", url.Values{
		"RecordingChannels":            {"dual"},
		"RecordingStatusCallback":      {c.t.address(c.trunk, hookRecorded, c.key)},
		"RecordingStatusCallbackEvent": {"completed"},
	}, nil)
}

// recorded takes the word that a recording is there, once.
func (c *call) recorded(form url.Values) error {
	sid := form.Get("RecordingSid")
	seconds, err := strconv.ParseUint(form.Get("RecordingDuration"), 10, 31)
	if sid == "" || err != nil {
		return fmt.Errorf("RecordingSid and RecordingDuration: a name and seconds: %w", fault.Invalid)
	}
	c.t.mu.Lock()
	again := c.seen["recording "+sid]
	c.seen["recording "+sid] = true
	r := Recorded{Connection: c.trunk.id.Name, Call: c.sid, SID: sid, Length: time.Duration(seconds) * time.Second}
	c.t.mu.Unlock()
	if again || c.t.opt.Recorded == nil {
		return nil
	}
	r.Fetch = func(ctx context.Context) (io.ReadCloser, error) { return c.trunk.api.fetch(ctx, sid) }
	c.t.later("recording not kept", func(ctx context.Context) error { return c.t.opt.Recorded(ctx, r) })
	return nil
}

// fetch opens a recording.
func (a api) fetch(ctx context.Context, sid string) (io.ReadCloser, error) {
	address := a.base + "/" + apiVersion + "/Accounts/" + a.account + "/Recordings/" + url.PathEscape(sid) + ".wav?RequestedChannels=2"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("fetch recording: %w: %w", fault.Invalid, err)
	}
	req.SetBasicAuth(a.account, a.token)
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch recording: %w: %w", fault.Unavailable, err)
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, &Refused{Status: resp.StatusCode, Message: "the recording is not given out", kind: kindOf(resp.StatusCode)}
	}
	return resp.Body, nil
}
