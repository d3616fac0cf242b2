package agent

import (
	"strings"

	"github.com/goccy/go-yaml"
)

// Title is the name that an agent file gives its agent, "" where it cannot be
// read. It costs much less than Parse and looks at nothing else.
func Title(file string) string {
	if line := nameLine(file); line != "" {
		var one struct {
			Name string `yaml:"name"`
		}
		if yaml.Unmarshal([]byte(line), &one) == nil {
			return strings.TrimSpace(one.Name)
		}
	}
	spec, _, err := Parse([]byte(file)) // written over several lines, or as JSON
	if err != nil {
		return ""
	}
	return spec.Name
}

// nameLine is the line of a file that holds its name and nothing else, "" when
// there is none or its value goes on below it.
func nameLine(file string) string {
	var name string
	for line := range strings.Lines(file) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case name != "":
			if blank := strings.TrimSpace(line); blank == "" || blank[0] == '#' {
				continue
			}
			if line[0] == ' ' || line[0] == '\t' {
				return ""
			}
			return name
		case strings.HasPrefix(line, "name:"):
			name = line
			if v := strings.TrimSpace(line[len("name:"):]); v == "" || strings.ContainsAny(v[:1], "|>&*!{[") {
				return ""
			}
		}
	}
	return name
}
