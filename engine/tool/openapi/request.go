package openapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"flametree/engine/fault"
	"flametree/engine/tool/remote"
)

// request fills the operation with arguments that fit its schema.
func (o *operation) request(ctx context.Context, args map[string]any, key string, auth remote.Auth) (*http.Request, error) {
	u, err := o.address(args)
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if given, ok := args[bodyArg]; ok && o.body != "" {
		raw, err := json.Marshal(given)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, o.verb, u.String(), body)
	if err != nil {
		return nil, errors.New("the arguments make no request")
	}
	r.Header.Set("Accept", "application/json, application/problem+json, text/*;q=0.8, */*;q=0.1")
	r.Header.Set("User-Agent", "flametree")
	if body != nil {
		r.Header.Set("Content-Type", o.body)
	}
	for _, p := range o.params {
		value, given := args[p.arg]
		if !given || value == nil || p.in != "header" {
			continue
		}
		text := p.joined(value, ",")
		if strings.ContainsFunc(text, func(c rune) bool { return unicode.IsControl(c) || c > unicode.MaxASCII }) {
			return nil, fmt.Errorf("/%s: a header has plain characters alone", p.arg)
		}
		r.Header.Set(p.name, text)
	}
	if o.spec.SideEffect && key != "" && !strings.ContainsFunc(key, unicode.IsControl) {
		r.Header.Set("Idempotency-Key", key)
	}
	if name, value := auth.Field(); name != "" {
		r.Header.Set(name, value)
	}
	return r, nil
}

// address builds the URL. Scheme, host and the number of the path's segments
// are the template's whatever the arguments are; that is checked at the end.
func (o *operation) address(args map[string]any) (*url.URL, error) {
	var path strings.Builder
	for _, p := range o.path {
		if p.param == nil {
			path.WriteString(literal(p.text))
			continue
		}
		text := p.param.joined(args[p.param.arg], ",")
		if err := segment(text); err != nil {
			return nil, fmt.Errorf("/%s: %w", p.param.arg, err)
		}
		path.WriteString(url.PathEscape(text))
	}
	if err := o.apart(args); err != nil {
		return nil, err
	}
	escaped := strings.TrimSuffix(o.base.EscapedPath(), "/") + path.String()
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, errors.New("the path cannot be escaped")
	}
	u := &url.URL{Scheme: o.base.Scheme, Host: o.base.Host, Path: plain, RawPath: escaped, RawQuery: o.query(args)}
	if slices.ContainsFunc(strings.Split(u.EscapedPath(), "/"), func(s string) bool { return s == "." || s == ".." }) || u.EscapedPath() != escaped {
		return nil, errors.New("the arguments would change the path")
	}
	return u, nil
}

// apart refuses an object whose keys become parameters of the query and take
// another one's place, which may be bound by the server.
func (o *operation) apart(args map[string]any) error {
	for _, p := range o.params {
		object, ok := args[p.arg].(map[string]any)
		if !ok || p.in != "query" || p.style != "form" || !p.explode || p.asJSON {
			continue
		}
		for k := range object {
			if slices.ContainsFunc(o.params, func(other param) bool { return other.in == "query" && other.name == k }) {
				return fmt.Errorf("/%s/%s: another parameter has this name", p.arg, remote.Printable(k, 80))
			}
		}
	}
	return nil
}

// segment refuses what a server or a proxy that unescapes before it routes
// would take for another place.
func segment(text string) error {
	if text == "" {
		return errors.New("it is empty, and a part of the path is not")
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return errors.New("it has control characters")
	}
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == '/' || r == '\\' }) {
		if part == "." || part == ".." {
			return errors.New("it would lead to another path")
		}
	}
	return nil
}

// query writes the parameters of the query (3.0.3, Style Values).
func (o *operation) query(args map[string]any) string {
	var parts []string
	add := func(name, value string) { parts = append(parts, url.QueryEscape(name)+"="+url.QueryEscape(value)) }
	for _, p := range o.params {
		value, given := args[p.arg]
		if !given || value == nil || p.in != "query" {
			continue
		}
		list, isList := value.([]any)
		object, isObject := value.(map[string]any)
		switch {
		case p.asJSON:
			add(p.name, p.joined(value, ","))
		case isList && p.explode && p.style == "form":
			for _, one := range list {
				add(p.name, plainText(one))
			}
		case isObject && p.style == "deepObject":
			for _, k := range sorted(object) {
				add(p.name+"["+k+"]", plainText(object[k]))
			}
		case isObject && p.explode && p.style == "form":
			for _, k := range sorted(object) {
				add(k, plainText(object[k]))
			}
		default:
			add(p.name, p.joined(value, map[string]string{"spaceDelimited": " ", "pipeDelimited": "|"}[p.style]))
		}
	}
	return strings.Join(parts, "&")
}

// joined writes a value as one text.
func (p *param) joined(value any, by string) string {
	if by == "" {
		by = ","
	}
	if p.asJSON {
		raw, err := json.Marshal(value)
		if err != nil { // it came out of JSON
			return ""
		}
		return string(raw)
	}
	switch v := value.(type) {
	case []any:
		parts := make([]string, len(v))
		for i, one := range v {
			parts[i] = plainText(one)
		}
		return strings.Join(parts, by)
	case map[string]any:
		var parts []string
		for _, k := range sorted(v) {
			if p.explode {
				parts = append(parts, k+"="+plainText(v[k]))
			} else {
				parts = append(parts, k, plainText(v[k]))
			}
		}
		return strings.Join(parts, by)
	}
	return plainText(value)
}

// plainText writes a value that stands alone. What is nested has no form in a
// URL and is written as JSON.
func plainText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	}
	raw, err := json.Marshal(v)
	if err != nil { // it came out of JSON
		return ""
	}
	return string(raw)
}

func sorted(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// kindOf is what a status asks of the caller.
func kindOf(status int) fault.Kind {
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fault.Denied
	case status == http.StatusNotFound || status == http.StatusGone:
		return fault.NotFound
	case status == http.StatusConflict || status == http.StatusPreconditionFailed:
		return fault.Conflict
	case status == http.StatusTooManyRequests:
		return fault.Exhausted
	case status >= http.StatusInternalServerError || status == http.StatusRequestTimeout:
		return fault.Unavailable
	}
	return fault.Invalid
}

// unsent tells why a request failed, without the URL that net/http puts in
// front: its query may hold a person's data.
func unsent(ctx context.Context, err error) error {
	var (
		u *url.Error
		k fault.Kind
	)
	if errors.As(err, &u) {
		err = u.Err
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("nobody waits any more: %w", fault.Cancelled)
	case ctx.Err() != nil:
		return fmt.Errorf("no answer in time: %w", fault.Unavailable)
	case errors.As(err, &k):
		return err
	}
	return fmt.Errorf("%s: %w", remote.Printable(err.Error(), 200), fault.Unavailable)
}
