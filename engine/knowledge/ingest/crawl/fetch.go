package crawl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/html/charset"

	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest/parse"
)

// answer is what came for an address. Status is Read when there is something to
// be read.
type answer struct {
	at       *url.URL // after redirects
	status   Status
	reason   string
	code     int
	size     int64
	page     []byte         // a page in UTF-8, with a mark that says so; nil for a file
	doc      parse.Document // a file is read while it comes
	err      error          // why it could not be read
	noindex  bool
	nofollow bool
}

const (
	redirects = 5
	longest   = 10 * time.Second // that we wait because a server asks us to
)

var loginPath = regexp.MustCompile(`(?i)(^|[/_-])(log-?in|sign-?in|sso|auth|oauth2?|wp-login)([/._-]|$)`)

// fetch asks for an address and follows its redirects, each of which is judged
// like an address of its own.
func (w *walk) fetch(ctx context.Context, at *url.URL) answer {
	for range redirects + 1 {
		r, err := w.allowed(ctx, at)
		if err != nil {
			return failed(at, err)
		}
		if !r {
			return answer{at: at, status: Robots, reason: "robots.txt does not allow this page to be read"}
		}
		resp, err := w.get(ctx, at)
		if err != nil {
			return failed(at, err)
		}
		to, got := w.judge(ctx, at, resp)
		_ = resp.Body.Close()
		if to == nil {
			return got
		}
		at = to
	}
	return answer{at: at, status: Failed, reason: fmt.Sprintf("more than %d redirects: they may go in circles", redirects)}
}

// failed says why there was no answer.
func failed(at *url.URL, err error) answer {
	a := answer{at: at, status: Failed}
	var dns interface{ Timeout() bool }
	switch {
	case errors.Is(err, fault.Denied):
		a.status, a.reason = Blocked, "the address is not public: it may not be reached from here"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &dns) && dns.Timeout():
		a.reason = "the server did not answer in time"
	default:
		if of, ok := errors.AsType[*url.Error](err); ok {
			err = of.Err
		}
		a.reason = "the server could not be reached: " + err.Error()
	}
	return a
}

