package actors

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/session"
	"flametree/persist/journal"
)

// Post takes letters to those they are for. It is safe for concurrent use.
type Post interface {
	// Send gives a letter to somebody who delivers it, and reports for each
	// address of To, in its order, what became of it: nil when it was taken on,
	// fault.Unavailable where trying again may help, anything else when it never
	// will. It ends with ctx. Errors name no address: they are kept and logged.
	Send(ctx context.Context, l Letter) []error
}

// Letter tells what a conversation came to.
type Letter struct {
	ID       string // lasting: of the same session always the same
	Session  ID
	To       []string
	Language string // BCP 47, "" = English
	Agent    string // its name
	Status   event.Status
	Started  time.Time
	Ended    time.Time
	Results  []LetterLine // in the order of the agent's file
	Summary  string
}

// LetterLine is one result.
type LetterLine struct{ Title, Value string }

// Mailing is how results are mailed. The zero Mailing mails nothing, and says so
// in the journal of each session whose results were to be mailed.
type Mailing struct {
	Post    Post
	Attempt time.Duration // that one attempt may take; default 90 s
	Wait    time.Duration // after the first attempt, doubled after each; default 1 min
	For     time.Duration // then it is given up; default 4 days (RFC 5321 4.5.4.1)
}

// mostWait is how many times Wait is the longest wait.
const mostWait = 64

func (m Mailing) filled() Mailing {
	set := func(to *time.Duration, d time.Duration) {
		if *to <= 0 {
			*to = d
		}
	}
	set(&m.Attempt, 90*time.Second)
	set(&m.Wait, time.Minute)
	set(&m.For, 4*24*time.Hour)
	return m
}

// backoff is the wait after so many attempts.
func (m Mailing) backoff(attempts uint32) time.Duration {
	return m.Wait * time.Duration(min(uint64(1)<<min(max(attempts, 1)-1, 32), mostWait))
}

// order is a Due row's knowledge of a mail: nothing personal, addresses by their
// place in the agent's list.
type order struct {
	Attempts uint32 `json:"attempts"` // begun
	Since    int64  `json:"since"`    // of the first, Unix seconds
	Left     []int  `json:"left"`     // addresses that nobody took on yet
	Taken    uint32 `json:"taken"`
	Given    uint32 `json:"given"` // up
	Fault    string `json:"fault,omitempty"`
}

// mailTried is what came of an attempt.
type mailTried struct {
	order order
	errs  []error // of order.Left
}

const mailDue = "results_mail"

func (s *Session) mailID() journal.DueID { return journal.DueID("mail/" + s.id.Name) }

// ordered is the row that has the results of a session mailed; it comes with the
// session's end. None when nobody is to get them.
func (s *Session) ordered() []journal.Due {
	if s.state.Seq == 0 || s.cast != nil && len(s.cast.Revision.Settings.ResultsEmailTo) == 0 {
		return nil
	}
	return []journal.Due{s.due(s.mailID(), mailDue, time.Now())}
}

// mail begins an attempt. The row is set to a later time first: should the
// process end meanwhile, the mail is sent once more then, as the same one.
func (s *Session) mail(m *TimerDue) {
	o, ok := readOrder(m.Data)
	switch {
	case s.mailing || ok && o.Attempts < s.ordering.Attempts:
		return // told twice
	case s.state.Mailed || !s.state.Ended || s.state.Seq == 0:
		_ = s.append(journal.Batch{Done: []journal.DueID{s.mailID()}})
		return
	case s.thought.busy() || s.labour.busy():
		return // there may be results yet: the clerk tells again
	}
	now := time.Now()
	if !ok {
		o = order{Since: now.Unix()}
	}
	o.Attempts++
	s.put(o, now)
}

// put writes the letter and has it sent, or settles the order where there is
// nothing to send or nobody to send it.
func (s *Session) put(o order, now time.Time) {
	if err := s.casting(); err != nil {
		s.tryLater(o, string(fault.KindOf(err))+": the agent's revision cannot be read", now)
		return
	}
	to := s.cast.Revision.Settings.ResultsEmailTo
	if o.Taken+o.Given == 0 && len(o.Left) == 0 { // it was not known yet
		for i := range to {
			o.Left = append(o.Left, i)
		}
	}
	known := &s.state
	if o.Attempts > 1 { // whoever was forgotten meanwhile is in no letter
		var err error
		if known, err = s.recorded(); err != nil {
			s.tryLater(o, "the journal cannot be read", now)
			return
		}
	}
	l, ok := s.letter(known, to, o.Left)
	switch {
	case !ok:
		_ = s.append(journal.Batch{Done: []journal.DueID{s.mailID()}})
	case s.Mail.Post == nil:
		o.Attempts = 0
		o.Given, o.Fault = uint32(len(l.To)), "no mail server is set up (see setting mail.smtp)"
		s.settleMail(o)
	default:
		s.attempt(o, l, now)
	}
}

