package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"flametree/engine/event"
	"flametree/persist/readmodel"
)

// meters counts what the journal tells, and what only this process knows.
// Labels come from closed sets; no metric names a person or a conversation.
type meters struct {
	response prometheus.Histogram
	overhead prometheus.Histogram
	stages   *prometheus.HistogramVec
	yields   prometheus.Counter
	sessions *prometheus.CounterVec
	lost     prometheus.Counter
	jitter   prometheus.Histogram
	mos      prometheus.Histogram
}

func newMeters(reg *prometheus.Registry, n *Node) *meters {
	seconds := prometheus.ExponentialBuckets(0.001, 2, 14)
	m := &meters{
		response: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "flametree_voice_turn_response_seconds", Help: "From the commit of a caller's turn to the first packet of the reply.", Buckets: seconds,
		}),
		overhead: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "flametree_voice_engine_overhead_seconds", Help: "The part of a response that is ours.", Buckets: seconds,
		}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "flametree_voice_turn_stage_seconds", Help: "Stages of a turn.", Buckets: seconds,
		}, []string{"stage"}),
		yields: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "flametree_voice_interruptions_total", Help: "Replies that the caller interrupted.",
		}),
		sessions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flametree_session_ended_total", Help: "Conversations that ended, by status.",
		}, []string{"status"}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "flametree_voice_rtp_lost_total", Help: "Packets that calls missed.",
		}),
		jitter: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "flametree_voice_rtp_jitter_seconds", Help: "Jitter of a call's packets, once a call.", Buckets: seconds,
		}),
		mos: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "flametree_voice_mos_estimate", Help: "Estimated mean opinion score of what was received of a call, once a call.",
			Buckets: []float64{1, 2, 2.5, 3, 3.3, 3.6, 3.8, 4, 4.1, 4.2, 4.3, 4.4, 4.5},
		}),
	}
	reg.MustRegister(m.response, m.overhead, m.stages, m.yields, m.sessions, m.lost, m.jitter, m.mos)
	gauge := func(name, help string, f func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
	}
	gauge("flametree_voice_calls_active", "Running calls.", func() float64 { return float64(len(n.calls())) })
	gauge("flametree_journal_position", "The last durable event.", func() float64 { return float64(n.journal.Position()) })
	gauge("flametree_actors_live", "Actors in memory.", func() float64 { return float64(n.member.Live()) })
	gauge("flametree_session_open", "Open conversations.", func() float64 {
		return float64(len(n.model.Sessions(1<<30, readmodel.Session.Open)))
	})
	gauge("flametree_voice_pacer_late_seconds", "Lateness of packets in the last seconds, p99.", func() float64 {
		return n.gate.lateness().Seconds()
	})
	return m
}

// fallbacks counts how often one vendor of speech took the place of another.
func fallbacks(reg *prometheus.Registry) func(kind, from, to string) {
	n := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flametree_voice_provider_fallback_total", Help: "How often a vendor of speech was opened in place of one that failed.",
	}, []string{"kind", "from", "to"})
	reg.MustRegister(n)
	return func(kind, from, to string) { n.WithLabelValues(kind, from, to).Inc() }
}

// run follows the journal from now on.
func (m *meters) run(n *Node) {
	for e, err := range n.journal.Subscribe(n.life, n.journal.Position()+1) {
		if err != nil {
			return
		}
		m.take(e)
	}
}

func (m *meters) timed(t event.TurnTimed) {
	var response, ours float64
	for _, s := range t.Stages {
		took := s.Took.Seconds()
		m.stages.WithLabelValues(s.Name).Observe(took)
		switch s.Name {
		case "vad_stop", "eot", "stt_final": // before the commit
		case "queue", "engine":
			ours += took
			response += took
		default:
			response += took
		}
	}
	if t.Turn > 0 && response > 0 {
		m.response.Observe(response)
		m.overhead.Observe(ours)
	}
}

func (m *meters) take(e event.Envelope) {
	switch b := e.Body.(type) {
	case event.TurnTimed:
		m.timed(b)
	case event.ReplySpoken:
		if b.Interrupted {
			m.yields.Inc()
		}
	case event.SessionEnded:
		m.sessions.WithLabelValues(string(b.Status)).Inc()
	case event.CallEnded:
		m.lost.Add(float64(b.Lost))
		m.jitter.Observe(b.Jitter.Seconds())
		if b.Quality > 0 {
			m.mos.Observe(b.Quality)
		}
	default:
	}
}
