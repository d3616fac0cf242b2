package httpd

import (
	"net/http"
	"sort"
	"strings"
	"time"
)

// Route is one thing the server can be asked.
type Route struct {
	Method  string // GET also answers HEAD
	Pattern string // segments; {name} takes one segment
	Handle  func(*Request)
	MaxBody int64         // 0 = the server's
	Timeout time.Duration // of Context; 0 = the server's
}

// routes finds a route by path. It is filled before the server starts and only
// read afterwards.
type routes struct{ list []entry }

type entry struct {
	segments []string
	route    *Route
}

func (t *routes) add(r Route) {
	t.list = append(t.list, entry{segments: split(r.Pattern), route: &r})
	// Fixed segments before {names}, so that order of registration does not matter.
	sort.SliceStable(t.list, func(i, j int) bool { return holes(t.list[i]) < holes(t.list[j]) })
}

func holes(e entry) int {
	n := 0
	for _, s := range e.segments {
		if isHole(s) {
			n++
		}
	}
	return n
}

// find returns the route, its parameters, and, when only the method is wrong,
// the methods that would do.
func (t *routes) find(method, path string) (*Route, map[string]string, []string) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	segments := split(path)
	var allowed []string
	for _, e := range t.list {
		params, ok := match(e.segments, segments)
		if !ok {
			continue
		}
		if e.route.Method == method {
			return e.route, params, nil
		}
		allowed = append(allowed, e.route.Method)
	}
	sort.Strings(allowed)
	return nil, nil, allowed
}

func match(pattern, path []string) (map[string]string, bool) {
	if len(pattern) != len(path) {
		return nil, false
	}
	for i, p := range pattern {
		if isHole(p) && !goodParam(path[i]) || !isHole(p) && p != path[i] {
			return nil, false
		}
	}
	var params map[string]string
	for i, p := range pattern {
		if isHole(p) {
			if params == nil {
				params = make(map[string]string, 2)
			}
			params[p[1:len(p)-1]] = path[i]
		}
	}
	return params, true
}

func isHole(s string) bool { return strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") }

func split(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }
