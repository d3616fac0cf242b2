package python

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"flametree/engine/tool"
	"flametree/engine/workflow/located"
)

// The limits of a plugin's text.
const (
	maxEntries     = 200
	maxParameters  = 50
	maxDescription = 4000
	maxText        = 200
)

// requirementsFile lists packages, one a line.
const requirementsFile = "requirements.txt"

// Parse reads a bundle. An error holds every fault with its place ("plugin
// 12:5: …") and is fault.Invalid; what is strange but usable comes as notes.
// It runs nothing: whether the files are good Python shows when the group is
// opened.
func Parse(b Bundle) (*Group, []located.Note, error) {
	if err := b.check(); err != nil {
		return nil, nil, err
	}
	r := located.NewReport("plugin")
	p := plugin{Report: r, bundle: b, group: &Group{
		Hash: b.Hash(), files: b.Files, paths: searched(b.Files), entries: map[string]entryPoint{},
	}}
	p.read(located.Parse(b.Plugin, r))
	if err := r.Err(); err != nil {
		return nil, r.Warnings(), err
	}
	var err error
	p.group.requirements, err = requirements(b.Files[requirementsFile])
	if err != nil {
		return nil, r.Warnings(), err
	}
	return p.group, r.Warnings(), nil
}

// plugin reads one YAML into a Group.
type plugin struct {
	*located.Report
	bundle Bundle
	group  *Group
}

func (p *plugin) read(n located.Node) {
	if n.Kind == located.Absent {
		p.Fault(n, "the plugin is empty; it needs a name and tools")
		return
	}
	var kind string
	var depends, tools, skills located.Node
	p.Map(n, "a plugin",
		located.Key{Name: "kind", Read: p.String("kind", maxText, &kind)},
		located.Key{Name: "name", Read: p.String("name", maxText, &p.group.Name)},
		located.Key{Name: "description", Read: p.String("description", maxDescription, &p.group.Description)},
		located.Key{Name: "dependencies", Read: func(v located.Node) { depends = v }},
		located.Key{Name: "tools", Read: func(v located.Node) { tools = v }},
		located.Key{Name: "skills", Read: func(v located.Node) { skills = v }},
	)
	if n.Kind != located.Map {
		return
	}
	if kind != "" && kind != "Plugin" {
		p.Fault(n.Get("kind"), "kind must be Plugin, this is %q", kind)
	}
	if p.group.Name == "" {
		p.Fault(n, "a plugin needs a name")
	}
	p.depends(depends)
	p.Each("tools", func(v located.Node) { p.entry(v, "Tool") })(tools)
	p.Each("skills", func(v located.Node) { p.entry(v, "Skill") })(skills)
	switch count := len(tools.Items) + len(skills.Items); {
	case count == 0:
		p.Fault(n, "a plugin needs at least one tool or skill")
	case count > maxEntries:
		p.Fault(n, "a plugin has at most %d tools and skills, this one has %d", maxEntries, count)
	}
}

// depends checks that what is named is there: a file, or a folder with files.
func (p *plugin) depends(n located.Node) {
	check := func(v located.Node) {
		var name string
		if p.String("a dependency", maxText, &name)(v); name == "" {
			return
		}
		clean := strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/")
		if !proper(clean) {
			p.Fault(v, "dependency %q must lead downwards from the plugin", shorten(name))
			return
		}
		if p.bundle.has(clean) || slices.Contains(p.bundle.Elsewhere, clean) {
			return
		}
		known := make([]string, 0, len(p.bundle.Files))
		for f := range p.bundle.Files {
			known = append(known, f)
		}
		slices.Sort(known)
		p.Fault(v, "dependency %q is not among the files%s", shorten(name), located.Suggest(name, known))
	}
	if n.Kind == located.Text {
		check(n)
		return
	}
	p.Each("dependencies", check)(n)
}

