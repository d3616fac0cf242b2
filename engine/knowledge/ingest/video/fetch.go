package video

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"flametree/engine/fault"
)

// at is an address on the base.
func (s *Source) at(path string) *url.URL {
	u, err := s.base.Parse(path)
	if err != nil {
		return s.base
	}
	return u
}

// own checks an address that a page names: captions and sound are on YouTube's
// own hosts or on the base, nowhere else.
func (s *Source) own(address string) (*url.URL, error) {
	u, err := s.base.Parse(address)
	if err == nil && u.Host == s.base.Host {
		return u, nil
	}
	if err == nil && u.Scheme == "https" {
		for _, host := range []string{".youtube.com", ".googlevideo.com"} {
			if strings.HasSuffix("."+u.Hostname(), host) {
				return u, nil
			}
		}
	}
	return nil, fmt.Errorf("the page names a file on a strange host: %w", fault.Denied)
}

func (s *Source) get(ctx context.Context, at *url.URL) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w: %w", at.Path, err, fault.Invalid)
	}
	req.Header.Set("Accept-Language", "en") // the reasons are told in it
	// Without an answer to the question of consent only that question comes.
	req.Header.Set("Cookie", "SOCS=CAI")
	resp, err := s.opt.Client.Do(req)
	if err != nil {
		kind := fault.Unavailable
		switch {
		case errors.Is(err, fault.Denied):
			kind = fault.Denied
		case errors.Is(err, context.Canceled):
			kind = fault.Cancelled
		}
		return nil, fmt.Errorf("ask for %s: %w: %w", at.Path, kind, cause(err))
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	_ = resp.Body.Close()
	switch c := resp.StatusCode; {
	case c == http.StatusNotFound:
		return nil, fmt.Errorf("there is no %s: is the address right? %w", at.Path, fault.NotFound)
	case c == http.StatusTooManyRequests:
		return nil, fmt.Errorf("YouTube asks us to wait (429): %w", fault.Exhausted)
	default:
		return nil, fmt.Errorf("%s answers %d: %w", at.Path, c, fault.Unavailable)
	}
}

// cause is an error without the address, which may hold what signs it.
func cause(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// page fetches a page within its time and length.
func (s *Source) page(ctx context.Context, address string) ([]byte, error) {
	at, err := s.own(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.opt.Timeout)
	defer cancel()
	resp, err := s.get(ctx, at)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w: %w", at.Path, fault.Unavailable, cause(err))
	}
	if len(body) > maxPage {
		return nil, fmt.Errorf("%s is longer than %d MB: %w", at.Path, maxPage>>20, fault.Unavailable)
	}
	return body, nil
}
