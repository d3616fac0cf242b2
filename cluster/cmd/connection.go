package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"flametree/cluster/node"
	"flametree/engine/connection"
	"flametree/engine/fault"
)

type connectionCmd struct {
	Add    connectionAddCmd    `cmd:"" help:"Make a connection: an account at a PBX or provider, or a trunk."`
	List   connectionListCmd   `cmd:"" help:"List the connections, how they stand and who uses them."`
	Show   connectionShowCmd   `cmd:"" help:"Show a connection, its settings and its log."`
	Set    connectionSetCmd    `cmd:"" help:"Change settings; one that runs comes up again with them."`
	Start  connectionStartCmd  `cmd:"" help:"Bring a connection up, also after restarts of the server."`
	Stop   connectionStopCmd   `cmd:"" help:"Take a connection down."`
	Attach connectionAttachCmd `cmd:"" help:"Let an agent use a connection; --inbound makes it the one that receives its calls."`
	Detach connectionDetachCmd `cmd:"" help:"Take a connection away from an agent."`
	Remove connectionRemoveCmd `cmd:"" help:"Remove a connection that is down."`
	Fields connectionFieldsCmd `cmd:"" help:"List the settings there are."`
}

func connectionPath(name, rest string) string { return "/connections/" + url.PathEscape(name) + rest }

// connectionForm is what add and set have in common.
type connectionForm struct {
	Description string            `help:"What it is for."`
	Set         map[string]string `short:"s" placeholder:"KEY=VALUE" help:"A setting; see: flametree connection fields." mapsep:"none"`
	PasswordEnv string            `name:"password-env" placeholder:"NAME" help:"Environment variable of this command that holds the password, or the auth token of Twilio."`
	PasswordIn  string            `name:"password-file" type:"existingfile" help:"File that holds the password on its first line."`
}

// form reads it; a password never stands on a command line.
func (f *connectionForm) form(name, kind string) (node.ChannelForm, error) {
	out := node.ChannelForm{Name: name, Settings: f.Set}
	if f.Description != "" {
		out.Description = &f.Description
	}
	for key := range f.Set {
		if key == "password" || key == "auth_token" {
			return out, fmt.Errorf("a password on the command line can be read by everybody on this machine: give --password-env NAME or --password-file FILE: %w", fault.Invalid)
		}
	}
	switch {
	case f.PasswordEnv != "" && f.PasswordIn != "":
		return out, fmt.Errorf("give one of --password-env and --password-file: %w", fault.Invalid)
	case f.PasswordEnv != "":
		value, ok := os.LookupEnv(f.PasswordEnv) //nolint:forbidigo // named by whoever gives the command
		if !ok {
			return out, fmt.Errorf("the environment variable %s is not set: %w", f.PasswordEnv, fault.Invalid)
		}
		out.Secrets = map[string]string{secretOf(kind): value}
	case f.PasswordIn != "":
		raw, err := os.ReadFile(f.PasswordIn)
		if err != nil {
			return out, fmt.Errorf("%w: %w", err, fault.Invalid)
		}
		line, _, _ := strings.Cut(string(raw), "\n")
		out.Secrets = map[string]string{secretOf(kind): strings.TrimRight(line, "\r")}
	}
	return out, nil
}

// secretOf is what a kind of connection calls its one secret.
func secretOf(kind string) string {
	if kind == connection.Twilio {
		return "auth_token"
	}
	return "password"
}

type connectionAddCmd struct {
	Name string `arg:"" help:"Name; no two connections have the same."`
	connectionForm
	Type  string `help:"What kind of connection." enum:"sip,twilio" default:"sip"`
	Start bool   `help:"Start it at once."`
}

// Run implements the command.
func (c *connectionAddCmd) Run(ctx context.Context, e *Env) error {
	f, err := c.form(c.Name, c.Type)
	if err != nil {
		return err
	}
	f.Type = c.Type
	var card node.ChannelCard
	if err := e.tell(ctx, "/connections", f, &card); err != nil {
		return err
	}
	e.printf("connection %s %q\n", card.ID, card.Name)
	if c.Start {
		return e.startConnection(ctx, card.ID, 5*time.Second)
	}
	e.printf("start it: flametree connection start %q\n", card.Name)
	return nil
}

type connectionListCmd struct {
	JSON bool `name:"json" help:"One object a line."`
}

// Run implements the command.
func (c *connectionListCmd) Run(ctx context.Context, e *Env) error {
	var list []node.ChannelCard
	if err := e.ask(ctx, "/connections", &list); err != nil {
		return err
	}
	if c.JSON {
		for _, card := range list {
			if err := json.NewEncoder(e.Out).Encode(card); err != nil {
				return err
			}
		}
		return nil
	}
	e.printf("%-28s %-11s %5s  %-24s %-24s %s\n", "CONNECTION", "STATE", "CALLS", "NAME", "RECEIVES", "AGENTS")
	for _, card := range list {
		e.printf("%-28s %-11s %5d  %-24s %-24s %s\n", card.ID, card.State, card.Calls, card.Name, orDash(card.Inbound), orDash(strings.Join(card.Agents, ", ")))
		if card.Detail != "" {
			e.printf("    %s\n", card.Detail)
		}
	}
	if len(list) == 0 {
		e.printf("there is none yet: flametree connection add NAME -s domain=HOST -s user=NUMBER --password-env PW\n")
	}
	return nil
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

type connectionShowCmd struct {
	Name string `arg:"" help:"Name or id."`
	JSON bool   `name:"json" help:"As JSON."`
}

// Run implements the command.
func (c *connectionShowCmd) Run(ctx context.Context, e *Env) error {
	var card node.ChannelCard
	if err := e.ask(ctx, connectionPath(c.Name, ""), &card); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(e.Out).Encode(card)
	}
	e.connection(card)
	for _, f := range connection.Fields(card.Type) {
		if v := card.Settings[f.Key]; v != "" {
			e.printf("  %-18s %s\n", f.Key, v)
		}
	}
	for _, l := range card.Log {
		e.printf("%s  %-11s %s\n", l.Time.Local().Format("2006-01-02 15:04:05"), l.State, l.Detail)
	}
	return nil
}

