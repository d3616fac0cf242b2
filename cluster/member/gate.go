package member

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"flametree/actors"
	"flametree/actors/wire"
	"flametree/engine/event"
	"flametree/engine/fault"
)

// gateName is where every node takes in what other nodes send.
const gateName = "gate"

// maxBatch bounds what remote sends in one piece: it joins up to a thousand
// messages. A larger piece would end the connection, so it is far above
// wire.MaxSize.
const maxBatch = 64 << 20

// gate is the actor by which nodes talk: an Envelope from another node goes to
// the local registry, its answer goes back as a Reply. What cannot be read is
// answered by an error. It keeps the order of each sender's messages.
type gate struct {
	dir   *actors.Registry
	kinds map[event.StreamKind]actors.Maker
	asked *questions
	log   *slog.Logger
}

// Receive implements actor.Actor.
func (g *gate) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *wire.Envelope:
		g.take(m, ctx.Sender(), ctx.ActorSystem().Root)
	case *wire.Reply:
		g.asked.answer(m)
	}
}

// take delivers one message from another node.
func (g *gate) take(e *wire.Envelope, sender *actor.PID, root *actor.RootContext) {
	answer := func(any) {}
	if question := e.GetReply(); question != 0 && sender != nil {
		var once sync.Once
		answer = func(a any) {
			once.Do(func() { root.Send(sender, wire.EncodeAnswer(question, a)) })
		}
	}
	to, msg, err := wire.Decode(e)
	if err == nil && g.kinds[to.Kind] == nil {
		err = fmt.Errorf("no actor of kind %q lives here: %w", to.Kind, fault.Invalid)
	}
	if err == nil {
		if e.GetReply() != 0 {
			msg = &actors.Asked{Msg: msg, Reply: answer}
		}
		err = g.dir.Send(to, msg)
	}
	if err != nil {
		g.log.Warn("message of another node refused", "err", err)
		answer(err)
	}
}

// questions are those that this node asked others and waits for.
type questions struct {
	mu      sync.Mutex
	last    uint64
	waiting map[uint64]question
}

type question struct {
	address string
	answer  chan *wire.Reply // nil is sent when the connection broke; room for one
}

func (q *questions) ask(address string) (uint64, <-chan *wire.Reply) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.last++
	if q.waiting == nil {
		q.waiting = make(map[uint64]question)
	}
	ch := make(chan *wire.Reply, 1)
	q.waiting[q.last] = question{address: address, answer: ch}
	return q.last, ch
}

func (q *questions) forget(id uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.waiting, id)
}

// answer gives a reply to whoever waits; a late or second one is nobody's.
func (q *questions) answer(r *wire.Reply) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w, ok := q.waiting[r.GetReply()]; ok {
		delete(q.waiting, r.GetReply())
		w.answer <- r
	}
}

// lost ends the questions to a node that cannot be reached.
func (q *questions) lost(address string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for id, w := range q.waiting {
		if w.address == address {
			delete(q.waiting, id)
			w.answer <- nil
		}
	}
}

// openGate starts the gate. It lives as long as the actor system.
func (m *Member) openGate(opt Options) {
	props := actor.PropsFromProducer(func() actor.Actor {
		return &gate{dir: m.lookup.registry, kinds: opt.Kinds, asked: &m.asked, log: opt.Log}
	}, actor.WithGuardian(actor.RestartingSupervisorStrategy()), actor.WithReceiverMiddleware(contained(opt.Log)))
	pid, err := m.sys.Root.SpawnNamed(props, gateName)
	if err != nil {
		panic("a new actor system has a gate already: " + err.Error())
	}
	m.gate = pid
	m.gone = m.sys.EventStream.Subscribe(func(e any) {
		if t, ok := e.(*remote.EndpointTerminatedEvent); ok {
			m.asked.lost(t.Address)
		}
	})
}

// contained keeps a panic over one message from costing the gate its mailbox.
func contained(log *slog.Logger) actor.ReceiverMiddleware {
	return func(next actor.ReceiverFunc) actor.ReceiverFunc {
		return func(c actor.ReceiverContext, e *actor.MessageEnvelope) {
			defer func() {
				if r := recover(); r != nil {
					log.Error("panic in gate", "kind", fault.Bug, "err", fmt.Sprint(r), "node", string(debug.Stack()))
				}
			}()
			next(c, e)
		}
	}
}

// closeGate ends the questions that nobody will answer any more.
func (m *Member) closeGate() {
	m.sys.EventStream.Unsubscribe(m.gone)
	m.asked.mu.Lock()
	waiting := m.asked.waiting
	m.asked.waiting = nil
	m.asked.mu.Unlock()
	for _, w := range waiting {
		w.answer <- nil
	}
}

// Address is where other nodes reach this one, host:port.
func (m *Member) Address() string { return m.sys.Address() }

// SendTo delivers msg to an actor on the node at address and waits for nothing.
// Messages of one sender to one actor keep their order. msg must be one that
// crosses (package wire), or it is fault.Invalid; one that is lost on the way
// is not told.
func (m *Member) SendTo(address string, to actors.ID, msg any) error {
	if address == m.Address() {
		return m.Send(to, msg)
	}
	e, err := wire.Encode(to, msg)
	if err != nil {
		return err
	}
	m.sys.Root.Send(actor.NewPID(address, gateName), e)
	return nil
}

// AskAt sends msg to an actor on the node at address and waits for the answer,
// which may be an error. It is for goroutines outside of actors only. A node
// that cannot be reached is fault.Unavailable: the message may have arrived.
func (m *Member) AskAt(ctx context.Context, address string, to actors.ID, msg any) (any, error) {
	if address == m.Address() {
		return m.Ask(ctx, to, msg)
	}
	e, err := wire.Encode(to, msg)
	if err != nil {
		return nil, err
	}
	id, answer := m.asked.ask(address)
	defer m.asked.forget(id)
	e.Reply = id
	m.sys.Root.RequestWithCustomSender(actor.NewPID(address, gateName), e, m.gate)
	select {
	case r := <-answer:
		if r == nil {
			return nil, fmt.Errorf("ask %s at %s: connection lost: %w", to.Kind, address, fault.Unavailable)
		}
		return wire.DecodeAnswer(r)
	case <-ctx.Done():
		return nil, fmt.Errorf("ask %s at %s: %w", to.Kind, address, context.Cause(ctx))
	}
}

// remoting is protoactor's remote as it is safe to have: it panics over a type
// that it does not know and over methods that it has not written, in gRPC's
// goroutines, which ends the process. Here it costs the connection.
func remoting(opt Options) *remote.Config {
	c := remote.Configure(opt.Host, opt.Port, remote.WithServerOptions(
		grpc.MaxRecvMsgSize(maxBatch),
		grpc.StreamInterceptor(func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
			defer recovered(opt.Log, &err)
			return next(srv, s)
		}),
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (_ any, err error) {
			defer recovered(opt.Log, &err)
			return next(ctx, req)
		}),
	))
	c.MaxRetryCount = 1 // each waits for two seconds, while all else to that node waits
	return c
}

// recovered turns a panic into the end of one call of gRPC.
func recovered(log *slog.Logger, err *error) {
	if r := recover(); r != nil {
		log.Error("another node sent what nobody can read", "err", fmt.Sprint(r))
		*err = status.Error(codes.InvalidArgument, "cannot be read")
	}
}
