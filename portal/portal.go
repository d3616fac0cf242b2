package portal

import (
	"cmp"
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"iter"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"flametree/engine/fault"
	"flametree/gateway/api"
	"flametree/gateway/auth"
	"flametree/gateway/httpd"
	"flametree/gateway/ws"
)

//go:embed page widget
var files embed.FS

// Live feeds the page with running calls.
type Live interface {
	// Watch gives the latest state of every turn of every running call, then each
	// change, until ctx ends or the loop breaks. It must not wait for the loop:
	// what cannot be kept for a slow one ends it with fault.Exhausted.
	Watch(ctx context.Context) iter.Seq2[Turn, error]
}

// Turn is one turn of a running call as it stands. A later one with the same
// Session and Turn replaces it. Turn 0 is the call itself, before and after its
// turns.
type Turn struct {
	Session     string    `json:"session"`
	Agent       string    `json:"agent"`   // id
	Channel     string    `json:"channel"` // sip web …
	Turn        uint64    `json:"turn"`
	Heard       string    `json:"heard"`
	Said        string    `json:"said"`
	Interrupted bool      `json:"interrupted"`
	Stages      []Stage   `json:"stages"`
	Waited      string    `json:"waited,omitempty"` // why the agent waited longest
	State       string    `json:"state"`            // listening thinking speaking ended
	At          time.Time `json:"at"`
}

// Stage is one stretch of a turn, named as in voice.md 5. Stages follow one another.
type Stage struct {
	Name string  `json:"name"`
	MS   float64 `json:"ms"`
}

// Options gives the page what it stands on.
type Options struct {
	Demo     bool // without it there is only the signpost, and the rest is not needed
	Agents   auth.Agents
	Sessions api.Sessions
	Tickets  *auth.Tickets
	Hub      *ws.Hub
	Live     Live
}

// Mount adds / and, in demo mode, /demo/… to s.
func Mount(s *httpd.Server, o Options) {
	signpost := httpd.File(files, "page/signpost.html")
	for _, name := range callModule {
		s.Page("/widget/call/"+name, files, "widget/call/"+name)
	}
	s.Page("/page/app.css", files, "page/app.css")
	if !o.Demo {
		s.Route(httpd.Route{Method: http.MethodGet, Pattern: "/", Handle: signpost})
		return
	}
	p := &page{o}
	demo := withMicrophone(httpd.File(files, "page/index.html"))
	s.Route(httpd.Route{Method: http.MethodGet, Pattern: "/", Handle: func(r *httpd.Request) {
		if local(r) != nil {
			signpost(r)
			return
		}
		demo(r)
	}})
	for _, name := range []string{"app.js", "chat.js", "calls.js", "callbox.js"} {
		s.Page("/page/"+name, files, "page/"+name)
	}
	s.Route(httpd.Route{Method: http.MethodGet, Pattern: "/demo/agents", Handle: p.agents})
	s.Route(httpd.Route{Method: http.MethodPost, Pattern: "/demo/ticket", Handle: p.ticket, MaxBody: 4 << 10})
	s.Route(httpd.Route{Method: http.MethodGet, Pattern: "/demo/live", Handle: p.live})
}

// callModule are the files of portal/widget/call: a page imports call.js, which
// imports the rest from beside it.
var callModule = []string{"call.js", "level.js", "signal.js", "watch.js", "words.js"} //nolint:gochecknoglobals // never changed

// withMicrophone lets a page use the microphone, and lets nobody it might frame.
// The policy of content needs nothing for it: sound is no address.
func withMicrophone(file func(*httpd.Request)) func(*httpd.Request) {
	return func(r *httpd.Request) {
		file(r)
		r.SetHeader("Permissions-Policy", "camera=(), geolocation=(), microphone=(self)")
	}
}

type page struct{ o Options }

// local admits requests of a browser on this machine, not passed on by anyone.
func local(r *httpd.Request) error {
	for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header(h) != "" {
			return denied()
		}
	}
	if !r.Remote().IsLoopback() || !loopback(r.Host()) {
		return denied()
	}
	return nil
}

