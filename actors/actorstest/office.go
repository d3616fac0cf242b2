package actorstest

import (
	"context"
	"sync"

	"flametree/actors"
)

// Office is a post office that keeps every letter. Answer, when set, says what
// becomes of a letter; without it each address is served.
type Office struct {
	mu     sync.Mutex
	Answer func(ctx context.Context, l actors.Letter) []error
	sent   []actors.Letter
}

// Send implements actors.Post.
func (o *Office) Send(ctx context.Context, l actors.Letter) []error {
	o.mu.Lock()
	o.sent = append(o.sent, l)
	answer := o.Answer
	o.mu.Unlock()
	if answer == nil {
		return make([]error, len(l.To))
	}
	return answer(ctx, l)
}

// Sent are all letters so far.
func (o *Office) Sent() []actors.Letter {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]actors.Letter(nil), o.sent...)
}
