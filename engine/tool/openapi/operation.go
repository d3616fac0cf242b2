package openapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"flametree/engine/tool"
	"flametree/engine/tool/remote"
)

const maxDescription = 2000 // characters

// operation is one tool and how its request is filled.
type operation struct {
	spec   tool.Spec
	schema *remote.Schema
	verb   string
	base   *url.URL
	path   []piece
	params []param // of query and header; those of the path are in path
	body   string  // content type, "" = none
}

// piece is a part of the path: literal text, or a parameter.
type piece struct {
	text  string
	param *param
}

// param is one parameter: where it goes and how it is written.
type param struct {
	arg     string // name among the arguments
	name    string // name on the wire
	in      string
	style   string
	explode bool
	asJSON  bool
}

// bodyArg is the argument that is the request's body.
const bodyArg = "body"

// operation makes a tool of a method; the error says why it cannot be one.
func (d *document) operation(m method, base *url.URL, owned bool, timeout time.Duration, auth remote.Auth) (*operation, error) {
	if !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, m.verb) {
		return nil, errors.New("its method cannot be called")
	}
	if err := d.sameServer(m, base, owned); err != nil {
		return nil, err
	}
	o := &operation{verb: m.verb, base: base}
	w := remote.NewWriter(d.root, dialect(d.v30))
	in := inputs{props: map[string]any{}, path: map[string]*param{}}
	if err := o.takeParameters(w, m, &in, auth); err != nil {
		return nil, err
	}
	if err := o.template(m.path, in.path); err != nil {
		return nil, err
	}
	if err := o.takeBody(w, m.op.RequestBody, &in); err != nil {
		return nil, err
	}
	schema := map[string]any{"type": "object", "properties": in.props, "additionalProperties": false}
	if len(in.must) > 0 {
		schema["required"] = in.must
	}
	var err error
	o.spec = tool.Spec{Description: describe(m), Timeout: timeout, SideEffect: m.verb != "GET" && m.verb != "HEAD"}
	if o.schema, err = remote.Compile(schema); err != nil {
		return nil, err
	}
	o.spec.Schema = o.schema.Raw
	return o, nil
}

// inputs are the arguments as they are gathered.
type inputs struct {
	props map[string]any
	must  []string
	path  map[string]*param
}

func (o *operation) takeParameters(w *remote.Writer, m method, in *inputs, auth remote.Auth) error {
	for _, p := range parameters(m) {
		if ignored(p, auth) {
			continue
		}
		built, s, err := readParam(w, p)
		if err != nil && !p.Required {
			continue // one that nobody must give may be missing
		}
		if err != nil {
			return err
		}
		if _, taken := in.props[built.arg]; taken || built.arg == bodyArg {
			built.arg = p.In + "_" + built.arg
		}
		in.props[built.arg] = s
		if p.Required || p.In == openapi3.ParameterInPath {
			in.must = append(in.must, built.arg)
		}
		if p.In == openapi3.ParameterInPath {
			in.path[p.Name] = built
		} else {
			o.params = append(o.params, *built)
		}
	}
	return nil
}

// sameServer refuses an operation that a document sends elsewhere than its
// other operations: our secret would go along.
func (d *document) sameServer(m method, base *url.URL, owned bool) error {
	own := m.item.Servers
	if m.op.Servers != nil && len(*m.op.Servers) > 0 {
		own = *m.op.Servers
	}
	if owned || len(own) == 0 {
		return nil
	}
	if u, err := absolute(filled(own[0])); err == nil && u.String() == base.String() {
		return nil
	}
	return errors.New("it has a server of its own; give a base URL for all")
}

// parameters joins those of the path with the operation's, which win (3.0.3,
// Path Item Object), in the order path, query, header, cookie.
func parameters(m method) []*openapi3.Parameter {
	var all []*openapi3.Parameter
	for _, list := range []openapi3.Parameters{m.op.Parameters, m.item.Parameters} {
		for _, ref := range list {
			if ref == nil || ref.Value == nil {
				continue
			}
			if !slices.ContainsFunc(all, func(p *openapi3.Parameter) bool { return p.Name == ref.Value.Name && p.In == ref.Value.In }) {
				all = append(all, ref.Value)
			}
		}
	}
	order := []string{openapi3.ParameterInPath, openapi3.ParameterInQuery, openapi3.ParameterInHeader, openapi3.ParameterInCookie}
	slices.SortStableFunc(all, func(a, b *openapi3.Parameter) int {
		return slices.Index(order, a.In) - slices.Index(order, b.In)
	})
	return all
}

// ignored are headers that no argument may set: those the specification leaves
// out (3.0.3, Parameter Object), ours, and those that steer the connection.
func ignored(p *openapi3.Parameter, auth remote.Auth) bool {
	secret, _ := auth.Field()
	return p.In == openapi3.ParameterInHeader && (strings.EqualFold(p.Name, secret) || slices.Contains([]string{
		"accept", "authorization", "connection", "content-length", "content-type", "cookie", "expect", "host",
		"idempotency-key", "keep-alive", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade",
	}, strings.ToLower(p.Name)))
}

