package wire

import (
	"encoding/json"
	"errors"
	"fmt"

	"flametree/actors"
	"flametree/engine/fault"
)

// errorType is the type of a Reply that is an error.
const errorType = "error"

// trouble is an error as it crosses: its kind, its words and, for an agent that
// has no place, when to try again.
type trouble struct {
	Kind fault.Kind
	Text string
	Full *actors.Full `json:",omitempty"`
}

// remote is an error of another node. It keeps its kind and its words.
type remote struct {
	kind fault.Kind
	text string
}

// Error implements error.
func (r *remote) Error() string { return r.text }

// Unwrap gives the kind.
func (r *remote) Unwrap() error { return r.kind }

// EncodeAnswer puts the answer to a question into a Reply. An answer that
// cannot cross becomes the error that says so: whoever waits hears something.
func EncodeAnswer(question uint64, answer any) *Reply {
	if answer == nil {
		return &Reply{Reply: question}
	}
	if err, bad := answer.(error); bad {
		return failed(question, err)
	}
	r, b, err := pack(answer)
	if err != nil {
		return failed(question, fmt.Errorf("answer: %w: %w", fault.Bug, err))
	}
	return &Reply{Reply: question, Type: r.name, Version: r.version, Bytes: b}
}

func failed(question uint64, err error) *Reply {
	t := trouble{Kind: fault.KindOf(err), Text: err.Error()}
	if full, ok := errors.AsType[*actors.Full](err); ok {
		t.Full = full
	}
	b, err := json.Marshal(t)
	if err != nil {
		panic("an error's words are always JSON: " + err.Error())
	}
	return &Reply{Reply: question, Type: errorType, Version: version, Bytes: b}
}

// DecodeAnswer is the inverse of EncodeAnswer. An error that crossed wraps the
// kind that it had; *actors.Full comes back as itself. A Reply that cannot be
// read is fault.Invalid.
func DecodeAnswer(r *Reply) (any, error) {
	switch r.GetType() {
	case "":
		return nil, nil //nolint:nilnil // some questions have no answer but that they were worked off
	case errorType:
		return nil, opened(r)
	}
	return unpack(r.GetType(), r.GetVersion(), r.GetBytes())
}

func opened(r *Reply) error {
	var t trouble
	if err := json.Unmarshal(r.GetBytes(), &t); err != nil || r.GetVersion() != version {
		return fmt.Errorf("error of another node cannot be read: %w", fault.Invalid)
	}
	if t.Full != nil {
		return t.Full
	}
	switch t.Kind {
	case fault.Invalid, fault.Denied, fault.NotFound, fault.Conflict, fault.Exhausted, fault.Unavailable, fault.Cancelled, fault.Bug:
	default:
		t.Kind = fault.Bug // of a later release
	}
	return &remote{kind: t.Kind, text: t.Text}
}