// loopback reports whether an authority names this machine by itself. A name
// that merely resolves to it does not: another site may own the name.
func loopback(authority string) bool {
	host := authority
	if h, _, err := net.SplitHostPort(authority); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// ours admits requests made by the page itself.
func ours(r *httpd.Request) error {
	if err := local(r); err != nil {
		return err
	}
	if r.Header("Origin") == "" || !httpd.SameOrigin(r) {
		return denied()
	}
	return nil
}

func denied() error {
	return httpd.Refuse(http.StatusForbidden, "not_here", "the demo page answers a browser on this machine only")
}

type agentView struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Alias   string `json:"alias"`
	SIP     string `json:"sip"`
	Running bool   `json:"running"`
}

func (p *page) agents(r *httpd.Request) {
	if err := local(r); err != nil {
		r.Fail(err)
		return
	}
	views := []agentView{}
	for _, a := range p.o.Agents.List(r.Context()) {
		views = append(views, agentView{a.ID, a.Name, a.Alias, a.SIP, a.Running})
	}
	r.JSON(http.StatusOK, views)
}

type ticketAsk struct {
	Agent   string `json:"agent"`
	Session string `json:"session"` // "" opens a new one
}

type ticketView struct {
	Session  string `json:"session"`
	Ticket   string `json:"ticket"`
	Greeting string `json:"greeting"`
}

// ticket opens a session, or finds the page's own again, and gives a ticket for
// its socket.
func (p *page) ticket(r *httpd.Request) {
	if err := ours(r); err != nil {
		r.Fail(err)
		return
	}
	view, err := p.open(r)
	if err != nil {
		r.Fail(err)
		return
	}
	r.JSON(http.StatusOK, view)
}

func (p *page) open(r *httpd.Request) (ticketView, error) {
	var ask ticketAsk
	b, err := r.ReadAll()
	if err != nil {
		return ticketView{}, err
	}
	if err := json.Unmarshal(b, &ask); err != nil {
		return ticketView{}, httpd.Invalid("body", err.Error())
	}
	agent, err := p.agent(r.Context(), ask.Agent)
	if err != nil {
		return ticketView{}, err
	}
	var s api.Session
	if ask.Session == "" {
		s, err = p.o.Sessions.Create(r.Context(), agent, api.NewSession{UserID: "page-" + rand.Text(), Type: "web"})
	} else {
		s, err = p.o.Sessions.Get(r.Context(), agent, ask.Session)
	}
	if err != nil {
		return ticketView{}, err
	}
	t, err := p.o.Tickets.Issue(time.Now(), auth.Grant{Agent: agent, Session: s.ID})
	return ticketView{Session: s.ID, Ticket: t, Greeting: cmp.Or(s.StartPhrase, s.Greeting)}, err
}

func (p *page) agent(ctx context.Context, id string) (auth.Agent, error) {
	for _, a := range p.o.Agents.List(ctx) {
		switch {
		case a.ID != id:
		case !a.Running:
			return a, httpd.Refuse(http.StatusServiceUnavailable, "unavailable", "the agent is stopped")
		default:
			return a, nil
		}
	}
	return auth.Agent{}, httpd.Refuse(http.StatusNotFound, "not_found", "there is no such agent")
}

// live feeds one page until it leaves.
func (p *page) live(r *httpd.Request) {
	if err := ours(r); err != nil {
		r.Fail(err)
		return
	}
	log := r.Logger()
	p.o.Hub.Upgrade(r, "", func(ctx context.Context, c *ws.Conn) {
		ctx, cancel := context.WithCancel(ctx)
		var feeding sync.WaitGroup
		feeding.Go(func() {
			if err := feed(p.o.Live.Watch(ctx), c); err != nil {
				log.Error("live feed failed", "err", err)
			}
		})
		for { // the page says nothing; reading notices when it leaves
			if _, err := c.Read(); err != nil {
				break
			}
		}
		cancel()
		feeding.Wait()
	})
}

// feed moves turns to the page until either ends. It returns what is a fault of
// ours.
func feed(turns iter.Seq2[Turn, error], c *ws.Conn) error {
	for t, err := range turns {
		if err != nil {
			return parting(err, c)
		}
		b, err := json.Marshal(t)
		if err != nil {
			panic(err) // a Turn always marshals
		}
		if c.Push(b) != nil {
			return nil
		}
	}
	c.Close(ws.CloseNormal, "no more")
	return nil
}

func parting(err error, c *ws.Conn) error {
	k := fault.KindOf(err)
	if k == fault.Cancelled {
		return nil
	}
	if k == fault.Exhausted {
		c.Close(ws.CloseSlow, "too slow")
		return nil
	}
	c.Close(ws.CloseBug, "internal error")
	return err
}
