package httpd

import (
	"context"
	"net/http"
)

// Health is the answer of /livez and /readyz.
type Health struct {
	Status string            `json:"status"` // alive ready "not ready" draining
	Checks map[string]string `json:"checks,omitempty"`
}

// health adds /livez (the process answers) and /readyz (it may be sent work).
// Reasons of a failed check are logged, not shown: the port is open to all.
func (s *Server) health() {
	s.Route(Route{Method: http.MethodGet, Pattern: "/livez", Handle: func(r *Request) {
		r.JSON(http.StatusOK, Health{Status: "alive"})
	}})
	s.Route(Route{Method: http.MethodGet, Pattern: "/readyz", Handle: s.ready})
}

func (s *Server) ready(r *Request) {
	h, status := Health{Status: "ready", Checks: map[string]string{}}, http.StatusOK
	for _, c := range s.o.Checks {
		h.Checks[c.Name] = "ok"
		if err := s.check(r.Context(), c); err != nil {
			r.Logger().Warn("not ready", "check", c.Name, "err", err)
			h.Checks[c.Name] = "failing"
			h.Status, status = "not ready", http.StatusServiceUnavailable
		}
	}
	if s.draining.Load() {
		h.Status, status = "draining", http.StatusServiceUnavailable
	}
	r.JSON(status, h)
}

func (s *Server) check(ctx context.Context, c Check) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.CheckTime)
	defer cancel()
	return c.Func(ctx)
}
