package report

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
)

//go:embed page.html
var pageText string

// Page writes all reports as one HTML page: plots, promises, sums, figures. It
// loads nothing, and follows the reader's light or dark theme.
func Page(w io.Writer, reports []Report) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"svg":    func(p Plot) template.HTML { return template.HTML(p.svg()) },
		"legend": Plot.legend,
		"rows":   func(r Report) []map[string]string { return cells(r.Metrics) },
		"series": func(i int) string { return fmt.Sprintf("s%d", i+1) },
		"number": number,
	}).Parse(pageText)
	if err != nil {
		return fmt.Errorf("bench page: %w", err)
	}
	return t.Execute(w, reports)
}

func cells(v Values) []map[string]string {
	var out []map[string]string
	for _, r := range rows("", v) {
		out = append(out, map[string]string{"Name": r.name, "Value": r.value})
	}
	return out
}

// Save writes index.html and one JSON file a report into a folder, which it makes.
func Save(dir string, reports []Report) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("bench page: %w", err)
	}
	if err := write(filepath.Join(dir, "index.html"), func(w io.Writer) error { return Page(w, reports) }); err != nil {
		return err
	}
	taken := map[string]int{}
	for _, r := range reports {
		taken[r.Name]++
		if err := write(kept(dir, r.Name, taken[r.Name]), r.JSON); err != nil {
			return err
		}
	}
	return nil
}

// kept is the file of the nth report of a name in a folder.
func kept(dir, name string, nth int) string {
	if nth > 1 {
		name = fmt.Sprintf("%s-%d", name, nth)
	}
	return filepath.Join(dir, name+".json")
}

// Beside puts what the run before measured, which Save left in the folder, into
// the gates. nth counts the reports of this name in the run. Without such a run
// nothing changes.
func (r *Report) Beside(dir string, nth int) {
	b, err := os.ReadFile(kept(dir, r.Name, nth))
	if err != nil {
		return
	}
	var before struct {
		Metrics struct {
			Gates map[string]struct {
				Got float64 `json:"got"`
			} `json:"gates"`
		} `json:"metrics"`
	}
	if json.Unmarshal(b, &before) != nil {
		return
	}
	for i, g := range r.Gates {
		if was, ok := before.Metrics.Gates[g.Name]; ok {
			r.Gates[i].Last = "last time " + number(was.Got)
		}
	}
}

func write(path string, fill func(io.Writer) error) error {
	f, err := os.Create(filepath.Clean(path))
	if err != nil {
		return fmt.Errorf("bench page: %w", err)
	}
	if err := fill(f); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
