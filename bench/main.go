// Bench measures what the README promises, on the machine it runs on: calls
// (voice), the journal, chat. `go run ./bench NAME --help` lists the flags. It
// prints a table; --json prints one object a bench, of one shape; --out makes a
// page with plots. A figure that misses its promise is stated and fails
// nothing; a sum that does not come out does.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"flametree/bench/amd"
	"flametree/bench/chat"
	benchingest "flametree/bench/ingest"
	"flametree/bench/journal"
	"flametree/bench/python"
	"flametree/bench/report"
	"flametree/bench/retrieval"
	"flametree/bench/rig"
	benchsip "flametree/bench/sip"
	"flametree/bench/turns"
	"flametree/bench/vendors"
	"flametree/bench/voice"
	benchwebrtc "flametree/bench/webrtc"
	"flametree/cluster/node"
	"flametree/engine/knowledge/ingest"
)

type program struct {
	Voice     voiceCmd     `cmd:"" help:"Calls over SIP and RTP, with callers in another process."`
	WebRTC    webrtcCmd    `cmd:"" name:"webrtc" help:"Calls from browsers (peers of pion's) with Opus, in another process."`
	SIP       sipCmd       `cmd:"" name:"sip" help:"Calls set up and ended, beside bare sipgo and Kamailio."`
	Journal   journalCmd   `cmd:"" help:"Durable appends, beside bare Pebble and plain fsync."`
	Chat      chatCmd      `cmd:"" help:"Text turns over HTTP, and the memory of idle sessions."`
	Engine    engineCmd    `cmd:"" help:"Text turns with a model in another process, one client and many sessions."`
	Retrieval retrievalCmd `cmd:"" help:"Passages found in a library of 100,000."`
	Ingest    ingestCmd    `cmd:"" help:"Files read in a limited child: memory and speed by format."`
	AMD       amdCmd       `cmd:"" name:"amd" help:"People and answering machines told apart."`
	Python    pythonCmd    `cmd:"" help:"Customers' Python: warm calls, cold starts, runaways, memory."`
	Turns     turnsCmd     `cmd:"" help:"Turn-taking: dialogues with pauses, murmurs, coughs and interruptions."`
	Vendors   vendorsCmd   `cmd:"" help:"Vendors of speech, each against a server of its own: what the connectors add and cost."`
	All       allCmd       `cmd:"" help:"Every bench."`

	JSON bool   `name:"json" help:"Print one object a bench, each on its line, in place of tables."`
	Out  string `help:"Folder for a page with plots and one JSON file a bench." type:"path"`
}

type voiceCmd struct {
	Calls     int           `help:"Calls at once." default:"1"`
	Seconds   float64       `help:"How long all of them are up." default:"60"`
	Period    time.Duration `help:"From one turn of a caller to the next, 3s to 14s." default:"10s"`
	Interrupt int           `help:"Every how many turns the caller interrupts." default:"5"`
	Codec     string        `help:"That callers offer." enum:"PCMU,PCMA,G722,opus" default:"PCMU"`
	Mode      string        `help:"rtp: legs alone, without ears, mouth, recording and journal." enum:",rtp" default:""`
	Limit     bool          `help:"Search for the most calls that keep every promise, from --calls on."`
	Profile   string        `help:"File for a CPU profile of the server." type:"path"`
}

type webrtcCmd struct {
	Calls   int     `help:"Calls at once." default:"100"`
	Seconds float64 `help:"How long all of them are up." default:"20"`
	Profile string  `help:"File for a CPU profile of the server." type:"path"`
}

type sipCmd struct {
	Rate    float64       `help:"Calls a second." default:"500"`
	Seconds float64       `help:"How long they are placed." default:"60"`
	Hold    time.Duration `help:"From the ACK of a call to its BYE." default:"100ms"`
	Sockets int           `help:"Of the callers." default:"4"`
	Peers   time.Duration `help:"How long each of sipp, bare sipgo and Kamailio is measured; less than 0 = not." default:"15s"`
	Profile string        `help:"File for a CPU profile of the server." type:"path"`
}

type journalCmd struct {
	Writers []int   `help:"Numbers of writers." default:"1,16,256"`
	Seconds float64 `help:"Length of the whole run." default:"18"`
	Dir     string  `help:"Folder on the disk to be measured." type:"existingdir"`
}

type chatCmd struct {
	Seconds  float64 `help:"Length of the run for each number of clients." default:"10"`
	Sessions int     `help:"Idle sessions whose memory is weighed; 0 = none." default:"20000"`
	Profile  string  `help:"File for a CPU profile of the server while turns are timed." type:"path"`
}