// get asks once, and once more when the server asks us to come back soon.
func (w *walk) get(ctx context.Context, at *url.URL) (*http.Response, error) {
	for try := 0; ; try++ {
		if err := w.pace.Wait(ctx); err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("User-Agent", w.opt.Agent+"/1.0")
		req.Header.Set("Accept", "text/html,application/xhtml+xml,application/pdf;q=0.9,text/plain;q=0.8,*/*;q=0.5")
		resp, err := w.do(req)
		if err != nil {
			return nil, err
		}
		busy := resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable
		after, err := strconv.Atoi(resp.Header.Get("Retry-After"))
		pause := time.Duration(after) * time.Second
		if !busy || try > 0 || err != nil || after < 0 || after > int(longest/time.Second) {
			return resp, nil //nolint:nilerr // no wait that can be read: the answer stands as it is
		}
		_ = resp.Body.Close()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// do makes one request, which has its time until its body is closed.
func (w *walk) do(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), w.opt.Timeout)
	resp, err := w.client.Do(req.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = timed{resp.Body, cancel}
	return resp, nil
}

// timed is a body that gives its time back when it is closed.
type timed struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (t timed) Close() error {
	defer t.cancel()
	return t.ReadCloser.Close()
}

// judge looks at an answer: where it leads, or what it brings.
func (w *walk) judge(ctx context.Context, at *url.URL, resp *http.Response) (to *url.URL, a answer) {
	a = answer{at: at, code: resp.StatusCode}
	a.noindex, a.nofollow = robotsTag(resp.Header.Values("X-Robots-Tag"), w.opt.Agent)
	switch c := resp.StatusCode; {
	case c >= 300 && c < 400 && resp.Header.Get("Location") != "":
		return w.follow(at, resp.Header.Get("Location"), a)
	case c == http.StatusUnauthorized || c == http.StatusForbidden || c == http.StatusProxyAuthRequired:
		a.status, a.reason = Login, fmt.Sprintf("the page is closed (%d): only public pages can be read", c)
	case c == http.StatusNotFound || c == http.StatusGone:
		a.status, a.reason = Missing, fmt.Sprintf("there is no such page (%d)", c)
	case c != http.StatusOK:
		a.status, a.reason = Failed, fmt.Sprintf("the server answered %d", c)
	default:
		w.take(ctx, resp, &a)
	}
	return nil, a
}

// follow judges a redirect.
func (w *walk) follow(at *url.URL, location string, a answer) (*url.URL, answer) {
	to, err := at.Parse(location)
	if err != nil || to.Scheme != "http" && to.Scheme != "https" {
		a.status, a.reason = Failed, "it redirects to what is no address of a page"
		return nil, a
	}
	to = canonical(to)
	switch {
	case loginPath.MatchString(to.Path) && !loginPath.MatchString(at.Path):
		a.status, a.reason = Login, "it redirects to a login: only public pages can be read"
	case !sameSite(to, w.start):
		a.status, a.reason = Outside, "it leads to another site ("+to.Host+"): add that site if it is wanted"
	default:
		return to, a
	}
	return nil, a
}

// take reads a body, no longer than it may be. A page is kept, to find its
// links; a file is read while it comes.
func (w *walk) take(ctx context.Context, resp *http.Response, a *answer) {
	media := resp.Header.Get("Content-Type")
	kind := fileKind(media, a.at)
	if kind == "" {
		a.status, a.reason = Unread, fmt.Sprintf("files of the kind %q are not read", media)
		return
	}
	limit := w.opt.MaxPage
	if kind != "html" {
		limit = max(min(w.opt.MaxFile, w.opt.MaxBytes-w.report.Bytes), 1)
	}
	body := &measured{r: resp.Body, limit: limit}
	var err error
	if kind == "html" {
		err = a.keep(body, media)
	} else {
		a.doc, a.err = w.opt.Read(ctx, body, name(a.at, kind))
		err = body.err
	}
	a.status, a.size = Read, body.n
	switch {
	case errors.Is(err, errTooLong):
		a.status, a.reason = TooLong, fmt.Sprintf("longer than %d MB", limit>>20)
	case errors.Is(err, context.DeadlineExceeded):
		a.status, a.reason = Failed, "the server did not send it in time"
	case err != nil:
		a.status, a.reason = Failed, "the answer was cut off: "+err.Error()
	}
}

// keep reads a page and makes it UTF-8. The mark outweighs what the page itself
// says about its charset.
func (a *answer) keep(r io.Reader, media string) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	enc, _, _ := charset.DetermineEncoding(body[:min(len(body), 1024)], media)
	utf8, err := enc.NewDecoder().Bytes(body)
	if err != nil {
		return err
	}
	const mark = "\ufeff"
	a.page = append([]byte(mark), bytes.TrimPrefix(utf8, []byte(mark))...)
	return nil
}

var errTooLong = errors.New("too long")

// measured is a body with a limit. It remembers what went wrong, because its
// reader may tell another story.
type measured struct {
	r     io.Reader
	limit int64
	n     int64
	err   error
}

func (m *measured) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if m.n += int64(n); m.n > m.limit {
		n, err = 0, errTooLong
	}
	if err != nil && !errors.Is(err, io.EOF) {
		m.err = err
	}
	return n, err
}

// fileKind is what a content type, or else the address, says; "" for what is not read.
func fileKind(contentType string, at *url.URL) string {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		media = ""
	}
	ext := strings.ToLower(strings.TrimPrefix(path.Ext(at.Path), "."))
	switch media {
	case "text/html", "application/xhtml+xml":
		return "html"
	case "application/pdf":
		return "pdf"
	case "text/csv":
		return "csv"
	case "text/markdown":
		return "md"
	case "application/vnd.openxmlformats-officedocument.wordprocessingml.document":
		return "docx"
	case "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":
		return "xlsx"
	case "text/plain":
		if ext == "md" || ext == "csv" {
			return ext
		}
		return "txt"
	case "", "application/octet-stream", "application/zip", "binary/octet-stream":
		switch ext {
		case "pdf", "docx", "xlsx", "csv", "md", "txt":
			return ext
		case "", "html", "htm":
			if media == "" {
				return "html"
			}
		}
	}
	return ""
}

// name is what a file is called in messages.
func name(at *url.URL, kind string) string {
	base := path.Base(at.Path)
	if base == "/" || base == "." {
		base = at.Hostname()
	}
	if !strings.HasSuffix(strings.ToLower(base), "."+kind) {
		base += "." + kind
	}
	return base
}
