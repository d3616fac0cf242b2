package agent

import (
	"slices"
	"strings"

	"flametree/engine/event"
	"flametree/engine/workflow/located"
)

// several reads a list of at most MaxListed entries; one entry that is no list
// is a list of one.
func (p *parser) several(what string, read func(located.Node)) func(located.Node) {
	return func(n located.Node) {
		switch {
		case n.Kind == located.Text || n.Kind == located.Map:
			read(n)
		case len(n.Items) > MaxListed:
			p.Fault(n.Items[MaxListed], "%s has %d entries; %d are allowed", what, len(n.Items), MaxListed)
		default:
			p.Each(what, read)(n)
		}
	}
}

// named reads a text as one field, or a mapping as a whole.
func (p *parser) named(n located.Node, what string, text *string, keys ...located.Key) {
	if n.Kind == located.Text {
		p.String(what, MaxText, text)(n)
		return
	}
	p.Map(n, what, keys...)
}

func (p *parser) handoff(n located.Node) {
	h := &p.spec.Handoff
	if n.Kind == located.Text {
		p.Bool("handoff", &h.Allow)(n)
		return
	}
	p.Map(n, "handoff",
		located.Key{Name: "allow", Read: p.Bool("allow", &h.Allow)},
		located.Key{Name: "conditions", Read: p.String("conditions", MaxText, &h.Conditions)},
	)
	if h.Conditions != "" && !h.Allow {
		p.Warn(n, "handoff has conditions, but allow is not true: nobody is handed over")
	}
}

func (p *parser) website(n located.Node) {
	var w Website
	p.named(n, "a website", &w.URL,
		located.Key{Name: "url", Read: p.String("url", MaxText, &w.URL)},
		located.Key{Name: "depth", Read: p.Int("depth", 0, 20, &w.Depth)},
		located.Key{Name: "pages", Read: p.Int("pages", 1, 10_000, &w.Pages)},
	)
	if n.Kind == located.Absent {
		return
	}
	if !isAddress(w.URL) {
		p.Fault(n, "a website needs an http or https address, this is %s", located.Describe(n))
		return
	}
	p.spec.Websites = append(p.spec.Websites, w)
}

func (p *parser) video(n located.Node) {
	var s string
	if p.String("youtube", MaxText, &s)(n); s == "" {
		return
	}
	if !isAddress(s) {
		p.Fault(n, "youtube needs the address of a video or channel, this is %s", located.Describe(n))
		return
	}
	p.spec.YouTube = append(p.spec.YouTube, s)
}

func (p *parser) catalog(n located.Node) {
	var c Catalog
	p.named(n, "a catalogue", &c.Name,
		located.Key{Name: "name", Read: p.String("name", MaxTitle, &c.Name)},
		located.Key{Name: "path", Read: p.String("path", MaxText, &c.Path)},
	)
	if c == (Catalog{}) {
		if n.Kind == located.Map {
			p.Fault(n, "a catalogue needs a name or a path")
		}
		return
	}
	p.spec.Catalogs = append(p.spec.Catalogs, c)
}

func (p *parser) toolGroup(n located.Node) {
	var g ToolGroup
	p.named(n, "a tool group", &g.Name,
		located.Key{Name: "name", Read: p.String("name", MaxTitle, &g.Name)},
		located.Key{Name: "path", Read: p.String("path", MaxText, &g.Path)},
		located.Key{Name: "env", Read: func(v located.Node) { g.Env, g.Secrets = p.pairs("env of a tool group", v, nil) }},
	)
	if g.Name == "" && g.Path == "" {
		if n.Kind == located.Map {
			p.Fault(n, "a tool group needs a name or a path")
		}
		return
	}
	same := func(o ToolGroup) bool { return g.Name != "" && o.Name == g.Name }
	if slices.ContainsFunc(p.spec.ToolGroups, same) {
		p.Fault(n, "the tool group %q is listed already", clip(g.Name))
		return
	}
	p.spec.ToolGroups = append(p.spec.ToolGroups, g)
}

