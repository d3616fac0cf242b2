package parse

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"

	"flametree/engine/fault"
)

// SoundRate is the rate of what Sound gives.
const SoundRate = 16000

// containers are the forms of files that sound is taken out of, by ffmpeg's
// names. Lists of other files (concat, hls, dash) are not among them: they would
// name files of this machine.
const containers = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,wav,w64,aiff,mp3,aac,flac,ogg,asf,mpeg,mpegts,flv,caf,amr"

// Sound decodes the first sound of an audio or video file with ffmpeg and gives
// it as mono samples, a second at a time; each must not keep them. A file
// without sound, and one that is damaged before its first sound, are
// fault.Invalid. What comes after damage is left out.
func Sound(ctx context.Context, in Input, each func(pcm []int16) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var said bounded
	// No video is decoded, nothing is asked, nothing but this file is opened.
	c := program(ctx, &said, "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error",
		"-protocol_whitelist", "file", "-format_whitelist", containers, "-i", "file:"+in.Path,
		"-map", "0:a:0", "-vn", "-sn", "-dn", "-ac", "1", "-ar", fmt.Sprint(SoundRate), "-threads", "1", "-f", "s16le", "pipe:1")
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return soundTrouble(ctx, err, said.text)
	}
	heard, err := samples(out, each)
	if err != nil {
		cancel()
		_ = c.Wait() // it was ended
		return err
	}
	if err := c.Wait(); err != nil && (heard == 0 || overspent(err)) {
		return soundTrouble(ctx, err, said.text)
	}
	if heard == 0 {
		return fmt.Errorf("nothing is to be heard in the file: %w", fault.Invalid)
	}
	return nil
}

// samples reads whole seconds, and what is left at the end.
func samples(r io.Reader, each func([]int16) error) (heard int, err error) {
	raw, pcm := make([]byte, 2*SoundRate), make([]int16, SoundRate)
	for {
		n, err := io.ReadFull(r, raw)
		for i := range n / 2 {
			pcm[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
		}
		if n >= 2 {
			heard += n / 2
			if err := each(pcm[:n/2]); err != nil {
				return heard, err
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return heard, nil
		case err != nil:
			return heard, fmt.Errorf("read what ffmpeg decodes: %w: %w", err, fault.Unavailable)
		}
	}
}

// overspent reports whether a program was ended by a limit.
func overspent(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return false
	}
	w, ok := exit.Sys().(syscall.WaitStatus)
	return ok && w.Signaled()
}

func soundTrouble(ctx context.Context, err error, said string) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("ffmpeg is not installed: install it, or give the text of the recording: %w", fault.Unavailable)
	case overspent(err), strings.Contains(said, "Cannot allocate memory"):
		return fmt.Errorf("the recording needs more memory or time to be decoded than it may: cut it and upload the parts: %w", fault.Invalid)
	case strings.Contains(said, "matches no streams"):
		return fmt.Errorf("the file holds no sound: %w", fault.Invalid)
	}
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("the file is no recording that is known here, or it is damaged: save it as MP3, WAV or MP4 and upload it anew: %w", fault.Invalid)
	}
	return fmt.Errorf("ffmpeg could not be run (%w): %w", err, fault.Unavailable)
}
