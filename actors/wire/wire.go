// Package wire carries messages of actors between nodes. What may cross is one
// table; all else (functions, interfaces, what belongs to a call's own node)
// stays where it is. It does not send: cluster/member does.
//
// The envelope is protobuf, because protoactor's remote accepts nothing else
// and ends the process over a type that it does not know. What is in it is
// JSON of the message as it is declared: messages are few, small beside a
// model's answer, and declared once, so a second declaration of each would be a
// place to forget a field; and a node of the next release may add fields that
// this one ignores. Text must be UTF-8, as everywhere.
package wire

import (
	"encoding/json"
	"fmt"
	"reflect"

	"flametree/actors"
	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
)

//go:generate sh -c "cd ../.. && protoc --proto_path=. --go_out=. --go_opt=module=flametree actors/wire/envelope.proto"

// MaxSize bounds a message on the wire, in bytes: larger ones would break the
// connection for all others.
const MaxSize = 3 << 20

const (
	version = 1
	maxName = 256 // of an actor
)

// row is one type that may cross. version counts its shapes: a node refuses
// those that it does not know.
type row struct {
	name    string
	version uint32
	of      reflect.Type
}

func typed[M any](name string) row {
	return row{name: name, version: version, of: reflect.TypeFor[M]()}
}

// table lists all messages and answers that may cross. A name is never reused.
func table() []row { return append(talk(), stores()...) }

// talk is what conversations, calls and agents say to each other.
func talk() []row {
	return []row{
		typed[actors.Begin]("begin"),
		typed[actors.Block]("block"),
		typed[actors.Look]("look"),
		typed[actors.Amend]("amend"),
		typed[actors.End]("end"),
		typed[actors.Write]("write"),
		typed[actors.Whisper]("whisper"),
		typed[actors.HandOver]("hand_over"),
		typed[actors.StopReply]("stop_reply"),
		typed[actors.Spoke]("spoke"),
		typed[actors.Guess]("guess"),
		typed[actors.Nudge]("nudge"),
		typed[actors.Fill]("fill"),
		typed[actors.Played]("played"),
		typed[actors.LegGone]("leg_gone"),
		typed[actors.TimerDue]("timer_due"),
		typed[actors.Recover]("recover"),
		typed[actors.Opened]("opened"),
		typed[actors.Say]("say"),
		typed[actors.Said]("said"),
		typed[actors.Filled]("filled"),
		typed[actors.Over]("over"),
		typed[actors.Transfer]("transfer"),
		typed[actors.PassFailed]("pass_failed"),
		typed[actors.Press]("press"),
		typed[actors.Sensitive]("sensitive"),
		typed[actors.Admit]("admit"),
		typed[actors.Release]("release"),
		typed[actors.LookAgent]("look_agent"),
		typed[actors.Configure]("configure"),
		typed[actors.HangUp]("hang_up"),
	}
}

// stores is what is said to what a tenant keeps, and all answers.
func stores() []row {
	return []row{
		typed[actors.CreateSource]("create_source"),
		typed[actors.SaveSource]("save_source"),
		typed[actors.IndexSource]("index_source"),
		typed[actors.StopIndexing]("stop_indexing"),
		typed[actors.ConnectSource]("connect_source"),
		typed[actors.DisconnectSource]("disconnect_source"),
		typed[actors.RemoveSource]("remove_source"),
		typed[actors.LookSource]("look_source"),
		typed[actors.CreateCatalog]("create_catalog"),
		typed[actors.ChangeCatalog]("change_catalog"),
		typed[actors.StockCatalog]("stock_catalog"),
		typed[actors.DropProducts]("drop_products"),
		typed[actors.ConnectCatalog]("connect_catalog"),
		typed[actors.DisconnectCatalog]("disconnect_catalog"),
		typed[actors.InviteEditor]("invite_editor"),
		typed[actors.ResetInvitations]("reset_invitations"),
		typed[actors.RemoveCatalog]("remove_catalog"),
		typed[actors.LookCatalog]("look_catalog"),
		typed[actors.CreateChannel]("create_channel"),
		typed[actors.SaveChannel]("save_channel"),
		typed[actors.StartChannel]("start_channel"),
		typed[actors.StopChannel]("stop_channel"),
		typed[actors.AttachChannel]("attach_channel"),
		typed[actors.DetachChannel]("detach_channel"),
		typed[actors.RemoveChannel]("remove_channel"),
		typed[actors.LookChannel]("look_channel"),
		// Answers.
		typed[actors.View]("view"),
		typed[actors.Answered]("answered"),
		typed[actors.Admitted]("admitted"),
		typed[agent.State]("agent_state"),
		typed[actors.SourceView]("source_view"),
		typed[actors.CatalogView]("catalog_view"),
		typed[actors.ChannelView]("channel_view"),
	}
}

