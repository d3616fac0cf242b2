package twiliotest

import (
	"crypto/hmac"
	"crypto/sha1" // as published
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Server is Twilio's API and its calls. What it is asked for wrongly is kept in
// Faults and refused.
type Server struct {
	Account, Token string
	Number         string                     // the account's one number
	Reach          func(public string) string // where a public address is on this machine
	// Answers says what becomes of a call to a number: answered (also ""), busy,
	// no-answer, failed, canceled, or ring, which waits for its end.
	Answers map[string]string
	Repeat  int           // how often each status callback is sent besides
	Slow    chan struct{} // a call that is asked for is answered, and rings, when it is closed; nil: at once

	http   *httptest.Server
	client *http.Client
	wg     sync.WaitGroup

	mu       sync.Mutex // guards what follows
	calls    map[string]*Call
	count    int
	voiceURL string
	faults   []string
	asked    []string // method and path of each request
}

// Serve starts the server on loopback.
func Serve(s *Server) *Server {
	s.calls = make(map[string]*Call)
	s.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{}}
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	return s
}

// URL is where the API is.
func (s *Server) URL() string { return s.http.URL }

// Close ends all calls and waits for them.
func (s *Server) Close() {
	s.mu.Lock()
	calls := make([]*Call, 0, len(s.calls))
	for _, c := range s.calls {
		calls = append(calls, c)
	}
	s.mu.Unlock()
	for _, c := range calls {
		c.Hangup()
	}
	s.wg.Wait()
	s.http.Close()
	s.client.CloseIdleConnections()
}

// Faults lists what was asked for otherwise than it is published.
func (s *Server) Faults() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.faults)
}

// Asked lists the requests so far, such as "POST /Calls.json".
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// VoiceURL is what the number's calls ask.
func (s *Server) VoiceURL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.voiceURL
}

// Calls lists the calls there were, in order.
func (s *Server) Calls() []*Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*Call, 0, len(s.calls))
	for i := 1; i <= s.count; i++ {
		out = append(out, s.calls[sid("CA", i)])
	}
	return out
}

func sid(kind string, n int) string { return fmt.Sprintf("%s%032x", kind, n) }

func (s *Server) fault(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	if user != s.Account || password != s.Token {
		refuse(w, http.StatusUnauthorized, 20003, "Authenticate")
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/2010-04-01/Accounts/"+s.Account)
	if err := r.ParseForm(); err != nil || !ok {
		refuse(w, http.StatusNotFound, 20404, "not found")
		return
	}
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+" "+path)
	s.mu.Unlock()
	call, _ := strings.CutPrefix(path, "/Calls/")
	switch {
	case r.Method == http.MethodGet && path == "/IncomingPhoneNumbers.json":
		s.numbers(w, r.Form.Get("PhoneNumber"))
	case r.Method == http.MethodPost && path == "/IncomingPhoneNumbers/"+sid("PN", 1)+".json":
		if !s.known(w, r.PostForm, "VoiceUrl", "VoiceMethod", "StatusCallback", "StatusCallbackMethod") {
			return
		}
		s.mu.Lock()
		s.voiceURL = r.PostForm.Get("VoiceUrl")
		s.mu.Unlock()
		answer(w, http.StatusOK, map[string]any{"sid": sid("PN", 1)})
	case r.Method == http.MethodPost && path == "/Calls.json":
		s.create(w, r.PostForm)
	case r.Method == http.MethodPost && strings.HasSuffix(call, "/Recordings.json"):
		s.record(w, strings.TrimSuffix(call, "/Recordings.json"), r.PostForm)
	case r.Method == http.MethodGet && path == "/Recordings/"+sid("RE", 1)+".wav":
		w.Header().Set("Content-Type", "audio/x-wav")
		_, _ = w.Write([]byte("RIFF of " + sid("RE", 1)))
	case r.Method == http.MethodPost && strings.HasPrefix(path, "/Calls/"):
		s.update(w, strings.TrimSuffix(call, ".json"), r.PostForm)
	default:
		s.fault("%s %s is not served", r.Method, path)
		refuse(w, http.StatusNotFound, 20404, "not found")
	}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status, code int, message string) {
	answer(w, status, map[string]any{"status": status, "code": code, "message": message})
}

// known refuses fields that are not published.
func (s *Server) known(w http.ResponseWriter, form url.Values, fields ...string) bool {
	for k := range form {
		if !slices.Contains(fields, k) {
			s.fault("field %s", k)
			refuse(w, http.StatusBadRequest, 20001, "unknown parameter "+k)
			return false
		}
	}
	return true
}

func (s *Server) numbers(w http.ResponseWriter, which string) {
	list := []map[string]any{}
	if which == s.Number {
		list = append(list, map[string]any{"sid": sid("PN", 1), "phone_number": s.Number, "voice_url": s.VoiceURL(), "voice_method": "POST"})
	}
	answer(w, http.StatusOK, map[string]any{"incoming_phone_numbers": list})
}