func (p *parser) mcp(n located.Node) {
	var m MCPServer
	p.Map(n, "an MCP server",
		located.Key{Name: "name", Read: p.String("name", MaxTitle, &m.Name)},
		located.Key{Name: "description", Read: p.String("description", MaxText, &m.Description)},
		located.Key{Name: "code", Read: p.String("code", 32, &m.Code)},
		located.Key{Name: "endpoint", Read: p.String("endpoint", MaxText, &m.Endpoint)},
		located.Key{Name: "transport", Read: p.choice("transport", &m.Transport, "http_sse", "streamable_http", "stdio")},
		located.Key{Name: "auth", Read: func(v located.Node) { p.auth(v, &m.Auth) }},
		located.Key{Name: "rename", Read: func(v located.Node) { p.rename(v, &m.Rename) }},
		located.Key{Name: "include", Read: p.Strings("include", MaxTitle, &m.Include)},
		located.Key{Name: "exclude", Read: p.Strings("exclude", MaxTitle, &m.Exclude)},
	)
	if n.Kind != located.Map {
		return
	}
	for _, need := range []struct{ key, value string }{{"a name", m.Name}, {"a code", m.Code}, {"an endpoint", m.Endpoint}} {
		if need.value == "" {
			p.Fault(n, "an MCP server needs %s", need.key)
		}
	}
	p.mcpFits(n, m)
	p.spec.MCP = append(p.spec.MCP, m)
}

func (p *parser) mcpFits(n located.Node, m MCPServer) {
	if strings.ContainsFunc(m.Code, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}) {
		p.Fault(n.Get("code"), "code %q: letters and digits only", m.Code)
	}
	if m.Code != "" && slices.ContainsFunc(p.spec.MCP, func(o MCPServer) bool { return strings.EqualFold(o.Code, m.Code) }) {
		p.Fault(n.Get("code"), "code %q belongs to another MCP server of this agent", m.Code)
	}
	switch {
	case m.Endpoint == "":
	case m.Transport == "stdio" && isAddress(m.Endpoint):
		p.Fault(n.Get("endpoint"), "the transport stdio needs a start command, not an address")
	case m.Transport != "stdio" && !isAddress(m.Endpoint):
		p.Fault(n.Get("endpoint"), "endpoint must be an http or https address; a start command needs transport: stdio")
	}
}

// choice reads one of a few words.
func (p *parser) choice(what string, to *string, known ...string) func(located.Node) {
	return func(n located.Node) {
		var s string
		if p.String(what, MaxTitle, &s)(n); s == "" {
			return
		}
		if s = strings.ToLower(s); !slices.Contains(known, s) {
			p.Fault(n, "%s must be one of %s, this is %s%s", what, strings.Join(known, ", "), located.Describe(n), located.Suggest(s, known))
			return
		}
		*to = s
	}
}

func (p *parser) auth(n located.Node, to *Auth) {
	if n.Kind == located.Text {
		p.choice("auth", &to.Kind, "none", "bearer", "basic", "header")(n)
	}
	p.mapOf(n, "auth",
		located.Key{Name: "kind", Read: p.choice("kind", &to.Kind, "none", "bearer", "basic", "header")},
		located.Key{Name: "header", Read: p.String("header", MaxTitle, &to.Header)},
		located.Key{Name: "value_env", Read: func(v located.Node) { p.variable("value_env", v, &to.ValueEnv) }},
	)
	if to.Kind == "none" {
		*to = Auth{}
	}
	switch {
	case n.Kind == located.Absent || to.Kind == "":
	case to.ValueEnv == "":
		p.Fault(n, "auth of kind %s needs value_env: the name of the variable that holds the value", to.Kind)
	case to.Kind == "header" && to.Header == "":
		p.Fault(n, "auth of kind header needs a header")
	case to.Header != "" && !isToken(to.Header):
		p.Fault(n.Get("header"), "a header's name has letters, digits and - only")
	}
}

// mapOf is Map for a node that may be a text that was read already.
func (p *parser) mapOf(n located.Node, what string, keys ...located.Key) {
	if n.Kind != located.Text {
		p.Map(n, what, keys...)
	}
}

func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