// attempt sends a letter outside of the actor.
func (s *Session) attempt(o order, l Letter, now time.Time) {
	pace := s.Mail.filled()
	if s.keepOrder(o, now.Add(pace.Attempt+pace.Wait)) != nil {
		return
	}
	s.mailing = true
	root, self, life, post := s.root, s.self, s.life, s.Mail.Post
	go func() {
		ctx, cancel := context.WithTimeout(life, pace.Attempt)
		defer cancel()
		root.Send(self, &mailTried{order: o, errs: tryMail(ctx, post, l)})
	}()
}

// tryMail is Send, whose panics are faults of this letter alone.
func tryMail(ctx context.Context, post Post, l Letter) (errs []error) {
	defer func() {
		if r := recover(); r != nil {
			errs = nil
		}
		for len(errs) < len(l.To) {
			errs = append(errs, fmt.Errorf("the letter cannot be written because of a fault of the program: %w", fault.Bug))
		}
	}()
	return post.Send(ctx, l)
}

// mailWas takes in what came of an attempt.
func (s *Session) mailWas(m *mailTried) {
	s.mailing = false
	if s.state.Mailed {
		return
	}
	o := m.order
	left := o.Left
	o.Left = nil
	last := ""
	for i, err := range m.errs {
		switch kind := fault.KindOf(err); {
		case err == nil:
			o.Taken++
		case kind == fault.Unavailable || kind == fault.Cancelled || kind == fault.Exhausted:
			o.Left, last = append(o.Left, left[i]), err.Error()
		default:
			o.Given++
			o.Fault = err.Error()
		}
	}
	if len(o.Left) == 0 {
		s.settleMail(o)
		return
	}
	s.tryLater(o, last, time.Now())
}

// tryLater has what is left of an order tried again, unless its time is up.
func (s *Session) tryLater(o order, why string, now time.Time) {
	pace := s.Mail.filled()
	if now.Sub(time.Unix(o.Since, 0)) >= pace.For {
		o.Given += uint32(len(o.Left))
		o.Fault = fmt.Sprintf("given up after %d attempts: %s", o.Attempts, why)
		s.settleMail(o)
		return
	}
	s.Log.Info("results are mailed later", "session", s.id.Name, "attempt", int(o.Attempts), "err", why)
	_ = s.keepOrder(o, now.Add(pace.backoff(o.Attempts)))
}

// keepOrder makes an order durable, to be looked at again at a time.
func (s *Session) keepOrder(o order, at time.Time) error {
	data, err := json.Marshal(o)
	if err != nil {
		return err
	}
	row := s.due(s.mailID(), mailDue, at)
	row.Data = data
	s.ordering = o
	return s.append(journal.Batch{Due: []journal.Due{row}})
}

// settleMail records how a mail ended.
func (s *Session) settleMail(o order) {
	if o.Given > 0 {
		s.Log.Warn("results not mailed", "session", s.id.Name, "attempt", int(o.Attempts), "err", o.Fault)
	}
	_ = s.append(journal.Batch{
		Events: []event.Event{event.ResultsMailed{
			MessageID: s.letterID(), Taken: o.Taken, Given: o.Given, Attempts: o.Attempts, Fault: o.Fault,
		}},
		Done: []journal.DueID{s.mailID()},
	})
}

func readOrder(data []byte) (o order, ok bool) {
	return o, len(data) > 0 && json.Unmarshal(data, &o) == nil
}

func (s *Session) letterID() string { return "results." + s.id.Name }

// recorded is the session as the journal tells it now.
func (s *Session) recorded() (*session.State, error) {
	var out session.State
	for e, err := range s.Journal.Read(s.life, s.id.Stream(), 1) {
		if err != nil {
			return nil, err
		}
		out.Apply(e)
	}
	return &out, nil
}

// letter tells the results of the session to some of the addresses; false when
// there are none, or nobody to tell.
func (s *Session) letter(known *session.State, to agent.Addresses, left []int) (Letter, bool) {
	rev := s.cast.Revision
	l := Letter{
		ID: s.letterID(), Session: s.id, Agent: rev.Spec.Name, Language: rev.Settings.Language,
		Status: known.Status, Started: known.Started, Ended: known.Over,
	}
	if l.Language == "" {
		l.Language = known.Born.Language
	}
	for _, i := range left {
		if i >= 0 && i < len(to) {
			l.To = append(l.To, to[i])
		}
	}
	told := make(map[string]bool)
	tell := func(name, title string) {
		value := shownResult(known.Value(name))
		switch {
		case told[name] || value == "":
		case name == summaryField:
			l.Summary = value
		default:
			l.Results = append(l.Results, LetterLine{Title: title, Value: value})
		}
		told[name] = true
	}
	for _, f := range rev.Spec.Results {
		title := f.Title
		if title == "" {
			title = f.Name
		}
		tell(f.Name, title)
	}
	for _, r := range known.Results { // of fields that a skill set
		tell(r.Field, r.Field)
	}
	return l, len(l.To) > 0 && (len(l.Results) > 0 || l.Summary != "")
}

// summaryField is the standard result that tells the conversation (spec D30).
const summaryField = "ConversationSummary"

// shownResult is a result's canonical value as people read it: lists are kept as
// JSON.
func shownResult(value string) string {
	var list []string
	if strings.HasPrefix(value, "[") && json.Unmarshal([]byte(value), &list) == nil {
		return strings.Join(list, ", ")
	}
	return strings.TrimSpace(value)
}
