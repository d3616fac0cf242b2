package turn

import "time"

// ms and secs make rows whose key follows from the variable: lower case,
// without VOICE_ and without the unit.
func ms(key, env string, p *time.Duration, meaning string) setting {
	return setting{key, env, span{p, time.Millisecond, 0, time.Minute}, "turn", meaning}
}

func secs(key, env string, p *time.Duration, meaning string) setting {
	return setting{key, env, span{p, time.Second, 0, 24 * time.Hour}, "turn", meaning}
}

// by names the room that decides by a setting, where it is not this one.
func (s setting) by(owner string) setting {
	s.owner = owner
	return s
}

// least refuses durations below lo, where nothing would work.
func (s setting) least(lo time.Duration) setting {
	v := s.value.(span)
	v.lo = lo
	s.value = v
	return s
}

// settings lists every field of c. Pairs and Timers keep this order.
func (c *Config) settings() []setting {
	all := make([]setting, 0, 64)
	all = append(all, c.hearing()...)
	all = append(all, c.contesting()...)
	all = append(all, c.replying()...)
	return append(all, c.lasting()...)
}

func (c *Config) hearing() []setting {
	return []setting{
		ms("vad_start", "VOICE_VAD_START_MS", &c.VADStart, "speech that makes the debounced VAD say voice"),
		ms("vad_stop", "VOICE_VAD_STOP_MS", &c.VADStop, "silence that makes the debounced VAD say none"),
		ms("preroll", "VOICE_PREROLL_MS", &c.Preroll, "audio from before the voice that belongs to it").by("leg"),
		ms("eot_finished", "VOICE_EOT_FINISHED_MS", &c.EOTFinished, "silence after VAD stop that ends a turn that sounds finished"),
		ms("eot", "VOICE_EOT_MS", &c.EOT, "silence after VAD stop that ends a turn of which nothing is known"),
		ms("eot_unfinished", "VOICE_EOT_UNFINISHED_MS", &c.EOTUnfinished, "silence after VAD stop that ends a turn that sounds unfinished"),
		ms("eot_cap", "VOICE_EOT_CAP_MS", &c.EOTCap, "longest silence after VAD stop before a turn with words ends"),
		{"eot_learn", "VOICE_EOT_LEARN", flag{&c.EOTLearn}, "turn", "wait at least as long as this caller's own pauses"},
		ms("eot_floor", "VOICE_EOT_FLOOR_MS", &c.EOTFloor, "least pause that is learned"),
		ms("eot_ceiling", "VOICE_EOT_CEILING_MS", &c.EOTCeiling, "longest pause that is learned"),
		{"eot_model", "VOICE_EOT_MODEL", choice{&c.EOTModel, models}, "turn", "what says how a turn sounds: rules-2, none, or rules and words, the rules of old recordings"},
		ms("eot_ahead", "VOICE_EOT_AHEAD_MS", &c.EOTAhead, "as eot_finished, while the reply is thought ahead and the wait costs nothing"),
		ms("eot_open", "VOICE_EOT_OPEN_MS", &c.EOTOpen, "silence after VAD stop that ends a turn that may well go on: dictation, the beginning of a story"),
		ms("eot_unready", "VOICE_EOT_UNREADY_MS", &c.EOTUnready, "longest silence before a turn that is not unfinished ends once its speculations are spent"),
		ms("eot_prior", "VOICE_EOT_PRIOR_MS", &c.EOTPrior, "pause that is taken for this caller's before one was heard; 0 = none"),
		{"eot_deviations", "VOICE_EOT_DEVIATIONS", count{&c.EOTDeviations, 0, 10}, "turn", "mean deviations that are waited beyond the learned pause"},
		ms("stt_final_wait", "VOICE_STT_FINAL_WAIT_MS", &c.STTFinalWait, "wait for the recogniser's last words, cut short by them"),
		ms("stt_timeout", "VOICE_STT_TIMEOUT_MS", &c.STTTimeout, "wait for any words before the caller is asked to repeat"),
		{"dtmf", "VOICE_DTMF", flag{&c.DTMF}, "turn", "take digits"},
		{"dtmf_terminator", "VOICE_DTMF_TERMINATOR", keypad{&c.DTMFTerminator}, "turn", "key that ends a row of digits"},
		ms("dtmf_gap", "VOICE_DTMF_GAP_MS", &c.DTMFGap, "pause that ends a row of digits"),
		{"dtmf_max", "VOICE_DTMF_MAX", count{&c.DTMFMax, 1, maxDigits}, "turn", "digits that end a row"},
		{"language", "VOICE_LANGUAGE", language{&c.Language}, "turn", "language of backchannels and of unfinished turns"},
	}
}