func (p *parser) rename(n located.Node, to *Rename) {
	p.Map(n, "rename",
		located.Key{Name: "prefix", Read: p.String("prefix", 64, &to.Prefix)},
		located.Key{Name: "suffix", Read: p.String("suffix", 64, &to.Suffix)},
		located.Key{Name: "replace", Read: p.several("replace", func(v located.Node) {
			var r Replacement
			p.Map(v, "a replacement",
				located.Key{Name: "from", Read: p.String("from", 64, &r.From)},
				located.Key{Name: "to", Read: p.String("to", 64, &r.To)},
			)
			if r.From == "" {
				p.Fault(v, "a replacement needs from")
				return
			}
			to.Replace = append(to.Replace, r)
		})},
	)
}

func (p *parser) openapi(n located.Node) {
	var o OpenAPI
	p.Map(n, "an OpenAPI document",
		located.Key{Name: "name", Read: p.String("name", MaxTitle, &o.Name)},
		located.Key{Name: "document", Read: p.String("document", MaxText, &o.Document)},
		located.Key{Name: "operations", Read: p.Strings("operations", MaxTitle, &o.Operations)},
		located.Key{Name: "auth", Read: func(v located.Node) { p.auth(v, &o.Auth) }},
		located.Key{Name: "base_url", Read: func(v located.Node) { p.address("base_url", v, &o.BaseURL) }},
	)
	if n.Kind != located.Map {
		return
	}
	switch {
	case o.Name == "":
		p.Fault(n, "an OpenAPI document needs a name")
	case o.Document == "":
		p.Fault(n, "the OpenAPI tools %q need a document: a path or an address", clip(o.Name))
	case len(o.Operations) > MaxOperations:
		p.Fault(n.Get("operations"), "at most %d operations of a document become tools, these are %d", MaxOperations, len(o.Operations))
	case slices.ContainsFunc(p.spec.OpenAPI, func(e OpenAPI) bool { return e.Name == o.Name }):
		p.Fault(n.Get("name"), "the OpenAPI tools %q are listed already", clip(o.Name))
	default:
		p.spec.OpenAPI = append(p.spec.OpenAPI, o)
	}
}

func (p *parser) push(n located.Node) {
	to := &p.spec.Push
	p.Map(n, "push",
		located.Key{Name: "url", Read: func(v located.Node) { p.address("url", v, &to.URL) }},
		located.Key{Name: "secret_env", Read: func(v located.Node) { p.variable("secret_env", v, &to.SecretEnv) }},
	)
	if n.Kind == located.Map && to.URL == "" {
		p.Fault(n, "push needs a url")
	}
}

func (p *parser) verification(n located.Node) {
	p.named(n, "verification", &p.spec.Verifier,
		located.Key{Name: "tool", Read: p.String("tool", MaxTitle, &p.spec.Verifier)},
	)
}

// pairs reads variables: a text, or {value, secret}. What a secret holds is in
// no message. each is called for every value that was read; it may be nil.
func (p *parser) pairs(what string, n located.Node, each func(key, value located.Node, secret bool)) (all []event.Pair, secrets []string) {
	if n.Kind == located.Absent {
		return nil, nil
	}
	if n.Kind != located.Map {
		p.Fault(n, "%s must be a mapping from variable to value, this is %s", what, n.Kind)
		return nil, nil
	}
	for _, pair := range n.Pairs {
		v, secret := pair.Value, false
		if v.Kind == located.Map {
			v = p.secret(pair.Key.Text, v, &secret)
		}
		if v.Kind == located.List || v.Kind == located.Map {
			p.Fault(v, "%s must be a text, this is %s", pair.Key.Text, v.Kind)
			continue
		}
		all = append(all, event.Pair{Key: pair.Key.Text, Value: v.Text})
		if secret {
			secrets = append(secrets, pair.Key.Text)
		}
		if each != nil && v.Kind == located.Text { // nothing after the colon leaves the default
			each(pair.Key, v, secret)
		}
	}
	return all, secrets
}

func (p *parser) secret(key string, n located.Node, secret *bool) (value located.Node) {
	value = located.Node{Line: n.Line, Col: n.Col}
	p.Map(n, key,
		located.Key{Name: "value", Read: func(v located.Node) { value = v }},
		located.Key{Name: "secret", Read: func(v located.Node) {
			switch strings.ToLower(v.Text) {
			case "true", "yes", "on":
				*secret = true
			case "false", "no", "off", "":
			default: // perhaps the value itself, in the wrong place
				p.Fault(v, "%s: secret must be true or false", key)
			}
		}},
	)
	return value
}
