package speech

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/wire"
)

// Fetched renders each clause by a request whose answer is its sound.
type Fetched func(ctx context.Context, text string) (*wire.Incoming, error)

// Render implements Renderer.
func (f Fetched) Render(ctx context.Context, text string, emit func(Sound) error) error {
	in, err := f(ctx, text)
	if err != nil {
		return err
	}
	defer func() { _ = in.Body.Close() }() // read only
	switch in.Type {
	case "application/json", "text/html", "text/plain":
		return fmt.Errorf("the answer is %s and no sound: %w", in.Type, fault.Unavailable)
	}
	rate, _ := strconv.Atoi(in.Params["rate"]) // 0 = as agreed
	buf := make([]byte, 8<<10)
	for {
		n, err := in.Body.Read(buf)
		if n > 0 {
			if err := emit(Sound{PCM: buf[:n], RateHz: rate}); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// Close implements Renderer: requests leave nothing behind.
func (f Fetched) Close() {}

// Pace checks the speed of a voice, 0 meaning 1, against what the vendor takes.
func Pace(vendor string, v provider.Voice, least, most float64) (float64, error) {
	rate := v.Rate
	if rate == 0 {
		rate = 1
	}
	if !(rate >= least && rate <= most) {
		return 0, fmt.Errorf("%s: a rate of %v is not between %v and %v: %w", vendor, v.Rate, least, most, fault.Invalid)
	}
	return rate, nil
}

// Hears checks the format of a stream.
func Hears(vendor string, f provider.Format) error {
	if f.RateHz != Rate {
		return fmt.Errorf("%s: hears %d Hz, not %d: %w", vendor, Rate, f.RateHz, fault.Invalid)
	}
	return nil
}
