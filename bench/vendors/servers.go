package vendors

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"flametree/engine/provider/speechtest"
)

// ServerName is the argument with which a program becomes the servers.
const ServerName = "bench-vendors-servers"

// order asks for servers with these delays.
type order struct {
	Final, Sound time.Duration
}

// addresses are where the servers are, by vendor.
type addresses map[string]string

// drop cuts the sockets of a vendor.
type drop struct{ Vendor string }

func servers() map[string]*speechtest.Server {
	return map[string]*speechtest.Server{
		"azure": speechtest.Azure(), "cartesia": speechtest.Cartesia(), "deepgram": speechtest.Deepgram(),
		"elevenlabs": speechtest.ElevenLabs(), "google": speechtest.Google(), "openai": speechtest.OpenAI(), "openai_live": speechtest.OpenAI(),
	}
}

// Serve is the servers, until in ends.
func Serve(_ context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	if !lines.Scan() {
		return lines.Err()
	}
	var o order
	if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
		return fmt.Errorf("bench vendors: %w", err)
	}
	all, at := servers(), addresses{}
	var ends []func() error
	defer func() {
		for _, end := range ends {
			_ = end() // nobody listens any more
		}
	}()
	for name, s := range all {
		s.FinalAfter, s.SoundAfter, s.Endpoint = o.Final, o.Sound, 0
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("bench vendors: %w", err)
		}
		h := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second}
		ends = append(ends, h.Close)
		go func() { _ = h.Serve(ln) }() // it ends with Close
		at[name] = "http://" + ln.Addr().String()
	}
	tell := json.NewEncoder(out)
	if err := tell.Encode(at); err != nil {
		return err
	}
	for lines.Scan() {
		var d drop
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil || all[d.Vendor] == nil {
			return errors.Join(fmt.Errorf("bench vendors: %q is no vendor", d.Vendor), err)
		}
		all[d.Vendor].Drop()
		if err := tell.Encode(d); err != nil {
			return err
		}
	}
	for name, s := range all {
		if bad := s.Refused(); len(bad) > 0 {
			return fmt.Errorf("bench vendors: %s refused: %q", name, bad[0])
		}
	}
	return lines.Err()
}
