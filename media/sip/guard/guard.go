// Package guard stands between bytes from the network and the SIP parser. It
// frames, checks and rewrites one message at a time, so that what the parser
// sees is always well formed and always spelled one way; sipgo alone accepts 7
// of the 19 invalid messages of RFC 4475. It knows the grammar of RFC 3261 25
// and nothing of calls: it opens no socket, keeps no state between messages and
// decides nothing about methods, dialogs or users.
package guard

import (
	"errors"
	"fmt"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Limits of one message. A datagram cannot be longer than MaxMessage, a message
// on a stream may try.
const (
	MaxMessage = 64 << 10 // start line, headers and body, bytes
	maxFields  = 256      // header lines
	maxStart   = 8 << 10  // start line, bytes
)

// Refusal says why a message was not let through and what to answer.
type Refusal struct {
	Code   int    // 400, 416, 505, 513; 0: drop it without an answer
	Reason string // the reason phrase: what is wrong, and where
	// RetryAfter says when to come again; zero says nothing.
	RetryAfter time.Duration
}

// Error implements error.
func (r *Refusal) Error() string {
	if r.Code == 0 {
		return "drop: " + r.Reason
	}
	return fmt.Sprintf("%d %s", r.Code, r.Reason)
}

func bad(format string, args ...any) *Refusal {
	return &Refusal{Code: 400, Reason: fmt.Sprintf(format, args...)}
}

// Parse checks one message and gives it to the parser in canonical spelling:
// long header names, no folding, one space where RFC 3261 allows any, exactly
// one Content-Length. Octets behind the body are ignored (RFC 3261 18.3). An
// error is always a *Refusal. Parse keeps nothing of raw.
func Parse(raw []byte) (sip.Message, error) {
	m, err := scan(raw)
	if err != nil {
		return nil, silent(m, err)
	}
	if err := m.check(); err != nil {
		return nil, silent(m, err)
	}
	msg, err := sip.ParseMessage(m.canonical())
	if err != nil {
		return nil, silent(m, bad("Not understood by the parser"))
	}
	return msg, nil
}

// silent turns a refusal into a drop where no answer is due: a response and an
// ACK are never answered (RFC 3261 17.1.1.3, 18.1.2).
func silent(m *message, err error) error {
	var r *Refusal
	if !errors.As(err, &r) {
		return err
	}
	if m.request && m.method != "ACK" {
		return r
	}
	return &Refusal{Reason: r.Reason}
}