type engineCmd struct {
	Seconds float64 `help:"Length of the run for each number of clients." default:"10"`
	Paced   int     `help:"Sessions that write once a second." default:"200"`
	Profile string  `help:"File for a CPU profile of the server." type:"path"`
}

type retrievalCmd struct {
	Passages int    `help:"Of the library." default:"100000"`
	Seed     uint64 `help:"Writes other libraries of both vocabularies than those of the stated figures."`
}

type ingestCmd struct {
	PDF int64 `name:"pdf" help:"MB of the PDF." default:"100"`
}

type pythonCmd struct {
	Workers int `help:"Interpreters that are weighed; 0 = 64."`
}

type amdCmd struct {
	Dir  string `help:"Folder of WAV files named human-… and machine-…; without it, some are rendered." type:"existingdir"`
	Seed uint64 `help:"Draws what is rendered." default:"1"`
	N    int    `help:"Recordings of each kind that are rendered." default:"140"`
}

type turnsCmd struct {
	Seed  uint64 `help:"Draws the dialogues." default:"1"`
	N     int    `help:"Dialogues." default:"200"`
	Calls int    `help:"At once, at most." default:"32"`
	Ears  string `help:"truth: a recogniser that is told what was said; pocketsphinx: the built-in one." enum:"truth,pocketsphinx" default:"truth"`
	Cases bool   `help:"Tell every case that went wrong."`
}

type vendorsCmd struct {
	Utterances int           `help:"Of each vendor." default:"10"`
	Audio      time.Duration `help:"Whose cost is counted, of each vendor." default:"60s"`
	Final      time.Duration `help:"The servers' own delay of last words." default:"150ms"`
	Sound      time.Duration `help:"The servers' own delay of the first sound." default:"120ms"`
}

type allCmd struct {
	Seconds float64 `help:"How long the calls are up." default:"60"`
}

// bench is one run with its options.
type bench func(context.Context) (report.Report, error)

func (v voiceCmd) bench() bench {
	return func(ctx context.Context) (report.Report, error) {
		o := voice.Options{
			Calls: v.Calls, Length: seconds(v.Seconds), Period: v.Period, Interrupt: v.Interrupt, Profile: v.Profile,
			Codec: v.Codec, Mode: v.Mode,
		}
		if v.Limit {
			return voice.Limit(ctx, o)
		}
		return voice.Run(ctx, o)
	}
}

func (w webrtcCmd) bench() bench {
	return func(ctx context.Context) (report.Report, error) {
		return benchwebrtc.Run(ctx, benchwebrtc.Options{Calls: w.Calls, Length: seconds(w.Seconds), Profile: w.Profile})
	}
}

func (s sipCmd) bench() bench {
	return func(ctx context.Context) (report.Report, error) {
		return benchsip.Run(ctx, benchsip.Options{
			Rate: s.Rate, Length: seconds(s.Seconds), Hold: s.Hold, Sockets: s.Sockets, Peers: s.Peers, Profile: s.Profile,
		})
	}
}

func (j journalCmd) bench() bench {
	return func(ctx context.Context) (report.Report, error) {
		return ofJournal(ctx, journal.Options{Writers: j.Writers, Duration: seconds(j.Seconds), Dir: j.Dir})
	}
}

func (c chatCmd) bench() bench {
	return func(ctx context.Context) (report.Report, error) {
		return chat.Run(ctx, chat.Options{Length: seconds(c.Seconds), Sessions: c.Sessions, Profile: c.Profile})
	}
}

func (c engineCmd) bench() bench {
	return func(ctx context.Context) (report.Report, error) {
		return chat.Run(ctx, chat.Options{Length: seconds(c.Seconds), Clients: []int{1, 16}, Model: true, Paced: c.Paced, Profile: c.Profile})
	}
}

func (c retrievalCmd) bench() bench {
	return func(ctx context.Context) (report.Report, error) {
		return retrieval.Run(ctx, retrieval.Options{Passages: c.Passages, Seed: c.Seed})
	}
}

func (c ingestCmd) bench() bench {
	return func(ctx context.Context) (report.Report, error) {
		return benchingest.Run(ctx, benchingest.Options{PDF: c.PDF << 20})
	}
}

func (c pythonCmd) bench() bench {
	return func(ctx context.Context) (report.Report, error) {
		return python.Run(ctx, python.Options{Workers: c.Workers})
	}
}

