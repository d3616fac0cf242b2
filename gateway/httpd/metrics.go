package httpd

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what the front door does. A nil *Metrics counts nothing.
type Metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	panics   prometheus.Counter
	sockets  prometheus.Gauge
	closed   *prometheus.CounterVec
}

// NewMetrics registers flametree_gateway_… with reg. It panics when they are
// registered already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flametree_gateway_requests_total", Help: "Requests answered, by route pattern and status.",
		}, []string{"route", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "flametree_gateway_request_seconds", Help: "Time from headers read to answer ready, by route pattern.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 12),
		}, []string{"route"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "flametree_gateway_panics_total", Help: "Panics contained by the front door.",
		}),
		sockets: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "flametree_gateway_sockets_open", Help: "Open sockets.",
		}),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "flametree_gateway_sockets_closed_total", Help: "Sockets we closed, by close code.",
		}, []string{"code"}),
	}
	reg.MustRegister(m.requests, m.seconds, m.panics, m.sockets, m.closed)
	return m
}

func (m *Metrics) observe(r *Request, status int, took time.Duration) {
	if m == nil {
		return
	}
	method := "other" // a closed set: methods come from outside
	if r.route != nil {
		method = r.route.Method
	}
	m.requests.WithLabelValues(r.pattern(), method, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(r.pattern()).Observe(took.Seconds())
}

func (m *Metrics) panicked() {
	if m != nil {
		m.panics.Inc()
	}
}

// SocketOpened counts a socket until SocketClosed.
func (m *Metrics) SocketOpened() {
	if m != nil {
		m.sockets.Inc()
	}
}

// SocketClosed ends what SocketOpened began; code is ours, 0 when the peer left.
func (m *Metrics) SocketClosed(code int) {
	if m == nil {
		return
	}
	m.sockets.Dec()
	if code != 0 {
		m.closed.WithLabelValues(strconv.Itoa(code)).Inc()
	}
}

// Metrics gives the server's metrics to rooms that share its name space.
func (s *Server) Metrics() *Metrics { return s.o.Metrics }
