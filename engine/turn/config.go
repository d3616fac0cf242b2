package turn

import (
	"time"

	"flametree/engine/turn/eot"
)

// Config holds every timer and threshold of a voice call, so that one table
// names them all; Timers says which of them this machine decides by, and who
// does by the others. Default is where to start: the zero Config waits for
// nothing. A Config is a value, fixed for the length of a call.
type Config struct {
	VADStart, VADStop, Preroll time.Duration // kept by the leg; the machine counts back by them

	EOTFinished, EOT, EOTUnfinished, EOTCap time.Duration // silence after VAD stop that ends a turn
	EOTLearn                                bool
	EOTFloor, EOTCeiling                    time.Duration // bounds of what is learned
	EOTModel                                string        // rules-2 none rules words: what says how a turn sounds, see package eot
	EOTAhead                                time.Duration // in place of EOTFinished while the reply is thought ahead
	EOTOpen                                 time.Duration // silence that ends a turn that may well go on; with VADStop and the voice's first sound under 1.5 s
	EOTUnready                              time.Duration // longest of these waits once no more may be thought ahead in the turn
	EOTPrior                                time.Duration // pause that is taken for this caller's before there was one
	EOTDeviations                           int           // mean deviations over the learned pause that are waited besides
	STTFinalWait                            time.Duration // p99 of the vendor's last words
	STTTimeout                              time.Duration

	BargeIn                          bool
	Duck, Pause, Yield, YieldNoWords time.Duration // of voice over the agent
	DuckDB                           float64       // at most 0
	YieldWords                       int
	Backchannel                      time.Duration
	BackchannelWords                 int
	QuestionHeard                    int // percent of a question after which a murmur answers it
	FalseInterruption, EchoGuard     time.Duration

	Speculate       bool
	SpeculateStable time.Duration
	SpeculateMax    int
	SpeculateVoiced bool // also while the VAD says voice
	SpeculateLead   time.Duration

	Fillers                                   bool
	FillerAfter, FillerRepeat, FillerOffBelow time.Duration

	LLMFirstToken, LLMTimeout, TTSFirstByte time.Duration

	Watchdog         time.Duration
	NoInputTimeout   time.Duration // 0 = never
	NoInputPrompts   int
	MaxCall          time.Duration // 0 = no limit
	MediaStart       time.Duration
	MediaLost        time.Duration
	RingTimeout      time.Duration
	TransferTimeout  time.Duration
	AMDHuman, AMDCap time.Duration

	DTMF           bool
	DTMFTerminator string // one key, or "" for none
	DTMFGap        time.Duration
	DTMFMax        int

	Language string // BCP 47; "" means English
}

// Default returns the published defaults.
func Default() Config {
	const ms, s = time.Millisecond, time.Second
	return Config{
		VADStart: 120 * ms, VADStop: 200 * ms, Preroll: 500 * ms,
		EOTFinished: 150 * ms, EOT: 500 * ms, EOTUnfinished: 1800 * ms, EOTCap: 2500 * ms,
		EOTLearn: true, EOTFloor: 150 * ms, EOTCeiling: 1000 * ms,
		EOTModel: eot.NameRules, EOTAhead: 500 * ms, EOTOpen: 1050 * ms, EOTUnready: 750 * ms, EOTPrior: 300 * ms, EOTDeviations: 2,
		STTFinalWait: 800 * ms, STTTimeout: 3 * s,
		BargeIn: true, Duck: 60 * ms, Pause: 200 * ms, Yield: 500 * ms, YieldNoWords: 900 * ms,
		DuckDB: -12, YieldWords: 2,
		Backchannel: 800 * ms, BackchannelWords: 2, QuestionHeard: 60,
		FalseInterruption: 1200 * ms, EchoGuard: 500 * ms,
		Speculate: true, SpeculateStable: 200 * ms, SpeculateMax: 3, SpeculateLead: 450 * ms,
		Fillers: false, FillerAfter: 900 * ms, FillerRepeat: 6 * s, FillerOffBelow: 500 * ms,
		LLMFirstToken: 2500 * ms, LLMTimeout: 20 * s, TTSFirstByte: 1500 * ms,
		Watchdog: 5 * s, NoInputTimeout: 15 * s, NoInputPrompts: 3,
		MaxCall: time.Hour, MediaStart: 30 * s, MediaLost: 15 * s,
		RingTimeout: 45 * s, TransferTimeout: 30 * s, AMDHuman: 2500 * ms, AMDCap: 8 * s,
		DTMF: true, DTMFTerminator: "#", DTMFGap: 2500 * ms, DTMFMax: 32,
	}
}
