package duplextest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flametree/engine/provider"
	"flametree/engine/provider/realtime"
	"flametree/engine/provider/speechtest"
)

// Patience is how long a test waits for anything.
const Patience = 40 * time.Second

// Talk is one conversation with a Call, as a session and a call actor hold it.
type Talk struct {
	t    testing.TB
	Call *realtime.Call
	Ord  *Ordinary
	req  provider.Request

	ears  provider.Transcription
	mouth provider.Speech
	ctx   context.Context
	work  sync.WaitGroup

	mu      sync.Mutex
	finals  []string
	earsErr error
	sound   map[uint64][]int16 // of generations, at 24 kHz; that of the ordinary voice is left out
	lasts   map[uint64]bool    // clauses that are complete, by gen*100+id
	trouble []error
	gen     uint64
	wake    chan struct{}
}

// Begin starts a conversation with a model.
func Begin(t testing.TB, m realtime.Model, change func(o *realtime.Options)) *Talk {
	t.Helper()
	k := &Talk{t: t, Ord: &Ordinary{}, sound: map[uint64][]int16{}, lasts: map[uint64]bool{}, wake: make(chan struct{})}
	o := realtime.Options{
		Model: m, Hears: k.Ord, Speaks: k.Ord.Voice(), First: Patience, Silent: Patience, // a busy machine is no silence
		Told: func(err error) { k.note(func() { k.trouble = append(k.trouble, err) }) },
	}
	if change != nil {
		change(&o)
	}
	k.Call = realtime.NewCall(o)
	ctx, cancel := context.WithCancel(context.Background())
	k.ctx = ctx
	t.Cleanup(func() {
		cancel()
		k.Call.Close()
		k.work.Wait()
		k.keyless()
	})
	k.req = provider.Request{
		Voice: true, Temperature: 0.3, MaxTokens: 200,
		System: []provider.Part{{Kind: provider.PartRules, Text: "Be brief."}, {Kind: provider.PartState, Title: "start", Text: "Say hello."}, {Kind: provider.PartKnowledge, Text: "Berth 4 is free."}},
		Tools:  []provider.Tool{{Name: "book berth", Description: "Books", Schema: []byte(`{"type":"object","properties":{"n":{"type":"integer"}}}`)}},
	}
	k.Call.Prime(k.req)
	k.Listen()
	var err error
	if k.mouth, err = k.Call.Speaks().Open(ctx, provider.Voice{Language: "en"}); err != nil {
		t.Fatal(err)
	}
	k.work.Go(k.hear)
	return k
}

func (k *Talk) note(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
	close(k.wake)
	k.wake = make(chan struct{})
}

// await waits until ok, which is asked with the lock held.
func (k *Talk) await(what string, ok func() bool) {
	k.t.Helper()
	late := time.NewTimer(Patience)
	defer late.Stop()
	for {
		k.mu.Lock()
		done, wake := ok(), k.wake
		k.mu.Unlock()
		if done {
			return
		}
		select {
		case <-wake:
		case <-late.C:
			k.t.Fatalf("it does not come: %s", what)
		}
	}
}

// Listen opens the recogniser, again after it failed.
func (k *Talk) Listen() {
	k.t.Helper()
	s, err := k.Call.Hears().Open(k.ctx, provider.Format{RateHz: 16000})
	if err != nil {
		k.t.Fatal(err)
	}
	k.note(func() { k.ears, k.earsErr = s, nil })
	k.work.Go(func() {
		for h, err := range s.Heard() {
			k.note(func() {
				switch {
				case k.ears != s: // another one was opened meanwhile
				case err != nil:
					k.earsErr = err
				case h.Final:
					k.finals = append(k.finals, h.Text)
				}
			})
		}
	})
}

// hear takes what the voice gives, as a leg would.
func (k *Talk) hear() {
	for a, err := range k.mouth.Audio() {
		k.note(func() {
			if err != nil {
				k.trouble = append(k.trouble, err)
				return
			}
			if a.RateHz == realtime.SoundHz {
				k.sound[a.Gen] = append(k.sound[a.Gen], a.PCM...)
			}
			if a.Last {
				k.lasts[a.Gen*100+a.ID] = true
			}
		})
	}
	_ = k.mouth.Close()
}

