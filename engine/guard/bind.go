package guard

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"flametree/engine/fault"
	"flametree/engine/tool"
)

// Refusal says why a call may not run. Each is fault.Denied.
type Refusal string

// The refusals.
const (
	Foreign     Refusal = "the session decides this argument, and it was given another value"
	Unknown     Refusal = "the session does not know this value"
	Unverified  Refusal = "the customer's identity is not proven"
	TooMuch     Refusal = "the amount is above the limit"
	NoAmount    Refusal = "the amount is no number of zero or more"
	Unconfirmed Refusal = "the human has not agreed to this call"
)

// Error implements error.
func (r Refusal) Error() string { return string(r) }

// Unwrap says what kind of trouble it is.
func (Refusal) Unwrap() error { return fault.Denied }

// Standing is where a session stands when a model wishes a call.
type Standing struct {
	Scene    tool.Scene
	Customer string // what a verifying tool gave as customer_id, "" = none did
	Verified bool   // a verifying tool proved who the customer is
	Agreed   string // Mark of the call that the human said yes to, "" = none
}

// Bound makes the arguments a call runs with: what the session decides is filled
// in, whatever the model wrote there. It refuses, with a Refusal, a model that
// gave such an argument another value, a customer who is not proven where the
// tool needs it, an amount above the limit, and a call that waits for a yes.
// Arguments that are no JSON object are fault.Invalid. No error shows a value.
func Bound(spec tool.Spec, args json.RawMessage, at Standing) (json.RawMessage, error) {
	fields, err := object(args)
	if err != nil {
		return nil, fmt.Errorf("arguments of %s: %w", spec.Name, err)
	}
	if spec.Verified && !at.Verified {
		return nil, fmt.Errorf("%s: %w", spec.Name, Unverified)
	}
	for _, b := range spec.Bind {
		if err := bind(fields, b, at); err != nil {
			return nil, fmt.Errorf("%s, argument %s: %w", spec.Name, b.Arg, err)
		}
	}
	if err := afford(fields, spec); err != nil {
		return nil, fmt.Errorf("%s, argument %s: %w", spec.Name, spec.Amount, err)
	}
	out, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("arguments of %s: %w", spec.Name, fault.Invalid)
	}
	if spec.Confirm && (at.Agreed == "" || at.Agreed != Mark(spec.Name, out)) {
		return nil, fmt.Errorf("%s: %w", spec.Name, Unconfirmed)
	}
	return out, nil
}

// Mark names one call with its arguments as Bound made them. A yes counts for the
// call that was asked about, not for another amount or receiver.
func Mark(name string, args json.RawMessage) string {
	fields, err := object(args)
	if err != nil {
		return ""
	}
	same, err := json.Marshal(fields) // keys in order
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(append([]byte(name+"\x00"), same...))
	return hex.EncodeToString(sum[:16])
}

// Wish is Bound without the question whether the human agreed: the arguments to
// ask about and to Mark.
func Wish(spec tool.Spec, args json.RawMessage, at Standing) (json.RawMessage, error) {
	spec.Confirm = false
	return Bound(spec, args, at)
}

func object(args json.RawMessage) (map[string]json.RawMessage, error) {
	if len(bytes.TrimSpace(args)) == 0 {
		return map[string]json.RawMessage{}, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(args, &fields); err != nil || fields == nil {
		return nil, fmt.Errorf("not a JSON object: %w", fault.Invalid)
	}
	return fields, nil
}

// bind fills in one argument. Names are compared as lenient readers of JSON do.
func bind(fields map[string]json.RawMessage, b tool.Binding, at Standing) error {
	value, err := from(b.From, at)
	if err != nil {
		return err
	}
	for name, given := range fields {
		if !strings.EqualFold(name, b.Arg) {
			continue
		}
		delete(fields, name)
		if text := scalar(given); text != "" && text != scalar(value) {
			return Foreign
		}
	}
	fields[b.Arg] = value
	return nil
}

// scalar writes a value as text, so that 42 and "42" are one; null is "".
func scalar(v json.RawMessage) string {
	var s string
	if json.Unmarshal(v, &s) == nil {
		return strings.TrimSpace(s)
	}
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return string(v)
	}
	return b.String()
}

// from finds what the session knows.
func from(source string, at Standing) (json.RawMessage, error) {
	var text string
	switch source {
	case "session.id":
		text = at.Scene.Session
	case "session.user":
		text = at.Scene.User
	case "session.phone":
		text = at.Scene.Phone
	case "session.email":
		text = at.Scene.Email
	case "customer.id":
		if at.Customer == "" {
			return nil, Unverified
		}
		text = at.Customer
	default:
		if name, ok := strings.CutPrefix(source, "params."); ok {
			if v := at.Scene.Parameters[name]; scalar(v) != "" && json.Valid(v) {
				return v, nil
			}
			return nil, Unknown
		}
		name, ok := strings.CutPrefix(source, "results.")
		if !ok {
			return nil, fmt.Errorf("a binding to %q: %w", source, fault.Invalid)
		}
		text = at.Scene.Results[name]
	}
	if text == "" {
		return nil, Unknown
	}
	return json.Marshal(text)
}

// afford checks the amount. A negative one would move money the other way.
func afford(fields map[string]json.RawMessage, spec tool.Spec) error {
	if spec.Amount == "" {
		return nil
	}
	found := false
	for name, v := range fields {
		if !strings.EqualFold(name, spec.Amount) {
			continue
		}
		text := scalar(v)
		n, err := strconv.ParseFloat(text, 64)
		switch {
		// ParseFloat reads hexadecimal and names of numbers too, and who runs the
		// tool may read them otherwise.
		case err != nil, strings.Trim(text, "0123456789.eE+-") != "", math.IsInf(n, 0), n < 0:
			return NoAmount
		case spec.Limit > 0 && n > spec.Limit:
			return TooMuch
		}
		found = true
	}
	if !found && spec.Limit > 0 {
		return NoAmount
	}
	return nil
}
