package realtime

import (
	"context"
	"iter"
	"sync"

	"flametree/engine/provider"
)

// Calls are the calls of a process, by the name of their session. The zero value
// has none. It is safe for concurrent use.
type Calls struct {
	mu  sync.Mutex
	all map[string]*Call
}

func (k *Calls) put(session string, c *Call) (older *Call) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil {
		k.all = map[string]*Call{}
	}
	older, k.all[session] = k.all[session], c
	return older
}

func (k *Calls) drop(session string, c *Call) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all[session] == c {
		delete(k.all, session)
	}
}

func (k *Calls) get(session string) *Call {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.all[session]
}

// Exchange is one agent's way to a Model: the agent's ordinary completer with the
// calls that are held beside it. It is safe for concurrent use.
type Exchange struct {
	next  provider.Completer
	o     Options
	calls *Calls
}

// NewExchange makes one. The recogniser and the voice of o are set by Begin;
// calls are shared, because a session and its call may come by different
// Exchanges of one agent.
func NewExchange(next provider.Completer, o Options, calls *Calls) *Exchange {
	return &Exchange{next: next, o: o, calls: calls}
}

// Complete implements provider.Completer by the ordinary one.
func (x *Exchange) Complete(ctx context.Context, r provider.Request) iter.Seq2[provider.Delta, error] {
	return x.next.Complete(ctx, r)
}

// Begin makes the call of a session. Whoever asks for it ends it with End.
func (x *Exchange) Begin(session string, hears provider.Transcriber, speaks provider.Synthesizer) *Call {
	o := x.o
	o.Hears, o.Speaks = hears, speaks
	c := NewCall(o)
	if older := x.calls.put(session, c); older != nil {
		older.Close()
	}
	return c
}

// End closes a call.
func (x *Exchange) End(session string, c *Call) {
	x.calls.drop(session, c)
	c.Close()
}

// Of finds the call of a session; nil = it has none, or goes on without the vendor.
func (x *Exchange) Of(session string) *Call {
	c := x.calls.get(session)
	if c == nil || !c.Live() {
		return nil
	}
	return c
}

// Thinks is who answers in a session: its call, or the ordinary completer.
func (x *Exchange) Thinks(session string) provider.Completer {
	if c := x.Of(session); c != nil {
		return c.Thinks(x.next)
	}
	return x.next
}