// Say says something; the words that were heard, and false if the recogniser failed.
func (k *Talk) Say(text string) (heard string, ok bool) {
	k.t.Helper()
	k.Call.Voice()
	n := 0
	k.mu.Lock()
	n = len(k.finals)
	k.mu.Unlock()
	k.write(text)
	if k.ears.Finalize() != nil {
		return "", false
	}
	k.await("the words of "+text, func() bool { return len(k.finals) > n || k.earsErr != nil })
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.earsErr != nil {
		return "", false
	}
	return strings.TrimSpace(strings.Join(k.finals[n:], " ")), true
}

func (k *Talk) write(text string) {
	pcm := append(speechtest.Sound(text, 16000, speechtest.Letter), make([]int16, 4800)...)
	for from := 0; from < len(pcm); from += 320 {
		if k.ears.Write(pcm[from:min(len(pcm), from+320)]) != nil {
			return
		}
	}
}

// Answered is what came of a request.
type Answered struct {
	Text  string
	Calls []provider.ToolCall
	Tries []provider.Try
	Err   error
	Gen   uint64
	Usage provider.Usage
}

// Ask adds a message and asks for a reply, as the session does.
func (k *Talk) Ask(m provider.Message) Answered {
	k.t.Helper()
	k.req.Messages = append(k.req.Messages, m)
	k.gen++
	a := k.step(nil)
	a.Gen = k.gen
	return a
}

// step asks once; a piece for which stop is true ends it.
func (k *Talk) step(stop func(text string) bool) (a Answered) {
	k.t.Helper()
	req := k.req
	req.Messages = slices.Clone(k.req.Messages)
	ctx, cancel := context.WithTimeout(k.ctx, Patience)
	defer cancel()
	for d, err := range k.Call.Thinks(k.Ord).Complete(ctx, req) {
		switch {
		case err != nil:
			a.Err = err
		case d.Try != nil:
			a.Tries = append(a.Tries, *d.Try)
		case d.Call != nil:
			a.Calls = append(a.Calls, *d.Call)
		case d.Usage != nil:
			a.Usage = *d.Usage
		default:
			a.Text += d.Text
			if stop != nil && d.Text != "" && stop(a.Text) {
				return a
			}
		}
	}
	return a
}

// Speak says clauses of a generation and waits for their sound.
func (k *Talk) Speak(gen uint64, clauses ...string) []int16 {
	k.t.Helper()
	for i, text := range clauses {
		if err := k.mouth.Speak(text, gen, uint64(i+1)); err != nil {
			k.t.Fatal(err)
		}
	}
	k.await("the sound of "+strings.Join(clauses, " "), func() bool { return k.lasts[gen*100+uint64(len(clauses))] })
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.sound[gen])
}

// Told closes a turn with what was heard of it.
func (k *Talk) Told(m provider.Message) {
	m.Role = provider.RoleAssistant
	k.req.Messages = append(k.req.Messages, m)
	k.Call.Prime(k.req)
}

// Turn is a whole turn: said, answered, spoken and heard to its end.
func (k *Talk) Turn(text string) Answered {
	k.t.Helper()
	heard, ok := k.Say(text)
	if !ok {
		k.Listen()
		k.write(text) // from the ring
		if heard, ok = k.Say(""); !ok {
			k.Listen()
			k.write(text)
			heard, ok = k.Say("")
		}
		if !ok {
			k.t.Fatalf("%q is not heard a third time: %v", text, k.trouble)
		}
	}
	if heard == "" {
		heard = text
	}
	a := k.Ask(provider.Message{Role: provider.RoleUser, Text: heard})
	if a.Text != "" {
		k.Speak(a.Gen, a.Text)
		k.Told(provider.Message{Text: a.Text})
	}
	return a
}

// Troubles are what the call was told.
func (k *Talk) Troubles() []error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.trouble)
}

// keyless fails the test if an error tells the key or what was said.
func (k *Talk) keyless() {
	if err := errors.Join(k.Troubles()...); err != nil && strings.Contains(err.Error(), Key) {
		k.t.Errorf("the key stands in an error: %v", err)
	}
}