// Encode puts a message, a pointer to one of the table's types, into an
// envelope to an actor. Anything else, and a message over MaxSize, is fault.Invalid.
func Encode(to actors.ID, msg any) (*Envelope, error) {
	if err := checked(to); err != nil {
		return nil, err
	}
	r, b, err := pack(msg)
	if err != nil {
		return nil, err
	}
	return &Envelope{
		Type: r.name, Version: r.version, Id: to.Name, Tenant: to.Tenant[:], Kind: string(to.Kind), Bytes: b,
	}, nil
}

// Decode is the inverse of Encode. It panics over nothing: what it does not
// know is fault.Invalid.
func Decode(e *Envelope) (to actors.ID, msg any, err error) {
	if len(e.GetTenant()) != len(to.Tenant) {
		return actors.ID{}, nil, fmt.Errorf("envelope with a tenant of %d bytes: %w", len(e.GetTenant()), fault.Invalid)
	}
	to = actors.ID{Kind: event.StreamKind(e.GetKind()), Name: e.GetId()}
	copy(to.Tenant[:], e.GetTenant())
	if err := checked(to); err != nil {
		return actors.ID{}, nil, err
	}
	if msg, err = unpack(e.GetType(), e.GetVersion(), e.GetBytes()); err != nil {
		return actors.ID{}, nil, err
	}
	return to, msg, nil
}

func checked(to actors.ID) error {
	switch to.Kind {
	case event.SessionStream, event.CallStream, event.AgentStream, event.TenantStream, event.CatalogStream, event.SourceStream, event.ConnectionStream:
	default:
		return fmt.Errorf("envelope to an actor of kind %.32q: %w", to.Kind, fault.Invalid)
	}
	if to.Name == "" || len(to.Name) > maxName {
		return fmt.Errorf("envelope to a name of %d bytes: %w", len(to.Name), fault.Invalid)
	}
	return nil
}

func pack(msg any) (row, []byte, error) {
	v := reflect.ValueOf(msg)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return row{}, nil, fmt.Errorf("%T is no message: %w", msg, fault.Invalid)
	}
	for _, r := range table() {
		if r.of != v.Type().Elem() {
			continue
		}
		b, err := json.Marshal(msg)
		if err != nil {
			return row{}, nil, fmt.Errorf("encode %s: %w: %w", r.name, fault.Invalid, err)
		}
		if len(b) > MaxSize {
			return row{}, nil, fmt.Errorf("%s of %d bytes is over %d: %w", r.name, len(b), MaxSize, fault.Invalid)
		}
		return r, b, nil
	}
	return row{}, nil, fmt.Errorf("%T does not cross between nodes: %w", msg, fault.Invalid)
}

func unpack(name string, version uint32, b []byte) (any, error) {
	for _, r := range table() {
		if r.name != name {
			continue
		}
		if r.version != version {
			return nil, fmt.Errorf("message %s has version %d, known is %d: %w", name, version, r.version, fault.Invalid)
		}
		if len(b) > MaxSize {
			return nil, fmt.Errorf("message %s of %d bytes: %w", name, len(b), fault.Invalid)
		}
		msg := reflect.New(r.of).Interface()
		if err := json.Unmarshal(b, msg); err != nil {
			return nil, fmt.Errorf("decode %s: %w: %w", name, fault.Invalid, err)
		}
		return msg, nil
	}
	return nil, fmt.Errorf("message of unknown type %.64q: %w", name, fault.Invalid)
}
