package turn

import (
	"testing"
	"time"
)

// conversation is a turn with a barge-in: 27 inputs and the ticks between them.
type conversation struct {
	m  *Machine
	at time.Duration
}

func (c *conversation) step(ms int, in Input) {
	c.at += time.Duration(ms) * time.Millisecond
	for due, ok := c.m.Deadline(); ok && due < c.at; due, ok = c.m.Deadline() {
		c.m.Step(due, Input{})
	}
	c.m.Step(c.at, in)
}

func (c *conversation) turn() {
	c.step(500, is(RawOn))
	c.step(120, is(VoiceOn))
	for range 8 {
		c.step(100, partial("what does a debit card"))
	}
	c.step(100, partial("what does a debit card cost"))
	c.step(100, is(RawOff))
	c.step(200, is(VoiceOff))
	c.step(40, final("what does a debit card cost"))
	c.step(600, is(Tick))
	gen := c.m.Gen()
	c.step(200, say(gen, 1, "A debit card costs nothing in the first year."))
	c.step(100, of(AudioStarted, gen))
	c.step(100, say(gen, 2, "Then it costs five dollars."))
	c.step(10, of(ReplyEnded, gen))
	c.step(1000, heard(gen, 1))
	c.step(500, is(RawOn))
	c.step(120, is(VoiceOn))
	c.step(200, partial("wait stop"))
	c.step(100, is(RawOff))
	c.step(200, is(VoiceOff))
	c.step(40, final("wait stop"))
	c.step(2000, is(Tick))
	c.step(10, of(ReplyEnded, c.m.Gen()))
}

func talk() *conversation {
	cfg := Default()
	cfg.MaxCall, cfg.EchoGuard = 0, 0
	c := &conversation{m: New(cfg, 1)}
	c.step(0, is(Packets))
	c.turn()
	c.turn()
	return c
}

func TestStepDoesNotAllocate(t *testing.T) {
	c := talk()
	if n := testing.AllocsPerRun(100, c.turn); n != 0 {
		t.Errorf("a turn allocates %v times, want 0", n)
	}
	if c.m.Line() == Over || c.m.Turn() < 200 {
		t.Errorf("the conversation did not go on: line %d, turn %d", c.m.Line(), c.m.Turn())
	}
}

func BenchmarkTurn(b *testing.B) {
	c := talk()
	b.ReportAllocs()
	for b.Loop() {
		c.turn()
	}
}

func BenchmarkTick(b *testing.B) {
	c := talk()
	b.ReportAllocs()
	for b.Loop() {
		c.m.Step(c.at, Input{})
	}
}

func BenchmarkPartial(b *testing.B) {
	c := talk()
	c.step(500, is(VoiceOn))
	in := partial("what does a debit card cost")
	b.ReportAllocs()
	for b.Loop() {
		c.m.Step(c.at, in)
	}
}
