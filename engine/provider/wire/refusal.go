package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"flametree/engine/fault"
)

// maxWait bounds what a vendor may ask us to wait; longer is a mistake of theirs.
const maxWait = time.Hour

// Refusal is an error that a vendor answered, by a status or inside a stream.
// It wraps its Kind.
type Refusal struct {
	Vendor  string
	Status  int    // 0 inside a stream
	Code    string // the vendor's word for it, an identifier, or ""
	Param   string // the field it blames, an identifier, or ""
	Request string // the vendor's id of the request, or ""
	Kind    fault.Kind
	After   time.Duration // how long to wait before asking again; 0 = not said

	says string // may quote the request: compared, never shown
}

// Error tells the vendor, the status and the codes, never the vendor's sentence.
func (r *Refusal) Error() string {
	var b strings.Builder
	b.WriteString(r.Vendor)
	if r.Status != 0 {
		fmt.Fprintf(&b, " answered %d", r.Status)
	} else {
		b.WriteString(" broke off the reply")
	}
	for _, p := range []struct{ name, value string }{{"code", r.Code}, {"field", r.Param}, {"request", r.Request}} {
		if p.value != "" {
			fmt.Fprintf(&b, ", %s %s", p.name, p.value)
		}
	}
	if hint := r.hint(); hint != "" {
		b.WriteString(" (" + hint + ")")
	}
	return b.String() + ": " + r.Kind.Error()
}

func (r *Refusal) hint() string {
	switch {
	case r.Status >= 300 && r.Status < 400:
		return "it redirects: set the address that it leads to"
	case r.Status == http.StatusUnauthorized:
		return "check the key"
	case r.Status == http.StatusNotFound:
		return "check the address and the name of the model"
	case r.Status == http.StatusRequestEntityTooLarge:
		return "the request is too long"
	}
	return ""
}

// Unwrap gives the Kind.
func (r *Refusal) Unwrap() error { return r.Kind }

// RetryAfter is how long the vendor asks to wait; 0 = not said.
func (r *Refusal) RetryAfter() time.Duration { return r.After }

// Names reports whether the vendor refused the request because of one field.
func (r *Refusal) Names(field string) bool {
	if r.Status != http.StatusBadRequest && r.Status != http.StatusUnprocessableEntity && r.Status != http.StatusNotImplemented {
		return false
	}
	if r.Param != "" {
		return r.Param == field || strings.HasPrefix(r.Param, field+".")
	}
	for at := 0; ; {
		i := strings.Index(r.says[at:], field)
		if i < 0 {
			return false
		}
		at += i + len(field)
		before := at == len(field) || !wordByte(r.says[at-len(field)-1])
		if before && (at == len(r.says) || !wordByte(r.says[at])) {
			return true
		}
	}
}

func wordByte(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// complaint is the union of how vendors and compatible servers put an error.
type complaint struct {
	Message string          `json:"message"`
	Type    string          `json:"type"`
	Status  string          `json:"status"`
	Param   string          `json:"param"`
	Code    json.RawMessage `json:"code"` // a string, a number or null
	Details []struct {
		Delay string `json:"retryDelay"`
	} `json:"details"`
}

// refusal reads an error body; secret is what must not appear in it.
func refusal(vendor, secret string, resp *http.Response, body []byte) *Refusal {
	r := &Refusal{Vendor: vendor, Status: resp.StatusCode, After: retryAfter(resp.Header)}
	for _, h := range []string{"x-request-id", "request-id"} {
		if v := identifier(resp.Header.Get(h), secret); v != "" {
			r.Request = v
		}
	}
	r.read(body, secret)
	return r
}

// Broken is an error event inside a stream of vendor; body is its JSON.
func (c *Client) Broken(body []byte) *Refusal {
	r := &Refusal{Vendor: c.vendor}
	r.read(body, c.secret)
	return r
}

func (r *Refusal) read(body []byte, secret string) {
	body = bytes.TrimSpace(body)
	if list := []json.RawMessage{}; len(body) > 0 && body[0] == '[' && json.Unmarshal(body, &list) == nil && len(list) > 0 {
		body = list[0]
	}
	var outer struct {
		Error json.RawMessage `json:"error"`
	}
	var c complaint
	if json.Unmarshal(body, &outer) == nil {
		inner := outer.Error
		if len(inner) == 0 {
			inner = body
		}
		if json.Unmarshal(inner, &c) != nil {
			_ = json.Unmarshal(inner, &c.Message) // some servers say {"error":"…"}
		}
	}
	var code string
	_ = json.Unmarshal(c.Code, &code) // a number repeats the status
	for _, v := range []string{code, c.Status, c.Type} {
		if r.Code == "" {
			r.Code = identifier(v, secret)
		}
	}
	r.Param, r.says = identifier(c.Param, secret), c.Message
	for _, d := range c.Details {
		if w, err := time.ParseDuration(d.Delay); err == nil && w > 0 && r.After == 0 {
			r.After = min(w, maxWait)
		}
	}
	r.Kind = kind(r.Status, r.Code, code, c.Type, c.Status)
}

// kind is the one table from what vendors answer to what we do about it.
func kind(status int, codes ...string) fault.Kind {
	for _, c := range codes {
		switch c {
		case "insufficient_quota", "billing_error", "billing_hard_limit_reached":
			return fault.Denied // waiting does not help; somebody must pay
		}
	}
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusPaymentRequired:
		return fault.Denied
	case status == http.StatusNotFound:
		return fault.NotFound
	case status == http.StatusTooManyRequests:
		return fault.Exhausted
	case status == http.StatusRequestTimeout, status == http.StatusConflict, status >= 500:
		return fault.Unavailable
	case status != 0:
		return fault.Invalid
	}
	for _, c := range codes {
		switch c {
		case "rate_limit_error", "rate_limit_exceeded", "RESOURCE_EXHAUSTED":
			return fault.Exhausted
		case "invalid_request_error", "INVALID_ARGUMENT", "context_length_exceeded":
			return fault.Invalid
		case "authentication_error", "permission_error", "PERMISSION_DENIED", "UNAUTHENTICATED":
			return fault.Denied
		case "not_found_error", "NOT_FOUND":
			return fault.NotFound
		}
	}
	return fault.Unavailable
}

// identifier lets a code through and nothing that could be a sentence or a key.
func identifier(s, secret string) string {
	if s == "" || len(s) > 64 || secret != "" && (strings.Contains(s, secret) || strings.Contains(secret, s) && len(s) > 8) {
		return ""
	}
	for i := range len(s) {
		if b := s[i]; !wordByte(b) && b != '.' && b != '-' {
			return ""
		}
	}
	return s
}

// retryAfter reads Retry-After (RFC 9110, 10.2.3) and OpenAI's retry-after-ms.
// A date is measured from the answer's own Date, so that no clock is asked.
func retryAfter(h http.Header) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("retry-after-ms"), 64); err == nil && ms > 0 {
		return time.Duration(min(ms, float64(maxWait.Milliseconds())) * float64(time.Millisecond))
	}
	v := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(v, 64); err == nil && s > 0 {
		return time.Duration(min(s, maxWait.Seconds()) * float64(time.Second))
	}
	at, err := http.ParseTime(v)
	from, err2 := http.ParseTime(h.Get("Date"))
	if err != nil || err2 != nil || !at.After(from) {
		return 0
	}
	return min(at.Sub(from), maxWait)
}

// errSchema is the fault of a schema that no vendor takes.
var errSchema = fmt.Errorf("a schema must be a JSON Schema of type object: %w", fault.Invalid)
