package catalog

// Report is what an import did, or would do, as people are shown it. Lists are
// cut to what can be read; the counts are of all.
type Report struct {
	New       int       `json:"new"`
	Changed   int       `json:"changed"`
	Unchanged int       `json:"unchanged"`
	Failed    int       `json:"failed"`  // rows that changed nothing
	Added     []string  `json:"added"`   // SKUs of the new ones
	Changes   []Touched `json:"changes"` // of those that changed
	Faults    []Failure `json:"faults"`
	Warnings  []string  `json:"warnings"` // of the file as a whole
	Dry       bool      `json:"dry_run"`
}

// Touched is a product that is there and the fields that changed.
type Touched struct {
	SKU    string   `json:"sku"`
	Fields []string `json:"fields"`
}

// Report tells at most that many of each list.
func (c Changes) Report(most int) Report {
	r := Report{
		New: len(c.New), Changed: len(c.Changed), Unchanged: len(c.Unchanged),
		Added: []string{}, Changes: []Touched{}, Faults: []Failure{}, Warnings: []string{},
	}
	for _, p := range c.New[:min(most, len(c.New))] {
		r.Added = append(r.Added, p.SKU)
	}
	for _, ch := range c.Changed[:min(most, len(c.Changed))] {
		r.Changes = append(r.Changes, Touched{ch.Product.SKU, ch.Fields})
	}
	last := 0
	for i, f := range c.Failed {
		if i < most {
			r.Faults = append(r.Faults, f)
		}
		if f.Row != last { // the faults of a row stand together
			r.Failed, last = r.Failed+1, f.Row
		}
	}
	return r
}
