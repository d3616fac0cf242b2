package sip

import (
	"fmt"
	"time"

	"github.com/emiago/sipgo/sip"

	"flametree/engine/fault"
)

// client starts a client transaction; again is called when a 2xx to an INVITE
// comes again, and may be nil.
func (e *Endpoint) client(l link, req *sip.Request, again func()) (*sip.ClientTx, error) {
	key, err := sip.ClientTxKeyMake(req)
	if err != nil {
		return nil, fmt.Errorf("sip request: %w: %w", err, fault.Bug)
	}
	tx := sip.NewClientTx(key, req, l, e.quiet)
	tx.OnTerminate(func(string, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.clients, key)
	})
	if again != nil {
		tx.OnRetransmission(func(*sip.Response) { again() })
	}
	e.mu.Lock()
	sealed := e.sealed
	if !sealed {
		e.clients[key] = tx
	}
	e.mu.Unlock()
	if sealed {
		return nil, errCallOver()
	}
	if err := tx.Init(); err != nil {
		tx.Terminate()
		return nil, fmt.Errorf("send sip request: %w: %w", err, fault.Unavailable)
	}
	return tx, nil
}

// ask sends a request other than INVITE and ACK and waits for its final
// response, 64 T1 at most.
func (e *Endpoint) ask(l link, req *sip.Request) (*sip.Response, error) {
	tx, err := e.client(l, req, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Terminate()
	most := time.NewTimer(64 * e.opt.T1)
	defer most.Stop()
	for {
		select {
		case res := <-tx.Responses():
			if res.StatusCode >= 200 {
				return res, nil
			}
		case <-tx.Done():
			return nil, noAnswer(tx.Err())
		case <-most.C:
			return nil, fmt.Errorf("no answer: %w", fault.Unavailable)
		}
	}
}
