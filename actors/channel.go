package actors

import (
	"context"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"flametree/engine/connection"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/persist/journal"
)

// The messages of a connection to a channel. Each is answered with a
// *ChannelView as it is afterwards, or with an error that changed nothing.
type (
	// CreateChannel opens a connection with its first settings.
	CreateChannel struct {
		Born  event.ConnectionCreated
		Saved event.ConnectionSaved
	}
	// SaveChannel gives it settings; one that is up comes up again with them.
	SaveChannel struct{ Saved event.ConnectionSaved }
	// StartChannel brings it up, also after a restart of the server.
	StartChannel struct{}
	// StopChannel takes it down.
	StopChannel struct{ Reason string }
	// AttachChannel lets an agent use it; Inbound makes it the one that receives.
	AttachChannel struct {
		Agent   string
		Inbound bool
	}
	// DetachChannel takes it away from an agent.
	DetachChannel struct{ Agent string }
	// RemoveChannel ends a connection that is down.
	RemoveChannel struct{}
	// LookChannel asks for it as it is.
	LookChannel struct{}
)

// ChannelView is a connection as the outside sees it, without its secrets.
type ChannelView struct {
	ID    string
	State connection.State
}

// Uplink keeps connections up with the other side.
type Uplink interface {
	// Up brings a connection up and keeps it so until down is called, which
	// returns when nothing of it runs any more. report is told how it stands,
	// whenever that changes, from any goroutine; it must not be called after
	// down returned.
	Up(of ID, s connection.State, report func(event.ConnectionReported)) (down func())
}

// Channel is one connection to a channel. It is up while it lives and is to be.
type Channel struct {
	Deps
	id     ID
	stay   Stay
	uplink Uplink

	self   *actor.PID
	root   *actor.RootContext
	state  connection.State
	epoch  uint64
	broken error
	life   context.Context
	end    context.CancelFunc
	down   func()
	up     uint64 // revision that is up, 0 = none
	round  uint64 // how often it was brought up
}

// uplinked brings a report of the round that was brought up then.
type uplinked struct {
	round uint64
	event.ConnectionReported
}

// NewChannel makes the actor; its state comes from the journal when it starts.
func NewChannel(d Deps, u Uplink, id ID, stay Stay) *Channel {
	return &Channel{Deps: d, uplink: u, id: id, stay: stay}
}

// Receive handles the life cycle; everything else is a message to act on.
func (c *Channel) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		c.start(ctx)
	case *actor.Stopping:
		c.takeDown()
		c.end()
	case *actor.Stopped:
		c.stay.Gone(c.id, ctx.Self())
	case actor.SystemMessage, actor.AutoReceiveMessage: // not ours
	case *Asked:
		m.Reply(c.handle(m.Msg))
	default:
		c.handle(m)
	}
}

func (c *Channel) start(ctx actor.Context) {
	c.life, c.end = context.WithCancel(context.Background())
	c.self, c.root = ctx.Self(), ctx.ActorSystem().Root
	for e, err := range c.Journal.Read(c.life, c.id.Stream(), 1) {
		if err != nil {
			_ = c.fail(fmt.Errorf("read connection: %w", err))
			return
		}
		c.state.Apply(e)
	}
	c.settle()
}

func (c *Channel) handle(m any) any {
	if c.broken != nil {
		return c.broken
	}
	if u, ok := m.(*uplinked); ok {
		if u.round == c.round && c.up != 0 {
			_ = c.commit(c.state.Told(u.ConnectionReported))
		}
		return nil
	}
	events, err := c.decide(m)
	if err == nil {
		err = c.commit(events)
	}
	if err != nil {
		return err
	}
	c.settle()
	if c.state.Seq == 0 || c.state.Removed {
		return fmt.Errorf("connection %q: %w", c.id.Name, fault.NotFound)
	}
	return c.look()
}

// look is the connection without its secrets.
func (c *Channel) look() *ChannelView {
	state := c.state
	state.Secrets = nil
	return &ChannelView{ID: c.id.Name, State: state}
}

func (c *Channel) decide(m any) ([]event.Event, error) {
	switch m := m.(type) {
	case *CreateChannel:
		born, err := c.state.Create(m.Born)
		if err != nil {
			return nil, err
		}
		next := c.state
		next.Apply(event.Envelope{Seq: 1, Time: time.Now(), Body: born[0]})
		saved, err := next.Save(m.Saved)
		return append(born, saved...), err
	case *SaveChannel:
		return c.state.Save(m.Saved)
	case *StartChannel:
		return c.state.Start()
	case *StopChannel:
		return c.state.Stop(m.Reason)
	case *AttachChannel:
		return c.state.Attach(m.Agent, m.Inbound)
	case *DetachChannel:
		return c.state.Detach(m.Agent)
	case *RemoveChannel:
		return c.state.Remove()
	case *LookChannel, *Recover, *TimerDue: // waking is all they want
		return nil, nil
	}
	return nil, fmt.Errorf("connection got %T: %w", m, fault.Bug)
}

// settle makes what is up here what the state says.
func (c *Channel) settle() {
	if c.state.Running && c.up == c.state.Revision {
		return
	}
	c.takeDown()
	if !c.state.Running || c.uplink == nil {
		return
	}
	c.round++
	c.up = c.state.Revision
	root, self, round := c.root, c.self, c.round
	c.down = c.uplink.Up(c.id, c.state, func(r event.ConnectionReported) {
		root.Send(self, &uplinked{round: round, ConnectionReported: r})
	})
}

func (c *Channel) takeDown() {
	if c.down != nil {
		c.down()
	}
	c.down, c.up = nil, 0
}

func (c *Channel) commit(events []event.Event) error {
	if len(events) == 0 {
		return nil
	}
	if c.epoch == 0 {
		head, err := c.Journal.Claim(c.life, c.id.Stream())
		if err != nil {
			return c.fail(fmt.Errorf("claim connection: %w", err))
		}
		c.epoch = head.Epoch
	}
	written, err := c.Journal.Append(c.life, journal.Batch{
		Stream: c.id.Stream(), Expected: c.state.Seq, Epoch: c.epoch, At: time.Now(), Events: events, Subject: c.id.Name,
	})
	if err != nil {
		return c.fail(fmt.Errorf("append to connection: %w", err))
	}
	for _, e := range written {
		c.state.Apply(e)
	}
	return nil
}

func (c *Channel) fail(err error) error {
	c.Log.Error("connection stopped", "err", err, "connection", c.id.Name)
	c.broken = fmt.Errorf("the connection is not available: %w: %w", fault.Unavailable, err)
	c.takeDown()
	c.end()
	c.stay.Leave(c.id, c.self)
	return c.broken
}
