package node

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"flametree/actors"
	"flametree/cluster/config"
	"flametree/engine/fault"
	"flametree/gateway/mail"
)

// noMail is noted when an agent is saved whose results nobody can mail.
const noMail = "RESULTS_EMAIL_TO: no mail server is set up, so results are not mailed (see setting mail.smtp)"

// mailing is how results leave this process; what is wrong with the settings is
// told before anything is served.
func mailing(c config.Config) (actors.Mailing, error) {
	pace := actors.Mailing{Attempt: c.Mail.Timeout, Wait: c.Mail.Retry}
	if c.Mail.Server == "" {
		return pace, nil
	}
	var roots *x509.CertPool
	if c.Mail.CA != "" {
		text, err := os.ReadFile(filepath.Clean(c.Mail.CA))
		if err != nil {
			return pace, fmt.Errorf("setting mail.ca: %w: %w", fault.Invalid, err)
		}
		if roots, err = x509.SystemCertPool(); err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(text) {
			return pace, fmt.Errorf("setting mail.ca: %s holds no certificate in PEM form: %w", c.Mail.CA, fault.Invalid)
		}
	}
	sender, err := mail.New(mail.Options{
		Server: c.Mail.Server, Security: mail.Security(c.Mail.TLS), User: c.Mail.User, Password: c.Mail.Password,
		From: c.Mail.From, Roots: roots, Timeout: c.Mail.Timeout,
	})
	if err != nil {
		return pace, fmt.Errorf("settings mail.…: %w", err)
	}
	pace.Post = post{sender: sender, public: c.PublicURL}
	return pace, nil
}

// post gives letters to the mail server.
type post struct {
	sender *mail.Sender
	public string // address of the front door, "" = letters have no link
}

var _ actors.Post = post{}

// Send implements actors.Post.
func (p post) Send(ctx context.Context, l actors.Letter) []error {
	out := mail.Letter{
		ID: l.ID, Language: l.Language, Agent: l.Agent, Status: string(l.Status), Started: l.Started, Ended: l.Ended, Summary: l.Summary,
	}
	for _, r := range l.Results {
		out.Results = append(out.Results, mail.Result{Title: r.Title, Value: r.Value})
	}
	if p.public != "" {
		out.Link = p.public + "/#/sessions/" + url.PathEscape(l.Session.Name)
	}
	return p.sender.Send(ctx, out, l.To)
}