// entry reads a tool or a skill.
func (p *plugin) entry(n located.Node, kind string) {
	if n.Kind != located.Map {
		p.Fault(n, "a tool must be a mapping, this is %s", located.Describe(n))
		return
	}
	if k := n.Get("kind"); k.Kind == located.Text {
		kind = k.Text
	}
	switch kind {
	case "Tool":
		p.tool(n)
	case "Skill":
		p.skill(n)
	default:
		p.Fault(n.Get("kind"), "kind must be Tool or Skill, this is %q", shorten(kind))
	}
}

// head is what tools and skills share.
type head struct {
	kind, object, name, description, implementation string
	timeout                                         time.Duration
}

func (p *plugin) head(h *head) []located.Key {
	h.timeout = tool.DefaultTimeout
	return []located.Key{
		{Name: "kind", Read: p.String("kind", maxText, &h.kind)},
		{Name: "object_name", Read: p.String("object_name", maxText, &h.object)},
		{Name: "name", Read: p.String("name", maxText, &h.name)},
		{Name: "description", Read: p.String("description", maxDescription, &h.description)},
		{Name: "implementation", Read: p.String("implementation", maxText, &h.implementation)},
		{Name: "timeout", Read: func(v located.Node) { p.timeout(v, &h.timeout) }},
	}
}

func (p *plugin) tool(n located.Node) {
	var h head
	s := tool.Spec{Group: p.group.Name}
	var params, bind, amount, limit located.Node
	keep := func(to *located.Node) func(located.Node) { return func(v located.Node) { *to = v } }
	p.Map(n, "a tool", append(p.head(&h),
		located.Key{Name: "parameters", Read: keep(&params)},
		located.Key{Name: "side_effect", Read: p.Bool("side_effect", &s.SideEffect)},
		located.Key{Name: "confirm", Read: p.Bool("confirm", &s.Confirm)},
		located.Key{Name: "verified", Read: p.Bool("verified", &s.Verified)},
		located.Key{Name: "verifies", Read: p.Bool("verifies", &s.Verifies)},
		located.Key{Name: "bind", Read: keep(&bind)},
		located.Key{Name: "amount", Read: keep(&amount)},
		located.Key{Name: "limit", Read: keep(&limit)},
	)...)
	name, ok := p.enter(n, h)
	if !ok {
		return
	}
	s.Name, s.Description, s.Timeout = name, h.description, h.timeout
	if s.Description == "" {
		p.Warn(n, "tool %s has no description; the model cannot know when to call it", name)
	}
	given := p.parameters(params, 0)
	s.Bind = p.bind(bind)
	s.Schema = given.schema(s.Bind)
	p.amount(amount, limit, given, &s)
	p.group.tools = append(p.group.tools, s)
}

func (p *plugin) skill(n located.Node) {
	var h head
	s := tool.Skill{Group: p.group.Name}
	var trigger string
	p.Map(n, "a skill", append(p.head(&h), located.Key{Name: "trigger", Read: p.String("trigger", maxText, &trigger)})...)
	moments := []string{string(tool.SessionStart), string(tool.StateEnter), string(tool.StateExit), string(tool.SessionEnd)}
	if trigger != "" && !slices.Contains(moments, trigger) {
		p.Fault(n.Get("trigger"), "trigger must be one of %s, this is %q%s",
			strings.Join(moments, ", "), shorten(trigger), located.Suggest(trigger, moments))
	}
	name, ok := p.enter(n, h)
	if !ok {
		return
	}
	s.Name, s.Description, s.Timeout, s.Moment = name, h.description, h.timeout, tool.Moment(trigger)
	p.group.skills = append(p.group.skills, s)
}

// identifier is a name that models and vendors take (tool.Spec.Name).
var identifier = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// enter checks the name and the implementation and keeps them.
func (p *plugin) enter(n located.Node, h head) (name string, ok bool) {
	at := n.Get("object_name")
	if name = h.object; name == "" {
		name, at = h.name, n.Get("name")
	}
	if at.Line == 0 {
		at = n
	}
	_, twice := p.group.entries[name]
	switch {
	case name == "":
		p.Fault(n, "a tool or skill needs an object_name")
	case !identifier.MatchString(name):
		p.Fault(at, "object_name %q may have letters, digits, _ and -, at most %d", shorten(name), tool.MaxName)
	case twice:
		p.Fault(at, "object_name %q is there twice", name)
	default:
		e, found := p.implementation(n, h.implementation)
		p.group.entries[name] = e
		return name, found
	}
	return "", false
}

