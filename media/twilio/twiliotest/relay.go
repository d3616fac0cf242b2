package twiliotest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
)

// RelayOptions say what a Relay tells of its call.
type RelayOptions struct {
	Session, Account, Call, From, To string
	Parameters                       map[string]string
}

// Relay is the far end of ConversationRelay: it is told text and takes down
// what it would speak.
type Relay struct {
	sock Socket
	wg   sync.WaitGroup

	mu     sync.Mutex // guards what follows
	err    error
	cycles []string // text of each talk cycle
	open   bool     // the last of them
	digits string
	ended  bool
}

// Relays begins a session on a socket.
func Relays(s Socket, o RelayOptions) *Relay {
	r := &Relay{sock: s}
	if o.Parameters == nil {
		o.Parameters = map[string]string{}
	}
	r.put(map[string]any{
		"type": "setup", "sessionId": o.Session, "accountSid": o.Account, "parentCallSid": "", "callSid": o.Call, "from": o.From, "to": o.To,
		"forwardedFrom": "", "callType": "PSTN", "callerName": "", "direction": "inbound", "callStatus": "RINGING", "customParameters": o.Parameters,
	})
	r.wg.Go(r.read)
	return r
}

func (r *Relay) put(v map[string]any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	_ = r.sock.Write(b) // a lost socket ends the reader
}

// Prompt is what the caller said.
func (r *Relay) Prompt(text string, last bool) {
	r.put(map[string]any{"type": "prompt", "voicePrompt": text, "lang": "en-US", "last": last})
}

// Interrupt is the caller speaking while something is spoken; ms is sent as it
// is, for both a number and a string are published.
func (r *Relay) Interrupt(until string, ms any) {
	r.mu.Lock()
	r.open = false
	r.mu.Unlock()
	r.put(map[string]any{"type": "interrupt", "utteranceUntilInterrupt": until, "durationUntilInterruptMs": ms})
}

// Press presses a key.
func (r *Relay) Press(digit string) { r.put(map[string]any{"type": "dtmf", "digit": digit}) }

// Raw sends any frame.
func (r *Relay) Raw(text string) { _ = r.sock.Write([]byte(text)) }

// Wait waits for the end of the session and tells the first thing that was not
// as it is published.
func (r *Relay) Wait() error {
	r.wg.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Hangup closes the socket, as when the caller hangs up.
func (r *Relay) Hangup() error {
	r.sock.Close(1000, "")
	return r.Wait()
}

// Cycles is the text of each talk cycle so far.
func (r *Relay) Cycles() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.cycles)
}

// Digits are the keys that were pressed for the agent.
func (r *Relay) Digits() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.digits
}

// Ended says that the session was ended by the application.
func (r *Relay) Ended() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended
}

func (r *Relay) read() {
	for {
		b, err := r.sock.Read()
		if err != nil {
			return
		}
		r.mu.Lock()
		err = r.take(b)
		if err != nil && r.err == nil {
			r.err = fmt.Errorf("%w: %.200s", err, b)
		}
		r.mu.Unlock()
	}
}

func (r *Relay) take(b []byte) error {
	var f struct {
		Type          string  `json:"type"`
		Token         *string `json:"token"`
		Last          bool    `json:"last"`
		Lang          string  `json:"lang"`
		Interruptible *bool   `json:"interruptible"`
		Preemptible   *bool   `json:"preemptible"`
		Digits        string  `json:"digits"`
		Handoff       *string `json:"handoffData"`
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return err
	}
	switch {
	case r.ended:
		return fmt.Errorf("a frame after the end")
	case f.Type == "text" && f.Token != nil && f.Digits == "" && f.Handoff == nil:
		if !r.open {
			r.cycles = append(r.cycles, "")
		}
		r.open = !f.Last
		r.cycles[len(r.cycles)-1] += *f.Token
	case f.Type == "sendDigits" && f.Digits != "" && f.Token == nil:
		r.digits += f.Digits
	case f.Type == "end" && f.Token == nil:
		r.ended = true
	default:
		return fmt.Errorf("type %q with these fields", f.Type)
	}
	return nil
}
