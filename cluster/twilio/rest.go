package twilio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"flametree/engine/connection"
	"flametree/engine/fault"
)

const (
	apiVersion = "2010-04-01"
	maxAnswer  = 1 << 20
	restTime   = 10 * time.Second
)

// Host is the API's host for a region and an edge (www.twilio.com/docs/
// global-infrastructure/understanding-twilio-regions as of 2026-11-22). Empty or
// us1 with ashburn is the plain one; a region without an edge is entered by its
// own.
func Host(region, edge string) string {
	if region == "" {
		region = "us1"
	}
	own := map[string]string{"us1": "ashburn", "ie1": "dublin", "au1": "sydney", "de1": "frankfurt", "sg1": "singapore"}
	if edge == "" || edge == "ashburn" && region != "us1" { // the default stands for none chosen
		edge = own[region]
	}
	if region == "us1" && (edge == "ashburn" || edge == "") {
		return "api.twilio.com"
	}
	parts := []string{"api", edge, region, "twilio.com"}
	if edge == "" {
		parts = []string{"api", region, "twilio.com"}
	}
	return strings.Join(parts, ".")
}

// api asks Twilio as one account.
type api struct {
	client  *http.Client
	base    string // without a slash at the end
	account string
	token   string
}

func (t *Trunks) apiOf(s *connection.State) api {
	host := Host(s.Setting("region"), s.Setting("edge"))
	base := "https://" + host
	if t.opt.Base != nil {
		base = t.opt.Base(host)
	}
	return api{client: t.opt.Client, base: base, account: s.Setting("account_sid"), token: s.Secret("auth_token")}
}

// refusal is what Twilio answers with.
type refusal struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Status  int    `json:"status"`
}

// Refused is a request that Twilio did not grant.
type Refused struct {
	Status, Code int // of HTTP, and Twilio's own (www.twilio.com/docs/api/errors)
	Message      string
	kind         fault.Kind
}

// Error implements error.
func (r *Refused) Error() string {
	return fmt.Sprintf("twilio refuses (%d, code %d): %s", r.Status, r.Code, r.Message)
}

// Unwrap gives the kind of trouble.
func (r *Refused) Unwrap() error { return r.kind }

// kindOf is the table from Twilio's answers to kinds.
func kindOf(status int) fault.Kind {
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fault.Denied
	case status == http.StatusNotFound:
		return fault.NotFound
	case status == http.StatusTooManyRequests:
		return fault.Exhausted
	case status >= http.StatusInternalServerError:
		return fault.Unavailable
	}
	return fault.Invalid
}

// ask sends a form, or none to read, and reads the answer into out.
func (a api) ask(ctx context.Context, method, path string, form url.Values, out any) error {
	ctx, cancel := context.WithTimeout(ctx, restTime)
	defer cancel()
	address := a.base + "/" + apiVersion + "/Accounts/" + a.account + path
	var body io.Reader
	if method == http.MethodGet && len(form) > 0 {
		address += "?" + form.Encode()
	} else if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return fmt.Errorf("ask twilio: %w: %w", fault.Invalid, err)
	}
	req.SetBasicAuth(a.account, a.token)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := a.client.Do(req)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return fmt.Errorf("ask twilio: %w: %w", fault.Cancelled, err)
		}
		return fmt.Errorf("ask twilio: %w: %w", fault.Unavailable, err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("ask twilio: %w: %w", fault.Unavailable, err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		var r refusal
		_ = json.Unmarshal(b, &r) // without words the status says enough
		return &Refused{Status: resp.StatusCode, Code: r.Code, Message: plainText(r.Message), kind: kindOf(resp.StatusCode)}
	}
	if out == nil || len(b) == 0 {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("ask twilio: an answer that is no JSON: %w", fault.Unavailable)
	}
	return nil
}

// plainText keeps a stranger's words short and on one line.
func plainText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s)
	return strings.ToValidUTF8(s[:min(len(s), 200)], "")
}

// number is what is set for a number at Twilio.
type number struct {
	SID    string `json:"sid"`
	Number string `json:"phone_number"`
	Voice  string `json:"voice_url"`
	Method string `json:"voice_method"`
}

// hook has the connection's number ask us about its calls.
func (a api) hook(ctx context.Context, e164, address string) error {
	var list struct {
		Numbers []number `json:"incoming_phone_numbers"`
	}
	if err := a.ask(ctx, http.MethodGet, "/IncomingPhoneNumbers.json", url.Values{"PhoneNumber": {e164}}, &list); err != nil {
		return err
	}
	for _, n := range list.Numbers {
		if n.Number != e164 {
			continue
		}
		if n.Voice == address && n.Method == http.MethodPost {
			return nil
		}
		return a.ask(ctx, http.MethodPost, "/IncomingPhoneNumbers/"+url.PathEscape(n.SID)+".json",
			url.Values{"VoiceUrl": {address}, "VoiceMethod": {http.MethodPost}}, nil)
	}
	return fmt.Errorf("the account has no number %s: %w", e164, fault.NotFound)
}

// created is a call that Twilio has taken on.
type created struct {
	SID    string `json:"sid"`
	Status string `json:"status"`
}

func (a api) create(ctx context.Context, form url.Values) (created, error) {
	var c created
	err := a.ask(ctx, http.MethodPost, "/Calls.json", form, &c)
	if err == nil && c.SID == "" {
		err = fmt.Errorf("ask twilio: a call without a sid: %w", fault.Unavailable)
	}
	return c, err
}

func (a api) update(ctx context.Context, sid string, form url.Values) error {
	return a.ask(ctx, http.MethodPost, "/Calls/"+url.PathEscape(sid)+".json", form, nil)
}
