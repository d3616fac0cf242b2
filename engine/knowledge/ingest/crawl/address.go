package crawl

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"

	"flametree/engine/fault"
)

// address reads what a user typed as the address of a site.
func address(text string) (*url.URL, error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is not the address of a web site, such as https://example.com: %w", text, fault.Invalid)
	}
	if u.User != nil {
		return nil, fmt.Errorf("an address must not hold a name and a password: only public pages can be read: %w", fault.Invalid)
	}
	return canonical(u), nil
}

// tracking are parameters that change who is counted, not what is shown.
var tracking = regexp.MustCompile(`(?i)^(utm_\w+|gclid|fbclid|yclid|msclkid|mc_[ce]id|_ga|phpsessid|jsessionid|sid|sessionid)$`)

var session = regexp.MustCompile(`(?i);jsessionid=[^/?]*`)

// canonical writes an address in one way (RFC 3986, 6.2.2 and 6.2.3), without
// fragment and tracking.
func canonical(u *url.URL) *url.URL {
	c := *u
	c.Scheme = strings.ToLower(c.Scheme)
	c.Host = strings.TrimSuffix(strings.ToLower(c.Host), ".")
	if c.Scheme == "http" {
		c.Host = strings.TrimSuffix(c.Host, ":80")
	} else {
		c.Host = strings.TrimSuffix(c.Host, ":443")
	}
	c.Fragment, c.RawFragment, c.User = "", "", nil
	c.Path = session.ReplaceAllString(c.Path, "")
	slash := strings.HasSuffix(c.Path, "/")
	if c.Path = path.Clean("/" + c.Path); slash && c.Path != "/" {
		c.Path += "/"
	}
	c.RawPath = ""
	q := c.Query()
	for name := range q {
		if tracking.MatchString(name) {
			q.Del(name)
		}
	}
	c.RawQuery = q.Encode() // sorted
	c.ForceQuery = false
	return &c
}

// key is what equal addresses have in common: neither the scheme, nor "www.",
// nor a slash at the end makes another page.
func key(u *url.URL) string {
	return site(u) + strings.TrimSuffix(u.EscapedPath(), "/") + "?" + u.RawQuery
}

// site is a host with its port, without "www.".
func site(u *url.URL) string { return strings.TrimPrefix(u.Host, "www.") }

func sameSite(a, b *url.URL) bool { return site(a) == site(b) }

var (
	digits = regexp.MustCompile(`\d+`)
	months = regexp.MustCompile(`(?i)\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b`)
)

// form is an address without its figures: the pages of a calendar have one.
func form(u *url.URL) string {
	f := digits.ReplaceAllString(u.Path, "#")
	f = months.ReplaceAllString(f, "#")
	for name := range u.Query() {
		f += "&" + name
	}
	return f
}

// winding reports whether an address goes in circles: it is very long, very
// deep, or repeats a part of its path.
func winding(u *url.URL) bool {
	const long, deep, repeated = 1000, 15, 3
	if len(u.String()) > long {
		return true
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	if len(parts) > deep {
		return true
	}
	seen := map[string]int{}
	for _, p := range parts {
		if seen[p]++; seen[p] >= repeated && p != "" {
			return true
		}
	}
	return false
}