func (c amdCmd) bench() bench {
	return func(ctx context.Context) (report.Report, error) {
		return amd.Run(ctx, amd.Options{Dir: c.Dir, Seed: c.Seed, N: c.N})
	}
}

func (t turnsCmd) bench() bench {
	return func(ctx context.Context) (report.Report, error) {
		return turns.Run(ctx, turns.Options{Seed: t.Seed, N: t.N, Calls: t.Calls, Ears: t.Ears, Cases: t.Cases})
	}
}

func (v vendorsCmd) bench() bench {
	return func(ctx context.Context) (report.Report, error) {
		return vendors.Run(ctx, vendors.Options{Utterances: v.Utterances, Audio: v.Audio, Final: v.Final, Sound: v.Sound})
	}
}

func (a allCmd) benches() []bench {
	const hundred = 100
	return []bench{
		voiceCmd{Calls: 1, Seconds: a.Seconds}.bench(), voiceCmd{Calls: hundred, Seconds: a.Seconds}.bench(),
		sipCmd{Rate: 500, Seconds: a.Seconds}.bench(),
		journalCmd{}.bench(), chatCmd{Seconds: 10, Sessions: 20000}.bench(),
		engineCmd{Seconds: 10, Paced: 200}.bench(), retrievalCmd{Passages: 100_000}.bench(), pythonCmd{}.bench(), ingestCmd{PDF: 100}.bench(),
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) > 0 && args[0] == ingest.Command {
		os.Exit(ingest.Main(args[1:], in, out))
	}
	if len(args) == 1 {
		if child := children()[args[0]]; child != nil {
			return child(ctx, in, out)
		}
	}
	var p program
	parser, err := kong.New(&p, kong.Name("bench"), kong.Description("Measures flametree on this machine."), kong.UsageOnError())
	if err != nil {
		return err
	}
	k, err := parser.Parse(args)
	if err != nil {
		return err
	}
	return p.run(ctx, p.chosen(k.Command()), out)
}

// chosen are the benches that a command runs.
func (p *program) chosen(command string) []bench {
	switch command {
	case "voice":
		return []bench{p.Voice.bench()}
	case "webrtc":
		return []bench{p.WebRTC.bench()}
	case "sip":
		return []bench{p.SIP.bench()}
	case "journal":
		return []bench{p.Journal.bench()}
	case "chat":
		return []bench{p.Chat.bench()}
	case "engine":
		return []bench{p.Engine.bench()}
	case "retrieval":
		return []bench{p.Retrieval.bench()}
	case "ingest":
		return []bench{p.Ingest.bench()}
	case "python":
		return []bench{p.Python.bench()}
	case "amd":
		return []bench{p.AMD.bench()}
	case "turns":
		return []bench{p.Turns.bench()}
	case "vendors":
		return []bench{p.Vendors.bench()}
	case "all":
		return p.All.benches()
	}
	return nil
}

// children are what this program is when it starts itself.
func children() map[string]func(context.Context, io.Reader, io.Writer) error {
	return map[string]func(context.Context, io.Reader, io.Writer) error{
		rig.ServerName: func(ctx context.Context, in io.Reader, out io.Writer) error {
			node.Tune() // as `flametree serve` does
			return rig.Serve(ctx, in, out)
		},
		benchsip.ServerName: benchsip.Serve, benchsip.CallersName: benchsip.Callers, benchsip.BareName: benchsip.Bare,
		voice.CallersName: voice.Callers, voice.LegsName: voice.Legs, vendors.ServerName: vendors.Serve,
	}
}

// run runs one bench after the other and tells of each at once. One that fails
// does not keep the others from running.
func (p *program) run(ctx context.Context, chosen []bench, out io.Writer) error {
	var reports []report.Report
	var errs []error
	taken := map[string]int{}
	for i, b := range chosen {
		r, err := b(ctx)
		errs = append(errs, err)
		if r.Name == "" {
			continue
		}
		taken[r.Name]++
		if p.Out != "" {
			r.Beside(p.Out, taken[r.Name])
		}
		reports = append(reports, r)
		if p.JSON {
			errs = append(errs, r.JSON(out))
			continue
		}
		if i > 0 {
			_, _ = fmt.Fprintln(out)
		}
		errs = append(errs, r.Table(out))
	}
	if p.Out != "" && len(reports) > 0 {
		errs = append(errs, report.Save(p.Out, reports))
		if !p.JSON {
			_, _ = fmt.Fprintf(out, "\npage: %s\n", filepath.Join(p.Out, "index.html"))
		}
	}
	return errors.Join(errs...)
}
