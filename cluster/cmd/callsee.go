package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"flametree/actors"
	"flametree/cluster/node"
	"flametree/engine/fault"
	"flametree/engine/turn"
)

// callCmds are the commands about one call; without a name among them an agent
// calls somebody.
type callCmds struct {
	Place   callCmd        `cmd:"" default:"withargs" help:"Have an agent call somebody."`
	Listen  callListenCmd  `cmd:"" help:"Listen to a running call."`
	Whisper callWhisperCmd `cmd:"" help:"Give the agent of a running conversation guidance that the customer does not see."`
	Barge   callBargeCmd   `cmd:"" help:"Put an operator in the agent's place."`
	Capture callCaptureCmd `cmd:"" help:"Capture the packets of a running call."`
}

func callPath(id, what string) string { return "/calls/" + url.PathEscape(id) + what }

// whoAmI is how who gives a command is named where nothing else is said.
func whoAmI(by string) string { return cmp.Or(by, os.Getenv("USER"), "owner") } //nolint:forbidigo // who gives the command, for the audit

type callListenCmd struct {
	Session string `arg:"" help:"Session or call."`
	WAV     string `name:"wav" help:"File for the sound, - for standard output: 16-bit stereo, the customer left and the agent right." xor:"to" required:""`
	To      string `help:"Telephone of an operator, such as sip:anna@example.org: he is called, hears both and is not heard." xor:"to" required:""`
	By      string `help:"Who listens; stands in the journal. Default: the user."`
}

// Run implements the command.
func (c *callListenCmd) Run(ctx context.Context, e *Env) error {
	if c.To != "" {
		var done map[string]bool
		form := node.OperatorForm{By: whoAmI(c.By), To: c.To}
		if err := e.tell(ctx, callPath(c.Session, "/listen"), form, &done); err != nil {
			return err
		}
		e.printf("%s listens, until he or the call hangs up\n", c.To)
		return nil
	}
	return e.save(ctx, callPath(c.Session, "/listen?by="+url.QueryEscape(whoAmI(c.By))), c.WAV)
}

// save copies what the server answers to a file, or to standard output for -.
// An interrupt ends it in good order.
func (e *Env) save(ctx context.Context, path, to string) error {
	c, err := e.settings()
	if err != nil {
		return err
	}
	body, err := dial(c.Data).do(ctx, http.MethodGet, path, nil)
	if errors.Is(err, errNoServer) {
		return fmt.Errorf("no server runs on %s: start one with flametree serve: %w", c.Data, fault.Unavailable)
	}
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	out, done := e.Out, func() error { return nil }
	if to != "-" {
		f, err := os.OpenFile(filepath.Clean(to), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return fmt.Errorf("write %s: %w: %w", to, fault.Invalid, err)
		}
		out, done = f, f.Close
	}
	n, err := io.Copy(out, body)
	if ctx.Err() != nil { // ^C: what is there is whole
		err = nil
	}
	if err = errors.Join(err, done()); err == nil && to != "-" {
		e.printf("%s: %d bytes\n", to, n)
	}
	return err
}

type callWhisperCmd struct {
	Session string `arg:"" help:"Session of a call or a chat."`
	Text    string `arg:"" help:"What the agent is told. It counts from the next turn on; the newest five are shown to the model."`
	By      string `help:"Who says so; stands in the journal. Default: the user."`
}

// Run implements the command.
func (c *callWhisperCmd) Run(ctx context.Context, e *Env) error {
	var done map[string]bool
	form := node.WhisperForm{By: whoAmI(c.By), Text: c.Text}
	if err := e.tell(ctx, "/sessions/"+url.PathEscape(c.Session)+"/whisper", form, &done); err != nil {
		return err
	}
	e.printf("the agent knows it from the next turn on\n")
	return nil
}