// connection tells how one stands, and what to do next.
func (e *Env) connection(card node.ChannelCard) {
	e.printf("%s %q: %s", card.ID, card.Name, card.State)
	if card.Detail != "" {
		e.printf(" (%s)", card.Detail)
	}
	e.printf("\n")
	switch {
	case !card.Running:
		e.printf("it is not started: flametree connection start %q\n", card.Name)
	case card.Inbound == "":
		e.printf("no agent receives its calls: flametree connection attach %q AGENT --inbound\n", card.Name)
	default:
		e.printf("%s receives its calls\n", card.Inbound)
	}
}

type connectionSetCmd struct {
	Name string `arg:"" help:"Name or id."`
	connectionForm
	Rename string `help:"Give it this name."`
}

// Run implements the command.
func (c *connectionSetCmd) Run(ctx context.Context, e *Env) error {
	var card node.ChannelCard
	if err := e.ask(ctx, connectionPath(c.Name, ""), &card); err != nil {
		return err
	}
	f, err := c.form(c.Rename, card.Type)
	if err != nil {
		return err
	}
	if err := e.tell(ctx, connectionPath(c.Name, "/settings"), f, &card); err != nil {
		return err
	}
	e.connection(card)
	return nil
}

type connectionStartCmd struct {
	Name string        `arg:"" help:"Name or id."`
	Wait time.Duration `help:"Wait that long for it to come up." default:"5s"`
}

// Run implements the command.
func (c *connectionStartCmd) Run(ctx context.Context, e *Env) error {
	return e.startConnection(ctx, c.Name, c.Wait)
}

// startConnection starts one and waits until it is up or has failed.
func (e *Env) startConnection(ctx context.Context, name string, wait time.Duration) error {
	var card node.ChannelCard
	if err := e.tell(ctx, connectionPath(name, "/start"), struct{}{}, &card); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for card.State == connection.Connecting {
		select {
		case <-ctx.Done():
			e.connection(card)
			return nil
		case <-time.After(100 * time.Millisecond):
		}
		if err := e.ask(context.WithoutCancel(ctx), connectionPath(card.ID, ""), &card); err != nil {
			return err
		}
	}
	e.connection(card)
	if card.State == connection.Failed {
		return fmt.Errorf("the connection does not come up: %w", fault.Unavailable)
	}
	return nil
}

type connectionStopCmd struct {
	Name   string `arg:"" help:"Name or id."`
	Reason string `help:"Why, for the log."`
}

// Run implements the command.
func (c *connectionStopCmd) Run(ctx context.Context, e *Env) error {
	var card node.ChannelCard
	if err := e.tell(ctx, connectionPath(c.Name, "/stop"), node.ReasonBody{Reason: c.Reason}, &card); err != nil {
		return err
	}
	e.connection(card)
	return nil
}

type connectionAttachCmd struct {
	Name    string `arg:"" help:"Name or id of the connection."`
	Agent   string `arg:"" help:"Id, alias or name of the agent."`
	Inbound bool   `help:"It receives the connection's calls."`
}

// Run implements the command.
func (c *connectionAttachCmd) Run(ctx context.Context, e *Env) error {
	return e.attach(ctx, c.Name, node.AttachBody{Agent: c.Agent, Inbound: c.Inbound})
}

type connectionDetachCmd struct {
	Name  string `arg:"" help:"Name or id of the connection."`
	Agent string `arg:"" help:"Id, alias or name of the agent."`
}

// Run implements the command.
func (c *connectionDetachCmd) Run(ctx context.Context, e *Env) error {
	return e.attach(ctx, c.Name, node.AttachBody{Agent: c.Agent, Off: true})
}

func (e *Env) attach(ctx context.Context, name string, b node.AttachBody) error {
	var card node.ChannelCard
	if err := e.tell(ctx, connectionPath(name, "/attach"), b, &card); err != nil {
		return err
	}
	e.printf("%q is used by %s; %s receives\n", card.Name, orDash(strings.Join(card.Agents, ", ")), orDash(card.Inbound))
	return nil
}

type connectionRemoveCmd struct {
	Name string `arg:"" help:"Name or id."`
}

// Run implements the command.
func (c *connectionRemoveCmd) Run(ctx context.Context, e *Env) error {
	if err := e.alter(ctx, http.MethodDelete, connectionPath(c.Name, ""), http.NoBody, nil); err != nil {
		return err
	}
	e.printf("removed\n")
	return nil
}

type connectionFieldsCmd struct {
	Type string `help:"Of which kind of connection." enum:"sip,twilio" default:"sip"`
}

// Run implements the command.
func (c *connectionFieldsCmd) Run(_ context.Context, e *Env) error {
	for _, f := range connection.Fields(c.Type) {
		need := ""
		if f.Need {
			need = "needed; "
		}
		if f.Default != "" {
			need += "default " + f.Default + "; "
		}
		e.printf("%-18s %-24s %s%s\n", f.Key, f.Kind, need, f.Meaning)
	}
	return nil
}
