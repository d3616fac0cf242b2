package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"flametree/bench/journal"
	"flametree/bench/report"
)

// wantedRatio is the promise for 256 writers.
const (
	wantedRatio   = 0.6
	wantedWriters = 256
)

// ofJournal runs the journal's bench and puts it into the common form.
func ofJournal(ctx context.Context, opt journal.Options) (report.Report, error) {
	got, err := journal.Run(ctx, opt)
	if err != nil {
		return report.Report{}, err
	}
	r := report.Report{Name: "journal", Machine: report.Here(time.Now())}
	r.Params.Add("writers", fmt.Sprint(slices.Sorted(maps.Keys(got.Ratios))))
	r.Params.Add("seconds", cmp.Or(opt.Duration, 18*time.Second).Seconds())
	r.Metrics = ordered(got.Metrics())
	for _, writers := range slices.Sorted(maps.Keys(got.Ratios)) {
		if writers == wantedWriters {
			r.Gates = append(r.Gates, report.Gate{
				Name: fmt.Sprintf("rate by bare Pebble, %d writers", writers), Want: wantedRatio, Got: got.Ratios[writers], AtLeast: true,
			})
		}
	}
	rate := report.Plot{Title: "Durable appends", Unit: "events a second"}
	wait := report.Plot{Title: "One append, 99th percentile", Unit: "ms"}
	for _, writers := range slices.Sorted(maps.Keys(got.Ratios)) {
		name := fmt.Sprintf("writers: %d", writers)
		rates, waits := report.Group{Name: name}, report.Group{Name: name}
		for _, row := range got.Rows {
			if row.Writers == writers {
				rates.Bars = append(rates.Bars, report.Bar{Name: row.System, Value: row.Rate})
				waits.Bars = append(waits.Bars, report.Bar{Name: row.System, Value: float64(row.P99) / float64(time.Millisecond)})
			}
		}
		rate.Groups, wait.Groups = append(rate.Groups, rates), append(wait.Groups, waits)
	}
	r.Plots = []report.Plot{rate, wait}
	return r, nil
}

// ordered gives a map an order, so that two runs can be compared line by line.
func ordered(m map[string]any) report.Values {
	var out report.Values
	for _, name := range slices.Sorted(maps.Keys(m)) {
		of := m[name]
		if inner, ok := of.(map[string]any); ok {
			of = ordered(inner)
		}
		out.Add(name, of)
	}
	return out
}
