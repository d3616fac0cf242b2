package crawl

import (
	"bytes"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// outline is what a page says besides its text.
type outline struct {
	to        []*url.URL // where its links lead
	canonical *url.URL
	noindex   bool
	nofollow  bool
	password  bool // it asks for one
}

// maxLinks is how many links of one page are followed.
const maxLinks = 2000

// outlined reads the tags of a page, which is at this address.
func outlined(at *url.URL, page []byte) outline {
	var o outline
	base := at
	z := html.NewTokenizer(bytes.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return o
		case html.StartTagToken, html.SelfClosingTagToken:
			tag, more := z.TagName()
			switch a := atom.Lookup(tag); a {
			case atom.A, atom.Area, atom.Base, atom.Link, atom.Meta, atom.Input, atom.Iframe, atom.Frame:
				base = o.tag(a, attributes(z, more), base)
			default: // says nothing about links
			}
		case html.TextToken, html.EndTagToken, html.CommentToken, html.DoctypeToken:
		}
	}
}

func attributes(z *html.Tokenizer, more bool) map[string]string {
	out := map[string]string{}
	for more {
		var k, v []byte
		k, v, more = z.TagAttr()
		out[string(k)] = string(v)
	}
	return out
}

// tag takes one tag; the result is the base of the addresses after it.
func (o *outline) tag(tag atom.Atom, attr map[string]string, base *url.URL) *url.URL {
	rel := strings.Fields(strings.ToLower(attr["rel"]))
	has := func(word string) bool {
		return slices.Contains(rel, word)
	}
	switch tag {
	case atom.Base:
		if u, err := base.Parse(attr["href"]); err == nil && attr["href"] != "" {
			return u
		}
	case atom.Meta:
		if strings.EqualFold(attr["name"], "robots") {
			o.noindex, o.nofollow = directives(attr["content"])
		}
	case atom.Input:
		o.password = o.password || strings.EqualFold(attr["type"], "password")
	case atom.Link:
		if has("canonical") {
			o.canonical = link(base, attr["href"])
		}
	default:
		target := attr["href"]
		if tag == atom.Iframe || tag == atom.Frame {
			target = attr["src"]
		}
		if u := link(base, target); u != nil && !has("nofollow") && len(o.to) < maxLinks {
			o.to = append(o.to, u)
		}
	}
	return base
}

// link is where a link leads, nil when not to a page.
func link(base *url.URL, target string) *url.URL {
	target = strings.TrimSpace(target)
	if target == "" || strings.HasPrefix(target, "#") {
		return nil
	}
	u, err := base.Parse(target)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil
	}
	return canonical(u)
}

// directives reads a list such as "noindex, nofollow".
func directives(text string) (noindex, nofollow bool) {
	for d := range strings.SplitSeq(strings.ToLower(text), ",") {
		switch strings.TrimSpace(d) {
		case "noindex":
			noindex = true
		case "nofollow":
			nofollow = true
		case "none":
			noindex, nofollow = true, true
		}
	}
	return noindex, nofollow
}

// robotsTag reads headers that may name an agent before the list.
func robotsTag(values []string, agent string) (noindex, nofollow bool) {
	for _, v := range values {
		if who, list, named := strings.Cut(v, ":"); named {
			if !strings.EqualFold(strings.TrimSpace(who), agent) {
				continue
			}
			v = list
		}
		i, f := directives(v)
		noindex, nofollow = noindex || i, nofollow || f
	}
	return noindex, nofollow
}