type callBargeCmd struct {
	Session string `arg:"" help:"Session or call."`
	To      string `required:"" help:"Telephone of the operator, such as sip:anna@example.org."`
	By      string `help:"Who barges in; stands in the journal. Default: the user."`
	Keep    bool   `help:"The agent does not come back: the call ends when the operator hangs up."`
}

// Run implements the command.
func (c *callBargeCmd) Run(ctx context.Context, e *Env) error {
	var done map[string]bool
	form := node.OperatorForm{By: whoAmI(c.By), To: c.To, Keep: c.Keep}
	e.printf("calling %s\n", c.To)
	if err := e.tell(ctx, callPath(c.Session, "/barge"), form, &done); err != nil {
		return err
	}
	next := "when he hangs up the agent goes on"
	if c.Keep {
		next = "when he hangs up the call ends"
	}
	e.printf("%s speaks with the customer; %s\n", c.To, next)
	return nil
}

type callCaptureCmd struct {
	Take callCaptureTakeCmd `cmd:"" default:"withargs" help:"Capture the packets of a running call."`
	Get  callCaptureGetCmd  `cmd:"" help:"Write a capture to a file that Wireshark reads."`
}

type callCaptureTakeCmd struct {
	Session string        `arg:"" help:"Session or call."`
	For     time.Duration `help:"How long to capture." default:"60s"`
	Keep    time.Duration `help:"How long the capture is kept, 24h at most; then it is deleted." default:"1h"`
	By      string        `help:"Who captures; stands in the journal. Default: the user."`
}

// Run implements the command.
func (c *callCaptureTakeCmd) Run(ctx context.Context, e *Env) error {
	var taken node.CaptureTaken
	form := node.CaptureForm{By: whoAmI(c.By), For: c.For, Keep: c.Keep}
	if err := e.tell(ctx, callPath(c.Session, "/capture"), form, &taken); err != nil {
		return err
	}
	e.printf("capturing until %s or the end of the call; kept until %s\n", taken.Ready.Local().Format("15:04:05"), taken.Until.Local().Format("15:04:05"))
	e.printf("not captured: pressed keys (telephone events), credentials in SIP, and everything while the call is in a sensitive state or its recording is paused\n")
	e.printf("then: flametree call capture get %s --out FILE.pcap\n", c.Session)
	return nil
}

type callCaptureGetCmd struct {
	Session string `arg:"" help:"Session or call."`
	Out     string `required:"" help:"File to write, - for standard output."`
}

// Run implements the command.
func (c *callCaptureGetCmd) Run(ctx context.Context, e *Env) error {
	return e.save(ctx, callPath(c.Session, "/capture"), c.Out)
}

type callsShowCmd struct {
	Session string `arg:"" help:"Session or call."`
}

// Run implements the command.
func (c *callsShowCmd) Run(ctx context.Context, e *Env) error {
	var card node.CallCard
	if err := e.ask(ctx, callPath(c.Session, ""), &card); err != nil {
		return err
	}
	e.printf("session %s  call %s  agent %s  %s\n", card.Session, card.Call, card.Agent, card.Direction)
	e.printf("%s at %d Hz, %d packets received, %d lost", cmp.Or(card.Codec, "not answered"), card.BandHz, card.Received, card.Lost)
	if card.Quality > 0 {
		e.printf(", estimated MOS %.2f", card.Quality)
	}
	e.printf("\n\n")
	for _, s := range card.Story {
		e.printf("%8.1fs  %s\n", s.At.Seconds(), s.What)
	}
	if len(card.Turns) > 0 {
		e.printf("\nfrom the end of the caller's words to ours:\n")
		bars(e.Out, card.Turns)
	}
	return nil
}

// barWidth is how many characters the longest turn takes.
const barWidth = 60

