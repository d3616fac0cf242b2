package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"flametree/actors"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/persist/vault"
)

// archive keeps the signalling of calls sealed in DIR/blob.
type archive struct{ n *Node }

var _ actors.Archive = archive{}

func ladderName(of actors.ID) string { return "ladder/" + of.Identity() }

// KeepSignals implements actors.Archive.
func (a archive) KeepSignals(ctx context.Context, of actors.ID, subject string, ladder []byte) (string, error) {
	key, err := personKey(ctx, a.n.journal, of.Tenant, subject)
	if err != nil {
		return "", err
	}
	return a.n.blobs.Put(func(w io.Writer) error {
		_, err := vault.SealFile(w, bytes.NewReader(ladder), key, ladderName(of))
		return err
	})
}

// Ladder is the signalling of a call.
type Ladder struct {
	Session string          `json:"session"`
	Call    string          `json:"call"`
	Live    bool            `json:"live"` // the call runs: more may come
	Signals []actors.Signal `json:"signals"`
}

// CallLadder shows what was signalled on a call, of a running one so far.
func (n *Node) CallLadder(ctx context.Context, id string) (Ladder, error) {
	s, err := n.call(ctx, id)
	if err != nil {
		return Ladder{}, err
	}
	out := Ladder{Session: s.ID, Call: s.Call, Live: !s.CallEnded, Signals: []actors.Signal{}}
	if out.Live {
		v, err := ask[*actors.CallView](ctx, n.dir, callOf(s), &actors.LookCall{})
		if err != nil {
			return Ladder{}, err
		}
		out.Signals = append(out.Signals, v.Signals...)
		return out, nil
	}
	for e, err := range n.journal.Read(ctx, callOf(s).Stream(), 1) {
		if err != nil {
			return Ladder{}, err
		}
		if b, ok := e.Body.(event.CallTraced); ok {
			out.Signals, err = n.signals(ctx, callOf(s), s.ID, b)
			return out, err
		}
	}
	return Ladder{}, fmt.Errorf("the signalling of this call was not kept: %w", fault.NotFound)
}

// signals reads a ladder that was kept.
func (n *Node) signals(ctx context.Context, of actors.ID, subject string, e event.CallTraced) (all []actors.Signal, err error) {
	if e.Blob != "" {
		all, err = n.archived(ctx, of, subject, e.Blob)
	} else if e.Signals.Erased {
		err = errErased
	} else {
		err = ladderOf(strings.NewReader(e.Signals.Text), &all)
	}
	if err != nil {
		return nil, fmt.Errorf("signalling of call %q: %w", of.Name, err)
	}
	return all, nil
}

var errErased = fmt.Errorf("it is erased: %w", fault.NotFound)

// archived opens a ladder that is a blob.
func (n *Node) archived(ctx context.Context, of actors.ID, subject, blob string) ([]actors.Signal, error) {
	key, ok, err := n.journal.PersonKey(ctx, of.Tenant, subject)
	if err == nil && !ok {
		err = errErased
	}
	if err != nil {
		return nil, err
	}
	f, err := n.blobs.Get(blob)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	r, err := vault.OpenFile(f, key, ladderName(of))
	if err != nil {
		return nil, err
	}
	var all []actors.Signal
	err = ladderOf(r, &all)
	return all, err
}

func ladderOf(r io.Reader, all *[]actors.Signal) error {
	if err := json.NewDecoder(r).Decode(all); err != nil {
		return fmt.Errorf("%w: %w", fault.Bug, err)
	}
	return nil
}

// TurnBar is a turn of a call as the stages that its caller waited for.
type TurnBar struct {
	Turn   uint64        `json:"turn"`
	At     time.Duration `json:"at"` // when its reply was heard or cut off, since the call began
	Heard  string        `json:"heard,omitempty"`
	Said   string        `json:"said,omitempty"`
	Whole  time.Duration `json:"whole"`            // from the end of speech to our first packet
	Waited string        `json:"waited,omitempty"` // why it took longest
	Stages []event.Stage `json:"stages"`
}

// bars folds the turns of a session, in their order.
type bars struct {
	heard map[uint64]string
	said  map[uint64]string
	all   []TurnBar
}

func (b *bars) take(e event.Event, at time.Duration) {
	if b.heard == nil {
		b.heard, b.said = map[uint64]string{}, map[uint64]string{}
	}
	switch e := e.(type) {
	case event.UtteranceHeard:
		b.heard[e.Turn] = e.Text.Text
	case event.ReplySpoken:
		b.said[e.Turn] = e.Text.Text
	case event.TurnTimed:
		t := TurnBar{Turn: e.Turn, At: max(0, at), Heard: b.heard[e.Turn], Said: b.said[e.Turn], Waited: e.Waited, Stages: e.Stages}
		for _, s := range e.Stages {
			t.Whole += s.Took
		}
		b.all = append(b.all, t)
	default:
	}
}