var dotted = regexp.MustCompile(`^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$`)

func (p *plugin) implementation(n located.Node, text string) (entryPoint, bool) {
	at := n.Get("implementation")
	if at.Line == 0 {
		at = n
	}
	if !dotted.MatchString(text) {
		p.Fault(at, "implementation must be module.function, this is %q", shorten(text))
		return entryPoint{}, false
	}
	cut := strings.LastIndexByte(text, '.')
	e := entryPoint{module: text[:cut], function: text[cut+1:]}
	file, found := source(p.bundle.Files, p.group.paths, e.module)
	if !found && len(p.bundle.Elsewhere) > 0 {
		return e, true
	}
	if !found {
		p.Fault(at, "no file %s.py is among the dependencies", strings.ReplaceAll(e.module, ".", "/"))
		return e, false
	}
	if !defines(p.bundle.Files[file], e.function) {
		p.Fault(at, "%s has no function %s", file, e.function)
		return e, false
	}
	return e, true
}

// timeout reads seconds, or a duration with its unit.
func (p *plugin) timeout(n located.Node, to *time.Duration) {
	if n.Kind == located.Absent {
		return
	}
	d, err := time.ParseDuration(n.Text)
	if seconds, e := strconv.ParseFloat(n.Text, 64); e == nil {
		d, err = time.Duration(math.Round(min(max(seconds, -1), 1e6)*1e6))*time.Microsecond, nil
	}
	if n.Kind != located.Text || err != nil || d < time.Millisecond || d > tool.MaxTimeout {
		p.Fault(n, "timeout must be seconds, from 0.001 to %v, this is %s", tool.MaxTimeout.Seconds(), located.Describe(n))
		return
	}
	*to = d
}

var from = regexp.MustCompile(`^(session\.(id|user|phone|email)|customer\.id|(params|results)\.\S+)$`)

func (p *plugin) bind(n located.Node) (bound []tool.Binding) {
	if n.Kind == located.Absent {
		return nil
	}
	if n.Kind != located.Map {
		p.Fault(n, "bind must be a mapping from argument to source, this is %s", located.Describe(n))
		return nil
	}
	for _, pair := range n.Pairs {
		if !argument.MatchString(pair.Key.Text) {
			p.Fault(pair.Key, "%q cannot be the name of an argument", shorten(pair.Key.Text))
			continue
		}
		if pair.Value.Kind != located.Text || !from.MatchString(pair.Value.Text) {
			p.Fault(pair.Value, "an argument is bound to session.id, session.user, session.phone, session.email, customer.id, params.NAME or results.NAME, this is %s",
				located.Describe(pair.Value))
			continue
		}
		bound = append(bound, tool.Binding{Arg: pair.Key.Text, From: pair.Value.Text})
	}
	return bound
}

func (p *plugin) amount(amount, limit located.Node, given parameters, s *tool.Spec) {
	p.String("amount", maxText, &s.Amount)(amount)
	if s.Amount != "" {
		i := slices.IndexFunc(given, func(q parameter) bool { return q.name == s.Amount })
		if i < 0 || given[i].kind != "number" && given[i].kind != "integer" {
			p.Fault(amount, "amount must be the name of a parameter that is a number, this is %q", shorten(s.Amount))
		}
	}
	if limit.Kind == located.Absent {
		return
	}
	v, err := strconv.ParseFloat(limit.Text, 64)
	if limit.Kind != located.Text || err != nil || !(v > 0) || math.IsInf(v, 0) {
		p.Fault(limit, "limit must be a number above 0, this is %s", located.Describe(limit))
		return
	}
	if s.Amount == "" {
		p.Fault(limit, "limit needs amount, the name of the parameter that it limits")
	}
	s.Limit = v
}
