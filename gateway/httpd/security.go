package httpd

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// The policies of content: answers to programs may load nothing, pages load
// their own files only and are framed by nobody.
const (
	apiPolicy  = "default-src 'none'; frame-ancestors 'none'"
	pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// secure sets what every answer carries.
func (s *Server) secure(r *Request) {
	r.SetHeader("X-Request-Id", r.trace)
	r.SetHeader("X-Content-Type-Options", "nosniff")
	r.SetHeader("Referrer-Policy", "no-referrer")
	r.SetHeader("Cross-Origin-Resource-Policy", "same-origin")
	r.SetHeader("Content-Security-Policy", apiPolicy)
	r.SetHeader("Cache-Control", "no-store")
}

// crossOrigin refuses what a page of another site makes a browser send, when it
// would change something. Programs send neither Origin nor Sec-Fetch-Site.
func (s *Server) crossOrigin(r *Request) error {
	switch r.Method() {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		if !strings.EqualFold(r.Header("Upgrade"), "websocket") {
			return nil
		}
	}
	if SameOrigin(r) || slices.Contains(s.o.Origins, r.Header("Origin")) {
		return nil
	}
	return Refuse(http.StatusForbidden, "cross_origin", "pages of another site may not send this")
}

// SameOrigin reports whether the request comes from a page of this host, or
// from no page at all. The scheme is not compared: TLS may end in front of us.
func SameOrigin(r *Request) bool {
	if site := r.Header("Sec-Fetch-Site"); site == "same-origin" || site == "none" {
		return true
	}
	origin := r.Header("Origin")
	if origin == "" {
		return r.Header("Sec-Fetch-Site") == ""
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	return authority(u.Host, u.Scheme) == authority(r.Host(), u.Scheme)
}

// authority adds the scheme's own port where none is written.
func authority(host, scheme string) string {
	u := url.URL{Scheme: scheme, Host: strings.ToLower(host)}
	if u.Port() != "" {
		return u.Host
	}
	if scheme == "https" {
		return u.Host + ":443"
	}
	return u.Host + ":80"
}
