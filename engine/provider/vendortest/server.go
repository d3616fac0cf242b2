package vendortest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// Call is a tool call of a Reply, its arguments in the pieces they come in.
type Call struct {
	ID, Name string
	Args     []string
}

// Reply is what a server answers. The zero Reply is a sentence, or the JSON of
// a schema where one was sent.
type Reply struct {
	Text   []string
	Calls  []Call
	Finish string // the vendor's word; "" = the one that fits
}

// Kind is a kind of trouble.
type Kind int

// The troubles.
const (
	None         Kind = iota
	TooMany           // 429, with Retry-After if Trouble.After is set
	Down              // 503, likewise
	Internal          // 500 with a body that is no JSON
	BrokenOff         // an error event inside the stream
	CutRune           // the connection ends inside a character
	CutLine           // the connection ends inside a line
	CutCalls          // the connection ends between two fragments of a call
	EndsEarly         // the stream ends well, before the reply does
	Silent            // the headers, and nothing more
	SilentMiddle      // silence after the first words
	Drip              // every byte after Trouble.After
	BadJSON           // an event that is no JSON
	BadText           // an event that is not UTF-8
	LongLine          // a line that does not end
	Page              // an HTML page, as proxies serve
	Redirect          // to Trouble.To
)

// Trouble is what happens to one answer; Seed chooses where.
type Trouble struct {
	Kind  Kind
	After time.Duration
	Seed  uint64
	To    string
}

// Received is a request as it came.
type Received struct {
	Path   string
	Header http.Header
	Body   []byte
	At     time.Time
}

// Server is one vendor. Its fields are set before it serves.
type Server struct {
	Key     string
	Style   Style
	Refuses []string // optional fields that this server does not take
	Signs   bool     // gemini: signs calls, and wants the signatures back

	vendor vendor

	mu       sync.Mutex
	replies  []Reply
	troubles []Trouble
	received []Received
	refused  []string
}

// Style is how a compatible server deviates.
type Style int

// The styles of OpenAI-compatible servers.
const (
	Published    Style = iota
	RepeatsNames       // vLLM: name in each fragment, choices null beside usage
	AllZero            // Ollama: each call whole, index always 0
	NoIndex            // older Ollama: each call whole, no index
	NoID               // llama.cpp: no id; index as published
)

// vendor is what differs between the servers.
type vendor interface {
	// check tells what is wrong with a request.
	check(s *Server, r *http.Request, body []byte) *refusal
	// frames are the events of an answer.
	frames(s *Server, body []byte, p Reply) []frame
	// failure is an error as the vendor puts it.
	failure(r *refusal) []byte
	// broken is an error inside a stream.
	broken() frame
}

// refusal is an answer other than 200.
type refusal struct {
	status               int
	kind, message, blame string
}

func wrong(format string, args ...any) *refusal {
	return &refusal{status: http.StatusBadRequest, message: fmt.Sprintf(format, args...)}
}

// frame is one event of a stream as bytes; call says that it is part of a call.
type frame struct {
	text string
	call bool
}

// Then adds replies for the next requests; after them come zero Replies.
func (s *Server) Then(r ...Reply) *Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies = append(s.replies, r...)
	return s
}

// Trouble adds troubles for the next requests; after them all is well.
func (s *Server) Trouble(t ...Trouble) *Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.troubles = append(s.troubles, t...)
	return s
}

// Received are the requests so far; Refused what was wrong with some of them.
func (s *Server) Received() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Received(nil), s.received...)
}

// Refused tells why requests were refused, in their order.
func (s *Server) Refused() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.refused...)
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 64<<20))
	reply, t := s.take(r, body)
	if bad := s.vendor.check(s, r, body); bad != nil {
		s.mu.Lock()
		s.refused = append(s.refused, bad.message)
		s.mu.Unlock()
		s.fail(w, bad)
		return
	}
	switch t.Kind {
	case TooMany:
		wait(w, t)
		s.fail(w, &refusal{status: http.StatusTooManyRequests, kind: "rate_limit_error", message: "Slow down."})
	case Down:
		wait(w, t)
		s.fail(w, &refusal{status: http.StatusServiceUnavailable, kind: "overloaded_error", message: "Overloaded."})
	case Internal:
		http.Error(w, "<html>upstream of "+s.Key+" broke</html>", http.StatusInternalServerError)
	case Page:
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html>Please log in.</html>"))
	case Redirect:
		http.Redirect(w, r, t.To, http.StatusTemporaryRedirect)
	default:
		if e, ok := s.vendor.(embeds); ok && e.embeds(w, r, body) {
			return
		}
		s.play(w, r, s.vendor.frames(s, body, reply), t)
	}
}

// embeds is a vendor that has an endpoint for vectors.
type embeds interface {
	embeds(w http.ResponseWriter, r *http.Request, body []byte) bool
}

