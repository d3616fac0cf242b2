package httpd

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"flametree/engine/fault"
)

// Problem is every refusal of this server: problem details (RFC 9457) with the
// fault kind, a code for programs and the id under which the request was
// logged. It is an error and unwraps to its kind.
type Problem struct {
	Type    string    `json:"type" doc:"Always about:blank: the code tells problems apart."`
	Title   string    `json:"title" doc:"The name of the HTTP status."`
	Status  int       `json:"status" doc:"The HTTP status."`
	Detail  string    `json:"detail" doc:"What was attempted and why it was refused."`
	Kind    string    `json:"kind" enum:"invalid,denied,not found,conflict,exhausted,unavailable,cancelled,bug" doc:"Which reaction the problem calls for."`
	Code    string    `json:"code" doc:"A stable name for programs, such as token_invalid."`
	TraceID string    `json:"trace_id" doc:"Quote it when you ask for help."`
	Errors  []Located `json:"errors,omitempty" doc:"What is wrong, and where."`

	// RetryAfter becomes the header of that name, in whole seconds.
	RetryAfter time.Duration `json:"-"`
}

// Located is one fault of a request and its place, such as body.user_info.screenWidth.
type Located struct {
	Location string `json:"location" doc:"Path of the value: body, query, path or header, then names."`
	Message  string `json:"message" doc:"What is expected there."`
	Value    any    `json:"value,omitempty" doc:"What was there instead, when it is short."`
}

// Refuse makes a Problem. The kind follows from the status.
func Refuse(status int, code, detail string, errs ...Located) *Problem {
	return &Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: detail, Kind: string(kindOf(status)), Code: code, Errors: errs,
	}
}

// Invalid refuses one value of a request with 422.
func Invalid(location, message string) *Problem {
	return Refuse(http.StatusUnprocessableEntity, "invalid", location+": "+message, Located{Location: location, Message: message})
}

// Error implements error.
func (p *Problem) Error() string { return p.Detail }

// Unwrap gives the fault kind, so that fault.KindOf works on a Problem.
func (p *Problem) Unwrap() error { return fault.Kind(p.Kind) }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((p.RetryAfter+time.Second-1)/time.Second)))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="flametree"`)
	}
	return h
}

// verdict is what the edge answers to a fault kind.
type verdict struct {
	status int
	code   string
	retry  time.Duration
}

// verdictOf is the table from fault kinds to HTTP. Denied is 403: only a
// credential that does not hold is 401, and that is said by who checks it.
func verdictOf(k fault.Kind) verdict {
	switch k {
	case fault.Invalid:
		return verdict{http.StatusUnprocessableEntity, "invalid", 0}
	case fault.Denied:
		return verdict{http.StatusForbidden, "denied", 0}
	case fault.NotFound:
		return verdict{http.StatusNotFound, "not_found", 0}
	case fault.Conflict:
		return verdict{http.StatusConflict, "conflict", 0}
	case fault.Exhausted:
		return verdict{http.StatusTooManyRequests, "exhausted", time.Second}
	case fault.Unavailable:
		return verdict{http.StatusServiceUnavailable, "unavailable", 2 * time.Second}
	case fault.Cancelled:
		return verdict{http.StatusServiceUnavailable, "cancelled", time.Second}
	case fault.Bug:
	}
	return verdict{http.StatusInternalServerError, "bug", 0}
}

// kindOf is the other way round, for problems that begin as a status.
func kindOf(status int) fault.Kind {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return fault.Denied
	case http.StatusNotFound:
		return fault.NotFound
	case http.StatusConflict:
		return fault.Conflict
	case http.StatusTooManyRequests:
		return fault.Exhausted
	case http.StatusServiceUnavailable:
		return fault.Unavailable
	}
	if status >= http.StatusInternalServerError {
		return fault.Bug
	}
	return fault.Invalid
}

// ProblemOf turns any error into the Problem that answers it. An error nobody
// classified shows nothing of itself. An error in the chain that has a method
// RetryAfter() time.Duration sets the header.
func ProblemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		q := *p
		return &q
	}
	k := fault.KindOf(err)
	v := verdictOf(k)
	p = Refuse(v.status, v.code, err.Error())
	p.Kind, p.RetryAfter = string(k), v.retry
	if k == fault.Bug {
		p.Detail = bugDetail
	}
	var r interface{ RetryAfter() time.Duration }
	if errors.As(err, &r) && r.RetryAfter() > 0 {
		p.RetryAfter = r.RetryAfter()
	}
	return p
}

// bugDetail is all that a caller is told of our own faults.
const bugDetail = "internal error; it is in the log under this trace id"

// maxEchoed keeps a refusal from sending a whole body back.
const maxEchoed = 200

// fromHuma turns huma's own refusals into ours. Its 400 for bodies that are no
// JSON becomes the documented 422.
func fromHuma(m *huma.ErrorModel) *Problem {
	status, code := m.Status, "invalid"
	switch {
	case status == http.StatusBadRequest:
		status = http.StatusUnprocessableEntity
	case status == http.StatusUnsupportedMediaType:
		code = "unsupported_media_type"
	case status >= http.StatusInternalServerError:
		code = "bug"
	}
	p := Refuse(status, code, m.Detail)
	for _, e := range m.Errors {
		if e == nil {
			continue
		}
		l := Located{Location: e.Location, Message: e.Message}
		if scalar(e.Value) {
			l.Value = e.Value
		}
		p.Errors = append(p.Errors, l)
	}
	if len(p.Errors) > 0 && code != "bug" {
		p.Detail = strings.TrimPrefix(p.Errors[0].Location+": ", ": ") + p.Errors[0].Message
	}
	if code == "bug" {
		p.Detail, p.Errors = bugDetail, nil
	}
	return p
}

// scalar reports whether a value may be shown again in a refusal: a short one
// that was given for one field. A whole body may hold what nobody shall read.
func scalar(v any) bool {
	switch v := v.(type) {
	case string:
		return len(v) <= maxEchoed
	case bool, float64, int, int64, json.Number:
		return true
	}
	return false
}

// transform gives every refusal that leaves through huma our form.
func transform(c huma.Context, _ string, v any) (any, error) {
	switch e := v.(type) {
	case *huma.ErrorModel:
		p := fromHuma(e)
		p.TraceID = traceOf(c.Context())
		return p, nil
	case *Problem:
		e.TraceID = traceOf(c.Context())
	}
	return v, nil
}

func traceOf(ctx context.Context) string {
	if r := RequestOf(ctx); r != nil {
		return r.trace
	}
	return ""
}
