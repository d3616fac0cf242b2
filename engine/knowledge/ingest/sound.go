package ingest

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest/parse"
)

// SoundRate is the rate of the samples that Sound gives.
const SoundRate = parse.SoundRate

// Sound decodes an audio or video file in a child process and gives what is
// heard in it, mono, at most a second at a time; each must not keep the samples.
// While each works the child waits, and opt.Timeout counts. Beyond most, the
// length that is wanted, it is fault.Invalid. Other errors are those of Parse,
// and each's own. Options.MaxText and Each are of no account.
func Sound(ctx context.Context, opt Options, file io.Reader, name string, most time.Duration, each func(pcm []int16) error) error { //nolint:revive // as wide as Parse and what is done with the sound
	left := int64(most.Seconds() * SoundRate)
	pcm := make([]int16, 0, SoundRate)
	return run(ctx, opt.filled(), job{r: file, name: name, mode: "sound"}, func(rec record) error {
		if rec.Sound == nil {
			return nil
		}
		pcm = pcm[:0]
		for raw := rec.Sound; len(raw) >= 2; raw = raw[2:] {
			pcm = append(pcm, int16(binary.LittleEndian.Uint16(raw)))
		}
		if left -= int64(len(pcm)); left < 0 {
			return fmt.Errorf("%q is longer than %v: cut it and upload the parts: %w", name, most, fault.Invalid)
		}
		return each(pcm)
	})
}