func (s *Server) take(r *http.Request, body []byte) (reply Reply, t Trouble) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = append(s.received, Received{Path: r.URL.Path, Header: r.Header.Clone(), Body: body, At: time.Now()})
	if len(s.troubles) > 0 {
		t, s.troubles = s.troubles[0], s.troubles[1:]
	}
	if t.Kind == None && len(s.replies) > 0 {
		reply, s.replies = s.replies[0], s.replies[1:]
	} else if len(s.replies) > 0 {
		reply = s.replies[0] // a trouble does not use it up
	}
	return reply, t
}

func wait(w http.ResponseWriter, t Trouble) {
	if t.After > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(int(t.After.Seconds())))
	}
}

func (s *Server) fail(w http.ResponseWriter, r *refusal) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(r.status)
	_, _ = w.Write(s.vendor.failure(r))
}

// play writes frames, and what the trouble makes of them.
func (s *Server) play(w http.ResponseWriter, r *http.Request, frames []frame, t Trouble) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	out := http.NewResponseController(w)
	write := func(text string) {
		_, _ = io.WriteString(w, text)
		_ = out.Flush()
	}
	write("")
	chance := rand.New(rand.NewPCG(t.Seed, 1))
	switch t.Kind {
	case Silent:
		<-r.Context().Done()
	case SilentMiddle:
		write(frames[0].text + frames[1].text)
		<-r.Context().Done()
	case BrokenOff:
		write(frames[0].text + s.vendor.broken().text)
	case CutRune, CutLine, CutCalls:
		write(cut(frames, t.Kind, chance))
		panic(http.ErrAbortHandler)
	case EndsEarly:
		for _, f := range frames[:1+chance.IntN(len(frames)/2)] {
			write(f.text)
		}
	case BadJSON:
		write("data: {\"choices\":[{\"delta\":{\"content\":\"hal\n\n")
	case BadText:
		write("data: \"\xff\xfe\"\n\n")
	case LongLine:
		write("data: ")
		block := string(bytes.Repeat([]byte("x"), 64<<10))
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, block); err != nil {
				return
			}
		}
	case Drip:
		s.drip(r, frames, t.After, write)
	default:
		for _, f := range frames {
			write(f.text)
		}
	}
}

func (s *Server) drip(r *http.Request, frames []frame, each time.Duration, write func(string)) {
	tick := time.NewTicker(each)
	defer tick.Stop()
	for _, f := range frames {
		for i := range len(f.text) {
			select {
			case <-tick.C:
				write(f.text[i : i+1])
			case <-r.Context().Done():
				return
			}
		}
	}
}

// cut is the beginning of a stream up to where the connection breaks.
func cut(frames []frame, k Kind, chance *rand.Rand) string {
	var all string
	var at []int
	for _, f := range frames {
		start := len(all)
		all += f.text
		switch k {
		case CutRune:
			for i := range f.text {
				if _, n := utf8.DecodeRuneInString(f.text[i:]); n > 1 {
					at = append(at, start+i+1)
				}
			}
		case CutCalls:
			if f.call {
				at = append(at, len(all))
			}
		default:
			at = append(at, start+1+chance.IntN(len(f.text)-2))
		}
	}
	if k == CutCalls && len(at) > 1 {
		at = at[:len(at)-1] // after the last fragment the call would be whole
	}
	return all[:at[chance.IntN(len(at))]]
}

// Local serves s on loopback until the test ends, and returns its address. The
// client keeps no connection, so that none is left behind.
func Local(t testing.TB, s http.Handler) (url string, client *http.Client) {
	t.Helper()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return srv.URL, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}

// Piped serves s on connections in memory, for tests in virtual time. stop ends
// the server and awaits it.
func Piped(s *Server) (url string, client *http.Client, stop func()) {
	l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	srv := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = srv.Serve(l) // ends with Close
	}()
	tr := &http.Transport{DisableKeepAlives: true, DialContext: l.dial}
	return "http://pipe", &http.Client{Transport: tr}, func() {
		_ = srv.Close()
		<-ended
	}
}

type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	a, b := net.Pipe()
	select {
	case p.conns <- b:
		return a, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

// Addr implements net.Listener.
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// strict reads JSON that may hold published fields only.
func strict(body []byte, out any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(out); err != nil {
		return err
	}
	if d.More() {
		return errors.New("something follows the JSON")
	}
	return nil
}

func encoded(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // literals of this package
	}
	return string(raw)
}

// sentence is the answer where a test sets none; it has letters of two bytes.
func (p Reply) or(structured bool) Reply {
	switch {
	case len(p.Text)+len(p.Calls) > 0:
		return p
	case structured:
		p.Text = []string{`{"topic":`, `"límits"}`}
	default:
		p.Text = []string{"Five ", "thousand ", "dóllars, ", "señor."}
	}
	return p
}

// echo refuses everything, and quotes key and request in every field.
type echo struct{}

// ServeHTTP implements http.Handler.
func (echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	w.Header().Set("x-request-id", Key)
	w.Header().Set("Retry-After", Key)
	w.WriteHeader(http.StatusBadRequest)
	_, _ = io.WriteString(w, encoded(obj{"error": obj{"message": Key + string(body), "type": Key, "code": Key, "param": Key, "status": Key}}))
}
