package script

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Streamer is a Conversation that shows an answer while it is made. piece is
// given each piece of text in order, from the goroutine that called.
type Streamer interface {
	Conversation
	// Stream is Say; what piece was given is the beginning of what the turn says.
	Stream(ctx context.Context, text string, piece func(string)) (Turn, error)
}

// Chat lets a person talk with an agent: a prompt, the agent's words, its
// buttons with numbers, and commands that begin with a slash. It ends without
// an error when in does, when the person quits, and when the agent ends the
// conversation, and closes the conversation in any case. An answer that fails
// is told and the person may go on. A wait for in is not cut short by ctx.
func Chat(ctx context.Context, c Conversation, in io.Reader, out io.Writer) (err error) {
	defer func() { err = errors.Join(err, c.Close()) }()
	t := terminal{conversation: c, out: bufio.NewWriter(out)}
	defer func() { err = errors.Join(err, t.out.Flush()) }()
	if t.last, err = c.Begin(ctx); err != nil {
		return err
	}
	t.answer(t.last, "")
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxHuman*4)
	for !t.last.Ended {
		t.write("you    ")
		if err := t.out.Flush(); err != nil {
			return err
		}
		if !lines.Scan() {
			t.write("\n")
			return lines.Err()
		}
		text := strings.ToValidUTF8(strings.TrimSpace(lines.Text()), "\uFFFD")
		if text == "" {
			continue
		}
		if t.command(text) {
			if t.quit {
				return nil
			}
			continue
		}
		if err := t.say(ctx, t.chosen(text)); err != nil {
			return err
		}
	}
	t.write("       the conversation has ended\n")
	return nil
}

// terminal is one chat. Errors of out are kept by its buffer and told at Flush.
type terminal struct {
	conversation Conversation
	out          *bufio.Writer
	last         Turn
	quit         bool
}

func (t *terminal) write(format string, args ...any) { _, _ = fmt.Fprintf(t.out, format, args...) }

func (t *terminal) say(ctx context.Context, text string) error {
	var turn Turn
	var err error
	var streamed strings.Builder
	if s, ok := t.conversation.(Streamer); ok {
		turn, err = s.Stream(ctx, text, func(piece string) {
			if streamed.Len() == 0 {
				t.write("agent  ")
			}
			streamed.WriteString(piece)
			t.write("%s", visible(piece))
			_ = t.out.Flush() // an error comes again at the next one
		})
	} else {
		turn, err = t.conversation.Say(ctx, text)
	}
	if streamed.Len() > 0 {
		t.write("\n")
	}
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		t.write("error  %s\n", visible(err.Error()))
		return nil
	}
	t.last = turn
	t.answer(turn, streamed.String())
	return nil
}

// answer shows a turn; what was streamed is not shown again.
func (t *terminal) answer(turn Turn, streamed string) {
	for _, s := range turn.Says {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(streamed), strings.TrimSpace(s)); ok && streamed != "" {
			streamed = rest
			continue
		}
		t.write("agent  %s\n", strings.ReplaceAll(visible(strings.TrimSpace(s)), "\n", "\n       "))
	}
	for i, o := range turn.Options {
		t.write("       [%d] %s\n", i+1, visible(o))
	}
}

// chosen is the text of the button whose number was typed, else the text.
func (t *terminal) chosen(text string) string {
	if n, err := strconv.Atoi(text); err == nil && n >= 1 && n <= len(t.last.Options) {
		return t.last.Options[n-1]
	}
	return text
}

// command carries out a line that begins with a slash.
func (t *terminal) command(text string) bool {
	if text[0] != '/' {
		return false
	}
	switch strings.ToLower(text) {
	case "/quit", "/exit":
		t.quit = true
	case "/state":
		t.state()
	case "/results":
		t.results()
	case "/trace":
		t.trace()
	default:
		t.write("       there are /results, /state, /trace and /quit\n")
	}
	return true
}

func (t *terminal) state() {
	switch {
	case t.last.Trace == nil:
		t.write("       the state is not known\n")
	case t.last.State == "":
		t.write("       the agent has no states\n")
	default:
		t.write("state  %s\n", visible(t.last.State))
	}
}

func (t *terminal) results() {
	switch {
	case t.last.Results == nil:
		t.write("       the results are not known\n")
	case len(t.last.Results) == 0:
		t.write("       no results yet\n")
	}
	for _, name := range slices.Sorted(maps.Keys(t.last.Results)) {
		t.write("result %s = %s\n", visible(name), oneLine(t.last.Results[name]))
	}
}

// trace shows what the last turn was made of.
func (t *terminal) trace() {
	turn := t.last
	if turn.Trace == nil {
		t.write("       the trace is not known\n")
		return
	}
	tokens := 0
	for _, p := range turn.Trace.Parts {
		t.write("part   %6d tokens  %s %s\n", p.Tokens, visible(p.Kind), oneLine(p.Title))
		tokens += p.Tokens
	}
	if len(turn.Trace.Parts) > 0 {
		t.write("       %6d tokens in all\n", tokens)
	}
	for _, p := range turn.Trace.Passages {
		t.write("found  %.2f  %s %s\n", p.Score, visible(p.Source), oneLine(p.Title))
	}
	for _, c := range turn.Calls {
		t.write("call   %s %s\n", visible(c.Name), oneLine(c.Args))
		if c.Refused != "" {
			t.write("       refused: %s\n", oneLine(c.Refused))
			continue
		}
		if c.Fault != "" {
			t.write("       failed: %s\n", oneLine(c.Fault))
		}
		t.write("       %s  %s\n", shown(c.Took), oneLine(c.Result))
	}
	if m := turn.Trace.Model; m.Name != "" || m.Whole > 0 {
		t.write("model  %s  %d tokens in, %d out  first %s, whole %s\n", visible(m.Name), m.Input, m.Output, shown(m.First), shown(m.Whole))
	}
	t.write("took   %s\n", shown(turn.Took))
}

func shown(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

func oneLine(s string) string { return visible(clip(s)) }

// visible takes out what would steer a terminal: the words come from a model
// and from customers.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ' || r >= 0x7f && r <= 0x9f:
			return -1
		}
		return r
	}, s)
}