func (c *Config) contesting() []setting {
	return []setting{
		{"barge_in", "VOICE_BARGE_IN", flag{&c.BargeIn}, "turn", "voice and words may interrupt the agent; digits always may"},
		ms("duck", "VOICE_DUCK_MS", &c.Duck, "raw voice over the agent that lowers it"),
		{"duck_db", "VOICE_DUCK_DB", decibel{&c.DuckDB}, "turn", "level of a lowered agent"},
		ms("pause", "VOICE_PAUSE_MS", &c.Pause, "voice over the agent that pauses it"),
		ms("yield", "VOICE_YIELD_MS", &c.Yield, "voice with a word that takes the floor"),
		{"yield_words", "VOICE_YIELD_WORDS", count{&c.YieldWords, 1, 20}, "turn", "recognised words that take the floor"},
		ms("yield_no_words", "VOICE_YIELD_NO_WORDS_MS", &c.YieldNoWords, "voice without a word that takes the floor"),
		ms("backchannel", "VOICE_BACKCHANNEL_MS", &c.Backchannel, "voice of a backchannel is shorter than this"),
		{"backchannel_words", "VOICE_BACKCHANNEL_WORDS", count{&c.BackchannelWords, 0, 10}, "turn", "most words of a backchannel; 0 = there are none"},
		{"question_heard", "VOICE_QUESTION_HEARD", count{&c.QuestionHeard, 0, 100}, "turn", "percent of a question after which a backchannel is an answer to it"},
		ms("false_interruption", "VOICE_FALSE_INTERRUPTION_MS", &c.FalseInterruption, "silence without words after which a paused agent resumes"),
		ms("echo_guard", "VOICE_ECHO_GUARD_MS", &c.EchoGuard, "start of the first utterance in which voice alone does not interrupt"),
	}
}

func (c *Config) replying() []setting {
	return []setting{
		{"speculate", "VOICE_SPECULATE", flag{&c.Speculate}, "turn", "think ahead on a stable hypothesis"},
		ms("speculate_stable", "VOICE_SPECULATE_STABLE_MS", &c.SpeculateStable, "for how long a hypothesis must not change"),
		{"speculate_max", "VOICE_SPECULATE_MAX", count{&c.SpeculateMax, 0, 20}, "turn", "speculations in a turn"},
		{"speculate_voiced", "VOICE_SPECULATE_VOICED", flag{&c.SpeculateVoiced}, "turn", "think ahead also while the VAD says voice, between two words"},
		ms("speculate_lead", "VOICE_SPECULATE_LEAD_MS", &c.SpeculateLead, "time before the end of the wait at which to think ahead, or as soon as the hypothesis is stable"),
		{"enable_filler_phrases", "ENABLE_FILLER_PHRASES", flag{&c.Fillers}, "turn", "say a filler while the reply is late"},
		ms("filler_after", "VOICE_FILLER_AFTER_MS", &c.FillerAfter, "time after the commit until the first filler"),
		ms("filler_repeat", "VOICE_FILLER_REPEAT_MS", &c.FillerRepeat, "time after the commit until the second filler"),
		ms("filler_off_below", "VOICE_FILLER_OFF_BELOW_MS", &c.FillerOffBelow, "no fillers while half the replies come sooner than this"),
		ms("llm_first_token_timeout", "LLM_FIRST_TOKEN_TIMEOUT_MS", &c.LLMFirstToken, "wait for the model's first token, then the fallback").by("session"),
		ms("llm_timeout", "LLM_TIMEOUT_MS", &c.LLMTimeout, "wait for the whole reply; the watchdog's time later it is given up"),
		ms("tts_first_byte", "VOICE_TTS_FIRST_BYTE_MS", &c.TTSFirstByte, "wait for the voice's first audio, then the fallback").by("providers"),
	}
}

func (c *Config) lasting() []setting {
	return []setting{
		ms("watchdog", "VOICE_WATCHDOG_MS", &c.Watchdog, "time without any sign of life after which the floor is freed").least(500 * time.Millisecond),
		secs("no_input_timeout", "VOICE_NO_INPUT_TIMEOUT", &c.NoInputTimeout, "silence of both after which the caller is prompted; 0 = never"),
		{"no_input_prompts", "VOICE_NO_INPUT_PROMPTS", count{&c.NoInputPrompts, 0, 20}, "turn", "prompts before the call ends as user_timeout"},
		secs("max_call", "VOICE_MAX_CALL_SECONDS", &c.MaxCall, "length at which a call ends as timeout; 0 = no limit"),
		secs("media_start", "VOICE_MEDIA_START_SECONDS", &c.MediaStart, "wait for the first packet before the call ends as failed").least(time.Second),
		secs("media_lost", "VOICE_MEDIA_LOST_SECONDS", &c.MediaLost, "time without packets after which the call ends as failed").least(time.Second),
		secs("transfer_timeout", "VOICE_TRANSFER_TIMEOUT", &c.TransferTimeout, "wait for a transfer before the agent goes on").least(time.Second),
		secs("ring_timeout", "VOICE_RING_TIMEOUT", &c.RingTimeout, "ringing of an outbound call").by("dialler"),
		ms("amd_human", "VOICE_AMD_HUMAN_MS", &c.AMDHuman, "greeting that is short enough for a human").by("dialler"),
		ms("amd_cap", "VOICE_AMD_CAP_MS", &c.AMDCap, "time in which a human and a machine are told apart").by("dialler"),
	}
}
