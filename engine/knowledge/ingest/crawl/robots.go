package crawl

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/temoto/robotstxt"
	"golang.org/x/time/rate"

	"flametree/engine/fault"
)

// rules are what robots.txt of one origin says to us.
type rules struct {
	group    *robotstxt.Group
	sitemaps []string
	err      error // it could not be asked for: nothing may be read
}

const (
	maxRobots   = 500 << 10 // bytes, RFC 9309 2.5
	maxSitemap  = 10 << 20
	maxSitemaps = 20
)

// allowed reports whether the owner lets us read an address.
func (w *walk) allowed(ctx context.Context, at *url.URL) (bool, error) {
	origin := at.Scheme + "://" + at.Host
	r := w.rules[origin]
	if r == nil {
		r = w.askRobots(ctx, origin)
		if ctx.Err() == nil {
			w.rules[origin] = r
		}
	}
	if r.err != nil {
		return false, r.err
	}
	return r.group.Test(at.RequestURI()), nil
}

// askRobots reads robots.txt: without one everything is allowed, when the
// server fails nothing is (RFC 9309, 2.3.1).
func (w *walk) askRobots(ctx context.Context, origin string) *rules {
	at, err := url.Parse(origin + "/robots.txt")
	if err != nil {
		return &rules{err: err}
	}
	body, code, err := w.plain(ctx, at, maxRobots)
	if err != nil {
		return &rules{err: err}
	}
	if code >= http.StatusInternalServerError {
		return &rules{err: fmt.Errorf("robots.txt answers %d, so nothing may be read for now: %w", code, fault.Unavailable)}
	}
	data, err := robotstxt.FromStatusAndBytes(code, body)
	if err != nil {
		// A file that cannot be understood forbids nothing.
		data, _ = robotstxt.FromBytes(nil)
	}
	r := &rules{group: data.FindGroup(w.opt.Agent), sitemaps: data.Sitemaps}
	if d := min(r.group.CrawlDelay, longest); d > w.opt.Every {
		w.pace.SetLimit(rate.Every(d))
	}
	return r
}

// plain asks for a file that is not a page, with redirects inside the site.
func (w *walk) plain(ctx context.Context, at *url.URL, limit int64) (body []byte, code int, err error) {
	for range redirects {
		resp, err := w.get(ctx, at)
		if err != nil {
			return nil, 0, err
		}
		to := resp.Header.Get("Location")
		if resp.StatusCode < 300 || resp.StatusCode >= 400 || to == "" {
			body, err = io.ReadAll(io.LimitReader(resp.Body, limit))
			_ = resp.Body.Close()
			return body, resp.StatusCode, err
		}
		_ = resp.Body.Close()
		next, err := at.Parse(to)
		if err != nil || !sameSite(canonical(next), w.start) {
			return nil, http.StatusNotFound, nil //nolint:nilerr // leads nowhere: as if there were none
		}
		at = canonical(next)
	}
	return nil, http.StatusNotFound, nil
}

// sitemaps gives the pages that the site's maps name (sitemaps.org 0.9). A map
// that cannot be read is no misfortune: links lead there as well.
func (w *walk) sitemaps(ctx context.Context) []*url.URL {
	origin := w.start.Scheme + "://" + w.start.Host
	todo := []string{origin + "/sitemap.xml"}
	if r := w.rules[origin]; r != nil && len(r.sitemaps) > 0 {
		todo = r.sitemaps
	}
	var out []*url.URL
	for n := 0; n < len(todo) && n < maxSitemaps && len(out) < 10*w.opt.MaxPages && ctx.Err() == nil; n++ {
		at, err := url.Parse(todo[n])
		if err != nil {
			continue
		}
		if at = canonical(at); !sameSite(at, w.start) {
			continue
		}
		ok, err := w.allowed(ctx, at)
		if err != nil || !ok {
			continue
		}
		body, code, err := w.plain(ctx, at, maxSitemap)
		if err != nil || code != http.StatusOK {
			continue
		}
		pages, maps := locations(body, 10*w.opt.MaxPages)
		todo = append(todo, maps...)
		for _, p := range pages {
			if u := link(at, p); u != nil && sameSite(u, w.start) {
				out = append(out, u)
			}
		}
	}
	return out
}

// locations reads a map, or a map of maps, packed or not.
func locations(body []byte, most int) (pages, maps []string) {
	var r io.Reader = bytes.NewReader(body)
	if bytes.HasPrefix(body, []byte("\x1f\x8b")) {
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, nil
		}
		r = io.LimitReader(z, maxSitemap)
	}
	d := xml.NewDecoder(r)
	inMap, inLoc := false, false
	for len(pages)+len(maps) < most {
		tok, err := d.Token()
		if err != nil {
			break
		}
		switch e := tok.(type) {
		case xml.Directive:
			return nil, nil
		case xml.StartElement:
			inLoc = e.Name.Local == "loc"
			inMap = inMap || e.Name.Local == "sitemapindex"
		case xml.EndElement:
			inLoc = false
		case xml.CharData:
			text := strings.TrimSpace(string(e))
			switch {
			case !inLoc || text == "":
			case inMap:
				maps = append(maps, text)
			default:
				pages = append(pages, text)
			}
		}
	}
	return pages, maps
}
