package turns

import (
	"maps"
	"slices"
	"time"

	"flametree/bench/report"
)

// What is promised.
const (
	wantCut      = 1.0  // percent of the turns
	wantWorse    = 3.0  // times as many for the fixed rule
	wantResponse = 0.75 // of that without speculation
)

func percent(part, whole int) float64 { return 100 * float64(part) / float64(max(whole, 1)) }

// report tells what the run found.
func (h *house) report(took time.Duration) report.Report {
	ours, plain, base := h.of("ours"), h.of("unspeculating"), h.of("baseline")
	r := report.Report{Name: "turns", Machine: report.Here(time.Now())}
	r.Params.Add("seed", float64(h.opt.Seed))
	r.Params.Add("n", h.opt.N)
	r.Params.Add("calls", h.opt.Calls)
	r.Params.Add("ears", h.opt.Ears)
	r.Params.Add("stt_final_ms", float64(sttFinal.Milliseconds()))
	r.Params.Add("llm_first_ms", float64(llmFirst.Milliseconds()))
	r.Params.Add("tts_first_ms", float64(ttsFirst.Milliseconds()))
	r.Metrics.Add("cut_offs_percent", percent(ours.cut, ours.turns))
	r.Metrics.Add("dead_air", ours.dead)
	r.Metrics.Add("false_resumes", ours.falseResumes)
	r.Metrics.Add("baseline_cut_offs_percent", percent(base.cut, base.turns))
	with, without := report.Of(ours.response), report.Of(plain.response)
	r.Metrics.Add("response_ms", with)
	r.Metrics.Add("response_without_speculation_ms", without)
	r.Metrics.Add("response_ratio", with.P50/max(without.P50, 1))
	for _, name := range []string{"ours", "unspeculating", "baseline"} {
		r.Metrics.Add(name, h.of(name).values())
	}
	r.Metrics.Add("machine", h.weather.values())
	r.Metrics.Add("machine_too_busy", h.weather.busy())
	r.Metrics.Add("took_s", took.Seconds())
	r.Gates = []report.Gate{
		{Name: "cut-offs", Want: wantCut, Got: percent(ours.cut, ours.turns), Unit: "%"},
		{Name: "dead air", Want: 0, Got: float64(ours.dead)},
		{Name: "false resumes", Want: 0, Got: float64(ours.falseResumes)},
		{
			Name: "cut-offs of the fixed rule", Want: max(wantWorse*percent(ours.cut, ours.turns), wantWorse), Unit: "%",
			Got: percent(base.cut, base.turns), AtLeast: true,
		},
		{Name: "response with speculation to without", Want: wantResponse, Got: with.P50 / max(without.P50, 1)},
	}
	r.Plots = []report.Plot{{Title: "Response", Unit: "ms", Series: []report.Series{
		{Name: "ours", Values: ours.response}, {Name: "without speculation", Values: plain.response}, {Name: "fixed 500 ms", Values: base.response},
	}}}
	r.Notes = []string{
		"A turn is cut off when the agent commits it or is first heard in it before the caller has finished. Dead air: not heard within 1.5 s after the end.",
		"Response: from the end of the caller's last word to the agent's first packet with sound at the caller's socket.",
	}
	if h.stormy {
		r.Notes = append(r.Notes, "The machine was not calm before the first call.")
	}
	if h.weather.busy() {
		r.Notes = append(r.Notes, "The machine was too busy: the figures tell of it as much as of the agents. Run it again when nothing else runs, or with fewer --calls.")
	}
	if h.opt.Cases {
		for _, name := range []string{"ours", "unspeculating"} {
			for _, c := range h.of(name).cases {
				r.Notes = append(r.Notes, name+": "+c)
			}
		}
	}
	return r
}

func (h *house) of(name string) *tally {
	if t := h.tallies[name]; t != nil {
		return t
	}
	return &tally{}
}

// values are all figures of one kind of agent.
func (t *tally) values() report.Values {
	var v report.Values
	v.Add("calls", t.calls)
	v.Add("turns", t.turns)
	v.Add("turns_with_pauses_over_700_ms", t.pausing)
	v.Add("cut_offs", t.cut)
	v.Add("dead_air", t.dead)
	v.Add("false_resumes", t.falseResumes)
	v.Add("interruptions", t.interruptions)
	v.Add("interruptions_missed", t.missed)
	v.Add("interruption_to_silence_ms", report.Of(t.stop))
	v.Add("asides", t.asides)
	v.Add("asides_that_stopped", t.stops)
	v.Add("asides_that_paused", t.pauses)
	v.Add("response_ms", report.Of(t.response))
	p90 := 0.0
	if len(t.response) > 0 {
		p90 = report.Percentile(slices.Sorted(slices.Values(t.response)), 90)
	}
	v.Add("response_p90_ms", p90)
	var classes, why report.Values
	for _, c := range slices.Sorted(maps.Keys(t.byClass)) {
		classes.Add(c, report.Of(t.byClass[c]))
	}
	for _, c := range slices.Sorted(maps.Keys(t.committed)) {
		why.Add(c, t.committed[c])
	}
	v.Add("response_by_class_ms", classes)
	v.Add("committed_by", why)
	v.Add("packets_lost", t.lost)
	return v
}
