// Package hooks takes what providers call us with: webhooks and sockets under
// /hooks/twilio/{connection}. It checks that Twilio signed them, with the address
// the installation is known by from outside, reads the form and hands it on; it
// writes TwiML. What a call means, and whether it was told before, is not known
// here.
//
// The signature covers the whole address (www.twilio.com/docs/usage/security as
// of 2026-11-22). Behind a proxy that is not what the request says of itself, so
// it is put together from Options.Public and the path; our addresses have no
// query, and a request with one was not asked for by us.
package hooks

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"flametree/engine/fault"
	"flametree/gateway/httpd"
	"flametree/gateway/ws"
)

// Twilio is who the hooks of Twilio are for. Its methods are called from any
// goroutine.
type Twilio interface {
	// Token is the auth token a connection's hooks are signed with;
	// fault.NotFound when there is no such connection, or it is not running.
	Token(connection string) (string, error)
	// Hook takes a webhook and answers with TwiML, "" for none. The same hook
	// may come many times.
	Hook(ctx context.Context, h Hook) (twiml string, err error)
	// Socket serves a socket until it returns; ctx ends when the socket does.
	Socket(ctx context.Context, h Hook, c *ws.Conn)
}

// Hook is a webhook or socket whose signature holds. Kind and Key are what we
// put into its address; both are "" for a call that comes in.
type Hook struct {
	Connection, Kind, Key string
	Form                  url.Values // nil for a socket
}

// Options make the routes of Twilio. Twilio and Hub are needed.
type Options struct {
	Twilio Twilio
	Hub    *ws.Hub
	Public string // scheme, host and perhaps port that Twilio reaches us by; "" refuses all
}

const (
	maxForm   = 64 << 10
	maxFields = 200
	askTime   = 12 * time.Second // Twilio gives up after 15
)

// Mount adds the hooks of Twilio to s.
func Mount(s *httpd.Server, o Options) {
	h := &hooks{o: o, public: strings.TrimSuffix(o.Public, "/")}
	const at = "/hooks/twilio/{connection}"
	for _, r := range []httpd.Route{
		{Method: http.MethodPost, Pattern: at, Handle: h.hook},
		{Method: http.MethodPost, Pattern: at + "/{kind}/{key}", Handle: h.hook},
		{Method: http.MethodGet, Pattern: at + "/{kind}/{key}", Handle: h.socket},
	} {
		r.MaxBody, r.Timeout = maxForm, askTime
		s.Route(r)
	}
}

type hooks struct {
	o      Options
	public string
}

func path(h Hook) string {
	p := "/hooks/twilio/" + h.Connection
	if h.Kind != "" {
		p += "/" + h.Kind + "/" + h.Key
	}
	return p
}

func named(r *httpd.Request) Hook {
	return Hook{Connection: r.Param("connection"), Kind: r.Param("kind"), Key: r.Param("key")}
}

// refused is all that somebody without a signature is told: also not whether the
// connection is there.
func refused(r *httpd.Request) {
	r.Fail(httpd.Refuse(http.StatusForbidden, "signature_invalid", "the request is not signed by Twilio for this address"))
}

func (h *hooks) hook(r *httpd.Request) {
	at := named(r)
	body, err := r.ReadAll()
	if err != nil {
		r.Fail(err)
		return
	}
	form, err := parseForm(r.Header("Content-Type"), body)
	if err != nil {
		r.Fail(err)
		return
	}
	token, err := h.o.Twilio.Token(at.Connection)
	if !h.signed(token, err, h.public+path(at), form, r) {
		refused(r)
		return
	}
	at.Form = form
	twiml, err := h.o.Twilio.Hook(r.Context(), at)
	if err != nil {
		r.Fail(err)
		return
	}
	if twiml == "" {
		r.Bytes(http.StatusNoContent, "text/plain", nil)
		return
	}
	r.Bytes(http.StatusOK, "text/xml; charset=utf-8", []byte(twiml))
}

func (h *hooks) socket(r *httpd.Request) {
	at := named(r)
	token, err := h.o.Twilio.Token(at.Connection)
	// A socket is signed by the address it was asked for: wss, or https where
	// that is how it was dialled; some stacks sign it with a slash at the end.
	ok := false
	for _, scheme := range []string{"wss", "https"} {
		for _, end := range []string{"", "/"} {
			ok = h.signed(token, err, socketURL(h.public, scheme)+path(at)+end, nil, r) || ok
		}
	}
	if !ok {
		refused(r)
		return
	}
	h.o.Hub.Upgrade(r, "", func(ctx context.Context, c *ws.Conn) { h.o.Twilio.Socket(ctx, at, c) })
}

// socketURL changes the scheme of an address: wss for https, and ws for http on
// a bench.
func socketURL(public, scheme string) string {
	if rest, ok := strings.CutPrefix(public, "http://"); ok {
		return strings.Replace(strings.Replace(scheme, "https", "http", 1), "wss", "ws", 1) + "://" + rest
	}
	return scheme + "://" + strings.TrimPrefix(public, "https://")
}

// signed checks the signature also where there is no such connection, so that
// both take the same time.
func (h *hooks) signed(token string, tokenErr error, address string, form url.Values, r *httpd.Request) bool {
	ok := Signed(token, address, form, r.Header("X-Twilio-Signature"))
	if tokenErr != nil && fault.KindOf(tokenErr) != fault.NotFound {
		r.Logger().Error("hook", "err", tokenErr)
	}
	return ok && tokenErr == nil && token != "" && h.public != ""
}

// parseForm reads an urlencoded form. It is pure.
func parseForm(contentType string, body []byte) (url.Values, error) {
	kind, _, _ := strings.Cut(contentType, ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") {
		return nil, httpd.Refuse(http.StatusUnsupportedMediaType, "unsupported_media_type", "webhooks are application/x-www-form-urlencoded")
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, httpd.Invalid("body", "expected an urlencoded form")
	}
	if len(form) > maxFields {
		return nil, httpd.Invalid("body", "expected at most 200 fields")
	}
	for k, vs := range form {
		for _, v := range vs {
			if !utf8.ValidString(k) || !utf8.ValidString(v) {
				return nil, httpd.Invalid("body", "expected UTF-8")
			}
		}
	}
	return form, nil
}

// Quiet is a Twilio without connections: every hook is refused. It is for
// servers without telephony.
type Quiet struct{}

var errQuiet = errors.New("no connection to Twilio is running")

// Token implements Twilio.
func (Quiet) Token(string) (string, error) { return "", errors.Join(fault.NotFound, errQuiet) }

// Hook implements Twilio; it is never called.
func (Quiet) Hook(context.Context, Hook) (string, error) {
	return "", errors.Join(fault.NotFound, errQuiet)
}

// Socket implements Twilio; it is never called.
func (Quiet) Socket(context.Context, Hook, *ws.Conn) {}
