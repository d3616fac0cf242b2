package sip

import (
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"
)

// inbound is one server transaction: a request and how it is answered.
type inbound struct {
	e      *Endpoint
	req    *sip.Request
	tx     *sip.ServerTx
	link   link
	key    string
	merge  string                       // RFC 3261 8.2.2.2, "" for requests within a dialog
	inside bool                         // the request came with a To tag
	from   origin                       // who sent it, outside of calls
	status atomic.Int32                 // of the last response
	call   atomic.Pointer[Call]         // of an INVITE
	last   atomic.Pointer[sip.Response] // of a CANCEL
}

// header is an extra header of a response.
type header struct{ name, value string }

// respond answers; code and headers are all a response without a body needs.
func (in *inbound) respond(code int, reason string, extra ...header) {
	res := sip.NewResponseFromRequest(in.req, code, reason, nil)
	for _, h := range extra {
		res.AppendHeader(sip.NewHeader(h.name, h.value))
	}
	in.send(res)
}

func (in *inbound) send(res *sip.Response) {
	in.status.Store(int32(res.StatusCode))
	cancel := in.req.Method == sip.CANCEL
	if cancel {
		in.last.Store(res)
	}
	err := in.tx.Respond(res)
	if err != nil {
		in.e.log.Debug("sip response not sent", "err", err)
	}
	// Two transactions of sipgo v1.7.2 would never end: that of a CANCEL, whose
	// answer passes it by, and that of an INVITE whose 200 could not be written.
	if cancel || err != nil && in.req.Method == sip.INVITE && res.IsSuccess() {
		time.AfterFunc(64*in.e.opt.T1, in.tx.Terminate)
	}
}

// again answers a request that was repeated as it was answered before.
func (in *inbound) again(req *sip.Request) {
	if last := in.last.Load(); last != nil {
		_ = in.link.WriteMsg(last)
		return
	}
	_ = in.tx.Receive(req)
}

// answered reports whether a final response was given.
func (in *inbound) answered() bool { return in.status.Load() >= 200 }

// refuse answers by the table of codes.
func (in *inbound) refuse(a answerTo) {
	var extra []header
	if a.retryAfter > 0 {
		extra = append(extra, retryAfter(a.retryAfter))
	}
	in.respond(a.code, a.reason, extra...)
}

func retryAfter(d time.Duration) header {
	return header{"Retry-After", strconv.Itoa(int(math.Ceil(d.Seconds())))}
}

// serverKey matches a request to its transaction. Branches without the magic
// cookie, or with nothing behind it, come from RFC 2543 and are matched by its
// rules (RFC 3261 17.2.3). The Call-ID beside the branch keeps apart what senders
// of constant branches would mix up.
func serverKey(req *sip.Request, method sip.RequestMethod) string {
	if method == sip.ACK {
		method = sip.INVITE
	}
	via := req.Via()
	branch, _ := via.Params.Get("branch")
	if rest, ok := strings.CutPrefix(branch, sip.RFC3261BranchMagicCookie); ok && rest != "" {
		return strings.Join([]string{branch, via.Host, strconv.Itoa(via.Port), string(method), req.CallID().Value()}, "\x00")
	}
	return strings.Join([]string{
		"2543", req.Recipient.String(), tagOf(req.From().Params), req.CallID().Value(),
		strconv.FormatUint(uint64(req.CSeq().SeqNo), 10), string(method), via.Host, strconv.Itoa(via.Port), branch,
	}, "\x00")
}

// mergeKey is what merged copies of one request have in common (RFC 3261 8.2.2.2).
func mergeKey(req *sip.Request) string {
	return strings.Join([]string{
		tagOf(req.From().Params), req.CallID().Value(), strconv.FormatUint(uint64(req.CSeq().SeqNo), 10), string(req.Method),
	}, "\x00")
}

func tagOf(p sip.HeaderParams) string { return p.GetOr("tag", "") }

// admission is what begin found out about a request.
type admission uint8

const (
	fresh    admission = iota
	repeated           // a retransmission of a request we know
	mergedIn           // a copy of it that came another way: 482
	overload           // too many transactions: 503
	shutting           // the endpoint is closed
)

// begin makes the server transaction of a request, or finds the one it repeats.
func (e *Endpoint) begin(l link, req *sip.Request) (*inbound, admission) {
	in := &inbound{e: e, req: req, link: l, key: serverKey(req, req.Method), inside: tagOf(req.To().Params) != ""}
	if !in.inside && req.Method != sip.CANCEL {
		in.merge = mergeKey(req)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if known := e.servers[in.key]; known != nil {
		return known, repeated
	}
	if e.sealed {
		return nil, shutting
	}
	how := fresh
	if other, ok := e.merged[in.merge]; ok && in.merge != "" && other != in.key {
		how, in.merge = mergedIn, ""
	}
	if len(e.servers) >= e.opt.MaxTransactions {
		return nil, overload
	}
	if !in.inside {
		// Before Init: its timer for 100 reads the request. All responses carry
		// our tag (RFC 3261 8.2.6.2).
		req.To().Params.Add("tag", newTag())
	}
	in.tx = sip.NewServerTx(in.key, req, l, e.quiet)
	in.tx.OnTerminate(func(string, error) { e.forget(in) })
	_ = in.tx.Init() // only starts timers; never fails in v1.7.2
	e.servers[in.key] = in
	e.stats.requests.Add(1)
	if in.merge != "" {
		e.merged[in.merge] = in.key
	}
	return in, how
}

// forget drops a transaction that ended.
func (e *Endpoint) forget(in *inbound) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.servers[in.key] == in {
		delete(e.servers, in.key)
	}
	if in.merge != "" && e.merged[in.merge] == in.key {
		delete(e.merged, in.merge)
	}
}
