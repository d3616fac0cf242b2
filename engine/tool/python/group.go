package python

import (
	"bytes"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"flametree/engine/tool"
)

// Group is a plugin that has been read and found whole. It does not change.
type Group struct {
	Name        string
	Description string
	Hash        string // of the bundle

	tools        []tool.Spec
	skills       []tool.Skill
	entries      map[string]entryPoint // by the name of the tool or skill
	files        map[string][]byte
	paths        []string // where modules are looked for, below the code's folder
	requirements []string // lines of requirements.txt that ask for something
}

// entryPoint is module.function.
type entryPoint struct{ module, function string }

// Tools are the tools of the group, in the order of the plugin.
func (g *Group) Tools() []tool.Spec { return slices.Clone(g.tools) }

// Skills are the skills of the group, in the order of the plugin.
func (g *Group) Skills() []tool.Skill { return slices.Clone(g.skills) }

// Requirements are the packages that the group wants installed.
func (g *Group) Requirements() []string { return slices.Clone(g.requirements) }

// mentions reports whether any file of the group speaks of a module, so that it
// is loaded before the first call.
func (g *Group) mentions(module string) bool {
	for name, data := range g.files {
		if strings.HasSuffix(name, ".py") && bytes.Contains(data, []byte(module)) {
			return true
		}
	}
	return false
}

// searched lists the folders in which modules are looked for: the plugin's own,
// submodules, and every other folder with Python in it that is no package.
func searched(files map[string][]byte) []string {
	dirs := []string{".", submodules}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		dir := path.Dir(name)
		_, pack := files[path.Join(dir, "__init__.py")]
		if strings.HasSuffix(name, ".py") && !pack && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// source finds the file of a module, as the interpreter will.
func source(files map[string][]byte, paths []string, module string) (name string, found bool) {
	file := strings.ReplaceAll(module, ".", "/")
	for _, dir := range paths {
		for _, name := range []string{path.Join(dir, file, "__init__.py"), path.Join(dir, file+".py")} {
			if _, ok := files[name]; ok {
				return name, true
			}
		}
	}
	return "", false
}

// defines guesses whether a module has a function. It is a courtesy to who
// writes the plugin, so it believes what it cannot follow: the interpreter
// answers for good when the group is opened.
func defines(text []byte, function string) bool {
	name := regexp.QuoteMeta(function)
	known := regexp.MustCompile(`(?m)^\s*(async\s+def|def|class)\s+` + name + `\b|^\s*` + name + `\s*[:=]|import\s[^\n]*(\*|\b` + name + `\b)|^[ \t]+` + name + `\b|globals\(\)|__getattr__`)
	return known.Match(text)
}
