package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"flametree/cluster/node"
	"flametree/engine/event"
	"flametree/engine/fault"
)

// callCmd has an agent call somebody.
type callCmd struct {
	To         string            `arg:"" help:"Number, or SIP address such as sip:anna@example.org."`
	Agent      string            `required:"" help:"Id, alias or name of the agent that calls."`
	Connection string            `help:"Connection to call through (name or id). Without it: one that is attached to the agent, or, for a SIP address, none."`
	From       string            `help:"Caller id."`
	Display    string            `help:"Name that is shown with it."`
	Parameters string            `help:"Further parameters of this call, such as transport=udp;timeout=30."`
	Name       string            `help:"Name of the customer."`
	Kwarg      map[string]string `placeholder:"KEY=VALUE" help:"What the agent is told about the customer."`
	Wait       bool              `help:"Show how it goes until it ends." default:"true" negatable:""`
}

// Run implements the command.
func (c *callCmd) Run(ctx context.Context, e *Env) error {
	form := node.CallForm{
		Agent: c.Agent, To: c.To, Connection: c.Connection, From: c.From, Display: c.Display, Parameters: c.Parameters,
		Name: c.Name, Kwargs: make(map[string]json.RawMessage, len(c.Kwarg)),
	}
	for k, v := range c.Kwarg {
		raw, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("kwarg %s: %w: %w", k, err, fault.Invalid)
		}
		form.Kwargs[k] = raw
	}
	var placed node.Placed
	if err := e.tell(ctx, "/calls", form, &placed); err != nil {
		return err
	}
	e.printf("session %s, call %s: dialling %s\n", placed.Session, placed.Call, c.To)
	if !c.Wait {
		return nil
	}
	return e.watchCall(ctx, placed.Session)
}

// watchCall shows what happens on a call until it is over.
func (e *Env) watchCall(ctx context.Context, session string) error {
	shown := 0
	for {
		var c node.CallCard
		if err := e.ask(ctx, "/calls/"+session, &c); err != nil {
			return err
		}
		for _, s := range c.Story[min(shown, len(c.Story)):] {
			e.printf("%8.1fs  %s\n", s.At.Seconds(), s.What)
		}
		shown = len(c.Story)
		if c.Status != "" && c.Over {
			e.printf("ended: %s\n", c.Status)
			switch event.Status(c.Status) {
			case event.Completed, event.Transferred:
				return nil
			default:
				return fmt.Errorf("the call ended as %s: %w", c.Status, fault.Unavailable)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
