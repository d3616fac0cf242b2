package voicescript

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"strings"

	"flametree/engine/fault"
	"flametree/engine/scenario"
	"flametree/media/wav"
)

// page shows a run with its sound. It loads nothing but the files beside it.
const page = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{{.Report.Scenario}}</title>
<style>
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222;background:#fff}
.picture{overflow-x:auto;border:1px solid #ccc;border-radius:6px}
.met{color:#186a3b}.missed{color:#b3261e;font-weight:600}
td,th{padding:.25rem .75rem .25rem 0;text-align:left;vertical-align:top}pre{white-space:pre-wrap}
@media (prefers-color-scheme:dark){body{color:#ddd;background:#181a1b}.met{color:#7bd88f}.missed{color:#ff8a80}}
</style>
<h1>{{.Report.Scenario}}: {{if .Report.Passed}}<span class="met">passed</span>{{else}}<span class="missed">failed</span>{{end}}</h1>
{{with .Report.Fault}}<p class="missed">{{.}}</p>{{end}}
<p><audio controls src="{{.Sound}}"></audio><br>Left the caller, right the agent. Seed {{.Report.Seed}}.</p>
<div class="picture">{{.Picture}}</div>
<h2>Expectations</h2>
<table><tr><th></th><th>Step</th><th>Expectation</th><th>Wanted</th><th>Measured</th></tr>
{{range .Report.Verdicts}}<tr><td>{{if .Met}}<span class="met">✓</span>{{else}}<span class="missed">✗</span>{{end}}</td>
<td>{{if .Step}}{{.Step}}{{else}}end{{end}}</td><td>{{.Key}}</td><td>{{.Want}}</td><td>{{.Got}}</td></tr>
{{end}}</table>
<h2>Conversation</h2>
<pre>{{range .Story}}{{.}}
{{end}}</pre>
</html>
`

// Write keeps a run in a folder: NAME.wav, NAME.svg, NAME.html and NAME.json. It
// makes the folder and returns the path of the page.
func Write(folder, name string, o Outcome) (string, error) {
	name = fileName(name)
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return "", fmt.Errorf("keep the run: %w: %w", fault.Invalid, err)
	}
	svg := o.Report.SVG()
	var html, sound bytes.Buffer
	err := template.Must(template.New("run").Parse(page)).Execute(&html, struct {
		Report  scenario.Report
		Sound   string
		Picture template.HTML
		Story   []string
	}{o.Report, name + ".wav", template.HTML(svg), o.Report.Story()}) //nolint:gosec // our own picture, with every text in it escaped
	if err != nil {
		return "", fmt.Errorf("page of the run: %w: %w", fault.Bug, err)
	}
	report, err := json.MarshalIndent(o.Report, "", "  ")
	if err == nil {
		err = wav.Write(&sound, o.Stereo)
	}
	at := filepath.Join(folder, name)
	for end, text := range map[string][]byte{".svg": []byte(svg), ".html": html.Bytes(), ".json": report, ".wav": sound.Bytes()} {
		err = errors.Join(err, os.WriteFile(at+end, text, 0o600))
	}
	if err != nil {
		return "", fmt.Errorf("keep the run: %w", err)
	}
	return at + ".html", nil
}

// fileName makes a name of letters, digits, dots and dashes.
func fileName(s string) string {
	out := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_':
			return r
		}
		return '-'
	}, s), "-.")
	const longestName = 100
	if out == "" {
		return "scenario"
	}
	return out[:min(len(out), longestName)]
}
