package sip

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/engine/fault"
)

// inviteTx is a client INVITE transaction and what became of each of its 2xx:
// a request that forks may be answered more than once (RFC 3261 13.2.2.4).
type inviteTx struct {
	*sip.ClientTx
	e     *Endpoint
	req   *sip.Request
	base  dialog        // of the request
	ready chan struct{} // closed when the first 2xx has its ACK

	mu   sync.Mutex        // guards acks
	acks map[string]*acked // by the tag of the 2xx
}

// acked is an ACK and where it went, to go there again with each repetition.
type acked struct {
	ack *sip.Request
	way link
}

// mostStrays bounds the answers from elsewhere that one INVITE deals with.
const mostStrays = 16

// sendInvite begins an INVITE transaction for a request of d.
func (e *Endpoint) sendInvite(ctx context.Context, l link, req *sip.Request, d dialog) (*inviteTx, error) {
	i := &inviteTx{e: e, req: req, base: d, ready: make(chan struct{}), acks: make(map[string]*acked)}
	life := context.WithoutCancel(ctx) // what comes again may come after the dialling
	tx, err := e.client(l, req, func(res *sip.Response) { i.again(life, res) })
	if err != nil {
		return nil, err
	}
	i.ClientTx = tx
	return i, nil
}

// invite runs a re-INVITE to its final response. A peer that says it is trying
// and nothing more is given up like one that says nothing.
func (e *Endpoint) invite(ctx context.Context, l link, req *sip.Request, d dialog) (*sip.Response, *inviteTx, error) {
	i, err := e.sendInvite(ctx, l, req, d)
	if err != nil {
		return nil, nil, err
	}
	most := time.NewTimer(64 * e.opt.T1)
	defer most.Stop()
	for {
		select {
		case res := <-i.Responses():
			if res.StatusCode >= 200 {
				return res, i, nil
			}
		case <-most.C:
			i.Terminate()
		case <-i.Done():
			return nil, nil, noAnswer(i.Err())
		}
	}
}

func noAnswer(err error) error {
	return fmt.Errorf("no answer: %w: %w", errors.Join(err), fault.Unavailable)
}

// acknowledge sends the ACK of the 2xx that is the call, and lets the others be
// dealt with.
func (i *inviteTx) acknowledge(ctx context.Context, d dialog, res *sip.Response) {
	tag := ""
	if to := res.To(); to != nil {
		tag = tagOf(to.Params)
	}
	i.sendAck(ctx, d, tag)
	close(i.ready)
}

func (i *inviteTx) sendAck(ctx context.Context, d dialog, tag string) {
	way, err := d.wayOut(ctx, i.e)
	if err != nil {
		i.e.log.Debug("sip ack not sent", "call", d.callID, "err", err)
		return
	}
	a := &acked{ack: d.ack(i.e, way, i.req.CSeq().SeqNo), way: way}
	i.mu.Lock()
	i.acks[tag] = a
	i.mu.Unlock()
	if err := way.WriteMsg(a.ack); err != nil {
		i.e.log.Debug("sip ack not sent", "call", d.callID, "err", err)
	}
}

// again takes each 2xx after the first: one that is repeated gets its ACK again,
// one from elsewhere an ACK and a BYE.
func (i *inviteTx) again(ctx context.Context, res *sip.Response) {
	select {
	case <-i.ready:
	case <-i.e.cut:
		return
	}
	to := res.To()
	if to == nil {
		return
	}
	tag := tagOf(to.Params)
	i.mu.Lock()
	known, many := i.acks[tag], len(i.acks) >= mostStrays
	i.mu.Unlock()
	switch {
	case known != nil:
		_ = known.way.WriteMsg(known.ack)
	case many:
		i.e.stats.dropped.Add(1)
	default:
		d := i.base.fork(res, i.req.CSeq().SeqNo)
		i.e.log.Debug("sip call answered twice", "call", d.callID)
		i.sendAck(ctx, d, tag)
		i.e.byeTo(ctx, d)
	}
}

// byeTo ends a dialog that never became a call.
func (e *Endpoint) byeTo(ctx context.Context, d dialog) {
	e.start(func() {
		way, err := d.wayOut(context.WithoutCancel(ctx), e)
		if err != nil {
			return
		}
		_, _ = e.ask(way, d.request(e, way, sip.BYE))
	})
}

// cancelFor builds the CANCEL of a request: the same branch, number and route
// (RFC 3261 9.1).
func cancelFor(invite *sip.Request) *sip.Request {
	req := sip.NewRequest(sip.CANCEL, *invite.Recipient.Clone())
	req.SetTransport(invite.Transport())
	req.AppendHeader(sip.HeaderClone(invite.Via()))
	sip.CopyHeaders("Route", invite, req)
	forwards := sip.MaxForwardsHeader(70)
	req.AppendHeader(&forwards)
	req.AppendHeader(sip.HeaderClone(invite.From()))
	req.AppendHeader(sip.HeaderClone(invite.To()))
	req.AppendHeader(sip.HeaderClone(invite.CallID()))
	req.AppendHeader(&sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sip.CANCEL})
	req.SetBody(nil)
	return req
}