func (s *Server) create(w http.ResponseWriter, form url.Values) {
	if !s.known(w, form, "To", "From", "Twiml", "Url", "Timeout", "StatusCallback", "StatusCallbackMethod", "StatusCallbackEvent") {
		return
	}
	to := form.Get("To")
	if form.Get("From") == "" || form.Get("Twiml") == "" || !strings.HasPrefix(to, "+") {
		s.fault("call without To, From or Twiml")
		refuse(w, http.StatusBadRequest, 21201, "parameters are missing")
		return
	}
	c := s.begin(&Call{From: form.Get("From"), To: to, twiml: form.Get("Twiml"), callback: form.Get("StatusCallback"), events: form["StatusCallbackEvent"]})
	if s.Slow != nil {
		<-s.Slow
	}
	s.wg.Go(func() { c.ring(s.Answers[to]) })
	answer(w, http.StatusCreated, map[string]any{"sid": c.SID, "status": "queued"})
}

func (s *Server) begin(c *Call) *Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	c.s, c.SID = s, sid("CA", s.count)
	c.over, c.redirect, c.streams = make(chan struct{}), make(chan string, 8), make(chan *Stream, 8)
	c.relays = make(chan *Relay, 8)
	s.calls[c.SID] = c
	return c
}

func (s *Server) update(w http.ResponseWriter, id string, form url.Values) {
	s.mu.Lock()
	c := s.calls[id]
	s.mu.Unlock()
	if c == nil || !s.known(w, form, "Status", "Twiml", "Url") {
		refuse(w, http.StatusNotFound, 20404, "no such call")
		return
	}
	if c.Status() == "completed" {
		refuse(w, http.StatusBadRequest, 21220, "Call is not in-progress. Cannot redirect.")
		return
	}
	switch {
	case form.Get("Twiml") != "":
		c.redirect <- form.Get("Twiml")
	case form.Get("Status") == "completed" || form.Get("Status") == "canceled":
		c.Hangup()
	default:
		s.fault("update without Status or Twiml")
	}
	answer(w, http.StatusOK, map[string]any{"sid": id})
}

// record begins a recording, which is complete when the call is over.
func (s *Server) record(w http.ResponseWriter, id string, form url.Values) {
	s.mu.Lock()
	c := s.calls[id]
	s.mu.Unlock()
	if c == nil || c.Status() != "in-progress" {
		refuse(w, http.StatusNotFound, 20404, "no such call in progress")
		return
	}
	if !s.known(w, form, "RecordingChannels", "RecordingStatusCallback", "RecordingStatusCallbackEvent") {
		return
	}
	s.wg.Go(func() {
		<-c.over
		told := url.Values{
			"AccountSid": {s.Account}, "CallSid": {id}, "RecordingSid": {sid("RE", 1)}, "RecordingStatus": {"completed"},
			"RecordingDuration": {"7"}, "RecordingChannels": {"2"},
		}
		for range s.Repeat + 1 {
			if code, _, err := s.Post(form.Get("RecordingStatusCallback"), told); err != nil || code >= http.StatusMultipleChoices {
				s.fault("recording status: %d %v", code, err)
			}
		}
	})
	answer(w, http.StatusCreated, map[string]any{"sid": sid("RE", 1), "status": "in-progress"})
}

// Sign signs an address and a form, written apart from the code under test.
func (s *Server) Sign(address string, form url.Values) string {
	var pairs []string
	for k, vs := range form {
		for _, v := range vs {
			pairs = append(pairs, k+v)
		}
	}
	slices.Sort(pairs)
	mac := hmac.New(sha1.New, []byte(s.Token))
	mac.Write([]byte(address + strings.Join(pairs, "")))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Post calls a webhook as Twilio does.
func (s *Server) Post(address string, form url.Values) (status int, body string, err error) {
	return s.PostSigned(address, form, s.Sign(address, form))
}

// PostSigned calls a webhook with any signature, "" for none.
func (s *Server) PostSigned(address string, form url.Values, signature string) (status int, body string, err error) {
	req, err := http.NewRequest(http.MethodPost, s.Reach(address), strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	if signature != "" {
		req.Header.Set("X-Twilio-Signature", signature)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	var b strings.Builder
	if _, err := fmt.Fprint(&b, readAll(resp)); err != nil {
		return 0, "", err
	}
	return resp.StatusCode, b.String(), nil
}

// Open opens a socket as Twilio does; "" signs it rightly.
func (s *Server) Open(address, signature string) (Socket, *http.Response, error) {
	if signature == "" {
		signature = s.Sign(address, nil)
	}
	d := websocket.Dialer{HandshakeTimeout: 10 * time.Second}
	reach := strings.Replace(s.Reach(strings.Replace(address, "wss://", "https://", 1)), "http", "ws", 1)
	c, resp, err := d.Dial(reach, http.Header{"X-Twilio-Signature": {signature}})
	if err != nil {
		return nil, resp, err
	}
	return &wired{c: c}, resp, nil
}

// wired is a websocket as a Socket.
type wired struct {
	c  *websocket.Conn
	mu sync.Mutex
}

func (w *wired) Read() ([]byte, error) {
	_, b, err := w.c.ReadMessage()
	return b, err
}

func (w *wired) Write(text []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.c.WriteMessage(websocket.TextMessage, text)
}

func (w *wired) Close(code int, reason string) {
	_ = w.c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(time.Second))
	_ = w.c.Close()
}

func number(n int) string { return strconv.Itoa(n) }