// readParam reads one parameter and its schema.
func readParam(w *remote.Writer, p *openapi3.Parameter) (*param, any, error) {
	say := func(why string) error { return fmt.Errorf("its parameter %q %s", remote.Printable(p.Name, 80), why) }
	built := &param{arg: argument(p.Name), name: p.Name, in: p.In}
	if p.Name == "" || built.arg == "" {
		return nil, nil, say("has no name that an argument can have")
	}
	if p.In == openapi3.ParameterInHeader && strings.Trim(p.Name, remote.Alphanumeric+"!#$%&'*+-.^_`|~") != "" {
		return nil, nil, say("is no name of a header")
	}
	how, err := p.SerializationMethod()
	if err != nil || p.In == openapi3.ParameterInCookie {
		return nil, nil, say("goes where none can be sent")
	}
	built.style, built.explode = how.Style, how.Explode
	if !slices.Contains([]string{"form", "simple", "spaceDelimited", "pipeDelimited", "deepObject"}, how.Style) {
		return nil, nil, say("is written in a style that is not supported, " + remote.Printable(how.Style, 20))
	}
	ref := p.Schema
	if ref == nil && len(p.Content) > 0 {
		media := p.Content.Get("application/json")
		if media == nil || media.Schema == nil {
			return nil, nil, say("is no JSON")
		}
		ref, built.asJSON = media.Schema, true
	}
	declared := any(map[string]any{})
	if ref != nil {
		if declared, err = generic(ref); err != nil {
			return nil, nil, err
		}
	}
	s, err := w.Write(declared)
	if err != nil {
		return nil, nil, say("has no usable schema: " + err.Error())
	}
	if m, ok := s.(map[string]any); ok && p.Description != "" {
		m["description"] = remote.Printable(p.Description, 500)
	}
	return built, s, nil
}

// template parts a path at its parameters; each must be declared.
func (o *operation) template(path string, declared map[string]*param) error {
	if !strings.HasPrefix(path, "/") {
		return errors.New("its path does not begin with /")
	}
	used := 0
	for rest := path; rest != ""; {
		text, after, open := strings.Cut(rest, "{")
		if text != "" {
			o.path = append(o.path, piece{text: text})
		}
		if !open {
			break
		}
		name, tail, closed := strings.Cut(after, "}")
		p := declared[name]
		if !closed || p == nil {
			return fmt.Errorf("its path has the parameter %q, which is not declared", remote.Printable(name, 80))
		}
		o.path = append(o.path, piece{param: p})
		used++
		rest = tail
	}
	if used != len(declared) {
		return errors.New("a parameter of its path does not stand in the path once")
	}
	return nil
}

// takeBody adds the JSON body. An optional body of another type is left out.
func (o *operation) takeBody(w *remote.Writer, ref *openapi3.RequestBodyRef, in *inputs) error {
	if ref == nil || ref.Value == nil || o.verb == "GET" || o.verb == "HEAD" {
		return nil
	}
	var media *openapi3.MediaType
	for kind, m := range ref.Value.Content {
		if isJSON(kind) && m != nil && (o.body == "" || kind < o.body) {
			o.body, media = kind, m
		}
	}
	if media == nil {
		if ref.Value.Required {
			return errors.New("its body is no JSON")
		}
		return nil
	}
	declared := any(map[string]any{})
	if media.Schema != nil {
		var err error
		if declared, err = generic(media.Schema); err != nil {
			return err
		}
	}
	s, err := w.Write(declared)
	if err != nil {
		return err
	}
	if m, ok := s.(map[string]any); ok && ref.Value.Description != "" && m["description"] == nil {
		m["description"] = remote.Printable(ref.Value.Description, 500)
	}
	in.props[bodyArg] = s
	if ref.Value.Required {
		in.must = append(in.must, bodyArg)
	}
	return nil
}

func isJSON(kind string) bool {
	kind, _, _ = strings.Cut(kind, ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	return kind == "application/json" || strings.HasSuffix(kind, "+json")
}

func describe(m method) string {
	text := strings.TrimSpace(m.op.Summary)
	if more := strings.TrimSpace(m.op.Description); more != "" && more != text {
		text = strings.TrimSpace(text + "\n" + more)
	}
	if text == "" {
		text = m.verb + " " + m.path
	}
	return remote.Printable(text, maxDescription)
}

// argument is a parameter's name as an argument can have it: models refuse
// others in a schema.
func argument(name string) string {
	if clean := valid(name); clean != "" && len(clean) <= tool.MaxName {
		return clean
	}
	return ""
}

// valid turns each run of other characters than letters, digits, - and _ into
// one "_".
func valid(name string) string {
	var b strings.Builder
	gap := false
	for _, r := range name {
		if r < 0x80 && strings.ContainsRune(remote.Alphanumeric+"-_", r) {
			if gap && b.Len() > 0 {
				b.WriteByte('_')
			}
			gap = false
			b.WriteRune(r)
			continue
		}
		gap = true
	}
	return b.String()
}

// toolName is the operation's own, or made of its method and path.
func toolName(m method) string {
	name := valid(m.op.OperationID)
	if name == "" {
		name = strings.ToLower(m.verb) + "_" + valid(m.path)
	}
	return strings.TrimRight(name[:min(len(name), tool.MaxName)], "_")
}

// literal escapes the fixed text of a path.
func literal(text string) string { return (&url.URL{Path: text}).EscapedPath() }

// decoded are the arguments of a call.
func decoded(raw json.RawMessage) (map[string]any, error) {
	args := map[string]any{}
	if len(raw) == 0 {
		return args, nil
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber() // 12345678901234567890 goes out as it came in
	if err := d.Decode(&args); err != nil || args == nil || d.More() {
		return nil, errors.New("the arguments are no JSON object")
	}
	return args, nil
}
