// Package cdp drives a headless Chromium for tests by its DevTools protocol,
// over a pipe: no port is opened and nothing is left listening. It knows how to
// open a page, run a script in it and take its picture, and refuses to be more.
package cdp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// ErrEnded says that the browser is gone.
var ErrEnded = errors.New("the browser has ended")

// message is what goes over the pipe, both ways, each ended by a zero byte.
type message struct {
	ID      int64           `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
		Data    string `json:"data"`
	} `json:"error,omitempty"`
}

// conn is the pipe. It is safe for concurrent use; its reader ends with the browser.
type conn struct {
	in   *os.File
	done chan struct{}
	told func(message) // events, one after the other

	mu    sync.Mutex // guards what follows, and writing
	next  int64
	asked map[int64]chan message
}

func newConn(in, out *os.File, told func(message)) *conn {
	c := &conn{in: in, done: make(chan struct{}), told: told, asked: map[int64]chan message{}}
	go c.read(out)
	return c
}

func (c *conn) read(out io.Reader) {
	defer close(c.done)
	r := bufio.NewReaderSize(out, 1<<20)
	for {
		b, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m message
		if json.Unmarshal(bytes.TrimSuffix(b, []byte{0}), &m) != nil {
			continue
		}
		if m.ID == 0 {
			c.told(m)
			continue
		}
		c.mu.Lock()
		answer := c.asked[m.ID]
		delete(c.asked, m.ID)
		c.mu.Unlock()
		if answer != nil {
			answer <- m
		}
	}
}

// do sends a command to the browser, or to one of its targets, and waits for the answer.
func (c *conn) do(ctx context.Context, session, method string, params, into any) error {
	p, err := json.Marshal(params)
	if err != nil {
		return err
	}
	answer := make(chan message, 1)
	c.mu.Lock()
	c.next++
	id := c.next
	c.asked[id] = answer
	b, err := json.Marshal(message{ID: id, Method: method, Session: session, Params: p})
	if err == nil {
		_, err = c.in.Write(append(b, 0))
	}
	c.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case m := <-answer:
		switch {
		case m.Error != nil:
			return fmt.Errorf("%s: %s %s", method, m.Error.Message, m.Error.Data)
		case into == nil:
			return nil
		}
		return json.Unmarshal(m.Result, into)
	case <-c.done:
		return fmt.Errorf("%s: %w", method, ErrEnded)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}