// bars draws turns as bars of their stages, to one scale, with a legend.
func bars(w io.Writer, turns []node.TurnBar) {
	longest := time.Millisecond
	for _, t := range turns {
		longest = max(longest, t.Whole)
	}
	for _, t := range turns {
		var bar, key strings.Builder
		for i, s := range t.Stages {
			letter := 'a' + rune(i%26)
			n := int(int64(s.Took)*barWidth/int64(longest) + 1)
			bar.WriteString(strings.Repeat(string(letter), n))
			fmt.Fprintf(&key, "  %c %s %d ms", letter, s.Name, s.Took.Milliseconds())
		}
		why := ""
		if t.Waited != "" {
			why = "  waited for " + turn.Reason(t.Waited, t.Stages)
		}
		_, _ = fmt.Fprintf(w, "turn %-3d %6d ms  |%s|%s\n", t.Turn, t.Whole.Milliseconds(), bar.String(), why)
		if key.Len() > 0 {
			_, _ = fmt.Fprintf(w, "                   %s\n", strings.TrimSpace(key.String()))
		}
	}
}

type callsLadderCmd struct {
	Session string `arg:"" help:"Session or call."`
	Full    bool   `help:"Show every message whole; credentials are masked."`
}

// Run implements the command.
func (c *callsLadderCmd) Run(ctx context.Context, e *Env) error {
	var l node.Ladder
	if err := e.ask(ctx, callPath(c.Session, "/ladder"), &l); err != nil {
		return err
	}
	ladder(e.Out, l.Signals, c.Full)
	return nil
}

// ladderWidth is between two parties.
const ladderWidth = 34

// ladder draws messages as arrows between the addresses that sent them, in the
// order in which the addresses appear.
func ladder(w io.Writer, signals []actors.Signal, full bool) {
	var parties []netip.AddrPort
	column := func(a netip.AddrPort) int {
		for i, p := range parties {
			if p == a {
				return i
			}
		}
		parties = append(parties, a)
		return len(parties) - 1
	}
	for _, s := range signals {
		column(s.From)
		column(s.To)
	}
	var head strings.Builder
	head.WriteString(strings.Repeat(" ", 10))
	for _, p := range parties {
		_, _ = fmt.Fprintf(&head, "%-*s", ladderWidth, p)
	}
	_, _ = fmt.Fprintln(w, strings.TrimRight(head.String(), " "))
	for _, s := range signals {
		if s.Dropped > 0 {
			_, _ = fmt.Fprintf(w, "%10s… %d messages were not kept …\n", "", s.Dropped)
		}
		from, to := column(s.From), column(s.To)
		_, _ = fmt.Fprintf(w, "%9.3fs%s\n", s.At.Sub(signals[0].At).Seconds(), arrow(from, to, signalled(s)))
		if full {
			for line := range strings.SplitSeq(strings.TrimRight(s.Text, "\r\n"), "\n") {
				_, _ = fmt.Fprintf(w, "          | %s\n", printable(strings.TrimRight(line, "\r")))
			}
		}
	}
}

// arrow points from one column to another, with the text on it.
func arrow(from, to int, text string) string {
	left, right := min(from, to), max(from, to)
	if left == right {
		right++ // we called ourselves
	}
	size := (right-left)*ladderWidth - 2
	if n := utf8.RuneCountInString(text); n > size-4 {
		text = string([]rune(text)[:size-4])
	}
	line := " " + text + " "
	rest := size - utf8.RuneCountInString(line)
	line = strings.Repeat("-", rest/2) + line + strings.Repeat("-", rest-rest/2)
	if from <= to {
		line = "|" + line + ">"
	} else {
		line = "<" + line + "|"
	}
	return strings.Repeat(" ", left*ladderWidth) + line
}

// signalled is the first line of a message in short, and how it came.
func signalled(s actors.Signal) string {
	first, _, _ := strings.Cut(s.Text, "\r\n")
	word, rest, _ := strings.Cut(first, " ")
	if word == "SIP/2.0" {
		word = rest
	} else if strings.Contains(s.Text, "\r\n\r\nv=0") {
		word += " (SDP)"
	}
	return printable(word + " " + s.Transport)
}

// printable keeps what strangers wrote from moving the cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r >= 0x7F && r < 0xA0 || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
}
