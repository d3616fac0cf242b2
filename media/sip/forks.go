package sip

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/emiago/sipgo/sip"

	"flametree/actors"
)

// early is one early dialog of an INVITE of ours: a call that forks has several
// (RFC 3261 13.2.2.1).
type early struct {
	tag       string
	dlg       dialog
	rseq      uint32 // of the last reliable response, 0 before the first
	answer    []byte // its SDP, nil before it came
	agreed    bool   // the answer came reliably
	canUpdate bool
	playing   bool // its answer is what the media follows
}

// mostForks bounds the early dialogs of one call.
const mostForks = 32

// forkOf finds or opens the early dialog of a response.
func (p *placing) forkOf(res *sip.Response) *early {
	tag := ""
	if to := res.To(); to != nil {
		tag = tagOf(to.Params)
	}
	for _, f := range p.forks {
		if f.tag == tag {
			return f
		}
	}
	f := &early{tag: tag, dlg: p.c.dlg.fork(res, p.seq)}
	if tag == "" || len(p.forks) >= mostForks {
		return f
	}
	p.forks = append(p.forks, f)
	p.known()
	return f
}

// known tells dispatch whose requests belong to the call.
func (p *placing) known() {
	var tags []string
	for _, f := range p.forks {
		tags = append(tags, f.tag)
	}
	p.c.partners(tags...)
}

func (p *placing) dropForks() {
	p.forks, p.shown, p.c.agreed = nil, false, false
	p.known()
}

// heard is the early dialog whose sound can be heard, nil when there is none.
func (p *placing) heard() *early {
	for _, f := range p.forks {
		if f.playing {
			return f
		}
	}
	return nil
}

// provisional takes a 1xx.
func (p *placing) provisional(ctx context.Context, res *sip.Response) {
	if res.StatusCode == 100 {
		p.tell(Trying, res.StatusCode)
		return
	}
	f := p.forkOf(res)
	if requires(res, "100rel") && f.tag != "" && !p.confirm(ctx, f, res) {
		return
	}
	if res.StatusCode == 199 { // RFC 6228: that branch of a fork is over
		p.forks = slices.DeleteFunc(p.forks, func(g *early) bool { return g == f })
		p.known()
		return
	}
	if slices.Contains(tokens(res, "allow"), "update") {
		f.canUpdate = true
	}
	if len(res.Body()) > 0 && !f.agreed {
		p.hear(f, res)
	}
	if res.StatusCode >= 180 && len(res.Body()) == 0 {
		p.tell(Ringing, res.StatusCode)
	}
}

// confirm sends the PRACK of a reliable response; false for one that is repeated
// or out of order (RFC 3262 4).
func (p *placing) confirm(ctx context.Context, f *early, res *sip.Response) bool {
	rseq, err := strconv.ParseUint(headerOf(res, "RSeq"), 10, 32)
	if err != nil || rseq == 0 || f.rseq != 0 && uint32(rseq) != f.rseq+1 {
		return false
	}
	f.rseq = uint32(rseq)
	f.dlg.refresh(res.Contact())
	d, rack := f.dlg, fmt.Sprintf("%d %d INVITE", rseq, p.seq)
	c := p.c
	p.e.start(func() {
		_, err := c.exchange(ctx, d, sip.PRACK, func(req *sip.Request) {
			req.AppendHeader(sip.NewHeader("RAck", rack))
		})
		if err != nil {
			c.e.log.Debug("sip prack not answered", "call", c.id, "err", err)
		}
	})
	return true
}

// hear lets the media follow the answer in a provisional response: the branch
// that spoke last is heard.
func (p *placing) hear(f *early, res *sip.Response) {
	first := p.heard() == nil
	if string(res.Body()) != string(f.answer) || !f.playing {
		if err := p.c.settle(res.Body()); err != nil { // the 2xx may do better
			p.e.log.Debug("sip early answer refused", "call", p.c.id, "err", err)
			return
		}
	}
	for _, g := range p.forks {
		g.playing = g == f
	}
	f.answer = res.Body()
	f.agreed = requires(res, "100rel")
	p.c.agreed, p.c.canUpdate = f.agreed, f.canUpdate
	p.tell(Early, res.StatusCode)
	if first {
		p.c.facts.tell(actors.Fact{Kind: actors.FactLineEarly})
	}
}

// take deals with what comes before the answer; true to give up.
func (p *placing) take(ctx context.Context, m input) bool {
	switch {
	case m.replaced:
		p.c.giveWay()
		return true
	case m.change != nil:
		f := p.heard()
		if f == nil {
			m.change.done <- errCallOver()
			return false
		}
		p.as(f, func() { p.c.onChange(ctx, m.change) })
	case m.early != nil:
		m.early.done <- errCallOver()
	case m.in != nil:
		p.request(m.in)
	}
	return false
}

// as runs something of the call within one of its early dialogs.
func (p *placing) as(f *early, do func()) {
	c := p.c
	base := c.dlg
	c.dlg, c.canUpdate, c.agreed = f.dlg, f.canUpdate, f.agreed
	defer func() {
		f.dlg, f.canUpdate = c.dlg, c.canUpdate
		c.dlg = base
	}()
	do()
}

// request answers a request in an early dialog.
func (p *placing) request(in *inbound) {
	tag := tagOf(in.req.From().Params)
	i := slices.IndexFunc(p.forks, func(f *early) bool { return f.tag == tag })
	if i < 0 {
		in.respond(481, "Call/Transaction Does Not Exist")
		return
	}
	f, c := p.forks[i], p.c
	p.as(f, func() {
		if !c.inOrder(in) || in.badExtension() {
			return
		}
		switch in.req.Method {
		case sip.UPDATE:
			if len(in.req.Body()) > 0 && !(f.agreed && f.playing) { // RFC 3311 5.2
				in.respond(491, "Request Pending")
				return
			}
			c.update(in)
		case sip.INVITE:
			in.respond(491, "Request Pending")
		case sip.INFO:
			c.info(in)
		case sip.OPTIONS:
			in.options()
		case sip.BYE, sip.PRACK, sip.NOTIFY: // a callee ends an early dialog by its response (RFC 3261 15)
			in.respond(481, "Call/Transaction Does Not Exist")
		case sip.REFER:
			in.respond(403, "Forbidden")
		default:
			in.notAllowed()
		}
	})
}
