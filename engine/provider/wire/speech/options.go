package speech

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"time"

	"flametree/engine/fault"
	"flametree/engine/provider/wire"
)

// Options are what every vendor of speech can be told. The zero value is the
// vendor's own address without a key.
type Options struct {
	BaseURL string // http or https; "" = the vendor's own
	// Key gives the key, or a token where the vendor wants one. It is asked at each
	// connection and not kept. nil = none is sent.
	Key  func(ctx context.Context) (string, error)
	HTTP *http.Client  // nil = one of its own; the place for an egress guard
	Dial wire.Dialer   // for sockets; nil = that of HTTP's transport
	Idle time.Duration // most time without a byte of an answer; 0 = 10 s

	// Recognisers: how long the last words may take after Finalize while the vendor
	// says other things (0 = 4 s), and how long it may say nothing (0 = 3 s). The turn
	// machine does not wait for either: it has the vendor's p99.
	FinalWait, SilentAfter time.Duration
	// HoldWords is how long a voice may hold back the first sound of a clause until
	// the times of all its words are known; 0 = not at all.
	HoldWords time.Duration
}

// Client makes the vendor's client.
func (o Options) Client(vendor, address string, h http.Header) (*wire.Client, error) {
	if o.BaseURL != "" {
		address = o.BaseURL
	}
	return wire.New(wire.Options{Vendor: vendor, BaseURL: address, Header: h, HTTP: o.HTTP, Idle: orElse(o.Idle, 10*time.Second), Dial: o.Dial})
}

// Signed is out with the key of o in a header, after prefix.
func (o Options) Signed(ctx context.Context, out wire.Outgoing, header, prefix string) (wire.Outgoing, error) {
	if o.Key == nil {
		return out, nil
	}
	key, err := o.Key(ctx)
	if err != nil { // its text is not ours: it might hold the key
		return out, fmt.Errorf("the key could not be had: %w", orKind(err, fault.Denied))
	}
	if key == "" {
		return out, nil
	}
	h := http.Header{}
	maps.Copy(h, out.Header)
	h.Set(header, prefix+key)
	out.Header, out.Secret = h, key
	return out, nil
}

func orKind(err error, other fault.Kind) fault.Kind {
	if k := fault.KindOf(err); k != fault.Bug {
		return k
	}
	return other
}

func orElse(d, other time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return other
}
