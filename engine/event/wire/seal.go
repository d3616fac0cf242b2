package wire

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"

	"flametree/engine/event"
	"flametree/engine/event/wire/pb"
	"flametree/engine/fault"
	"flametree/engine/tenant"
)

// nonceSize is that of AES-GCM.
const nonceSize = 12

// Key is one person's data key. ID tells it from another key that the same
// person had before or gets after being forgotten; it is never 0.
type Key struct {
	ID   uint64
	AEAD cipher.AEAD // AES-256-GCM
}

// Sealer gives Encode what sealing needs.
type Sealer interface {
	// SealKey finds the key of subject, or makes it.
	SealKey(t tenant.ID, subject string) (Key, error)
	// Nonce fills b, 12 bytes, with what was never used with the key before.
	Nonce(b []byte)
}

// Opener gives Decode what opening needs.
type Opener interface {
	// OpenKey finds the subject's key of that ID; ok is false once it is gone.
	OpenKey(t tenant.ID, subject string, id uint64) (aead cipher.AEAD, ok bool, err error)
}

// place is where a sealed text stands and whose it is.
type place struct {
	stream  event.Stream
	seq     uint64
	subject string
}

func placeOf(env *event.Envelope) place {
	return place{stream: env.Stream, seq: env.Seq, subject: env.Subject}
}

// aad binds a sealed text to its place: it opens nowhere else.
func (p *place) aad(b []byte) []byte {
	b = append(b, p.stream.Tenant[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(p.stream.Kind)))
	b = append(b, p.stream.Kind...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(p.stream.ID)))
	b = append(b, p.stream.ID...)
	return binary.BigEndian.AppendUint64(b, p.seq)
}

// sealing seals the fields of one event. It keeps the first error, so that the
// mapping reads like a list of fields.
type sealing struct {
	place
	keys Sealer
	key  Key    // found at the first text that needs it
	data []byte // what aad gives
	err  error
	room [96]byte // for data
}

func (s *sealing) text(p event.Private) *pb.Sealed {
	switch {
	case p.Erased:
		return &pb.Sealed{Erased: true}
	case p.Text == "" || s.err != nil:
		return nil
	}
	if s.key.AEAD == nil && !s.find() {
		return nil
	}
	// Nonce and text lie in one piece of memory; the text is sealed in place.
	b := make([]byte, nonceSize, nonceSize+len(p.Text)+s.key.AEAD.Overhead())
	s.keys.Nonce(b)
	nonce, text := b, append(b, p.Text...)[nonceSize:]
	return &pb.Sealed{Nonce: nonce, Bytes: s.key.AEAD.Seal(text[:0], nonce, text, s.data)}
}

func (s *sealing) find() bool {
	if s.subject == "" {
		s.err = fmt.Errorf("private text without a subject: %w", fault.Invalid)
		return false
	}
	if s.keys == nil {
		s.err = fmt.Errorf("private text but nothing to seal it with: %w", fault.Bug)
		return false
	}
	s.key, s.err = s.keys.SealKey(s.stream.Tenant, s.subject)
	s.data = s.aad(s.room[:0])
	return s.err == nil
}

// maybe keeps a nil field nil and an empty one present.
func (s *sealing) maybe(p *event.Private) *pb.Sealed {
	if p == nil {
		return nil
	}
	if m := s.text(*p); m != nil {
		return m
	}
	return &pb.Sealed{}
}

func (s *sealing) list(ps []event.Private) []*pb.Sealed {
	if len(ps) == 0 {
		return nil
	}
	ms := make([]*pb.Sealed, len(ps))
	for i, p := range ps {
		ms[i] = s.text(p)
	}
	return ms
}

func (s *sealing) pairs(ps []event.PrivatePair) []*pb.SealedPair {
	if len(ps) == 0 {
		return nil
	}
	ms := make([]*pb.SealedPair, len(ps))
	for i, p := range ps {
		ms[i] = &pb.SealedPair{Key: p.Key, Value: s.text(p.Value)}
	}
	return ms
}

// opening is sealing the other way round.
type opening struct {
	place
	key   uint64
	keys  Opener
	aead  cipher.AEAD
	data  []byte // what aad gives
	asked bool
	err   error
	room  [96]byte // for data
}

func (o *opening) text(m *pb.Sealed) event.Private {
	switch {
	case m == nil:
		return event.Private{}
	case m.Erased:
		return event.Private{Erased: true}
	case len(m.Bytes) == 0 && len(m.Nonce) == 0, o.err != nil:
		return event.Private{}
	case len(m.Nonce) != nonceSize:
		o.err = fmt.Errorf("a nonce of %d bytes: %w", len(m.Nonce), fault.Invalid)
		return event.Private{}
	}
	if !o.asked {
		o.find()
	}
	switch {
	case o.err != nil:
		return event.Private{}
	case o.aead == nil:
		return event.Private{Erased: true}
	}
	plain, err := o.aead.Open(nil, m.Nonce, m.Bytes, o.data)
	if err != nil {
		o.err = errors.Join(errors.New("sealed text does not open at its place"), err, fault.Invalid)
		return event.Private{}
	}
	return event.P(string(plain))
}

func (o *opening) find() {
	o.asked = true
	if o.keys == nil {
		return
	}
	aead, ok, err := o.keys.OpenKey(o.stream.Tenant, o.subject, o.key)
	if err != nil {
		o.err = err
	} else if ok {
		o.aead, o.data = aead, o.aad(o.room[:0])
	}
}

func (o *opening) maybe(m *pb.Sealed) *event.Private {
	if m == nil {
		return nil
	}
	p := o.text(m)
	return &p
}

func (o *opening) list(ms []*pb.Sealed) []event.Private {
	if len(ms) == 0 {
		return nil
	}
	ps := make([]event.Private, len(ms))
	for i, m := range ms {
		ps[i] = o.text(m)
	}
	return ps
}

func (o *opening) pairs(ms []*pb.SealedPair) []event.PrivatePair {
	if len(ms) == 0 {
		return nil
	}
	ps := make([]event.PrivatePair, len(ms))
	for i, m := range ms {
		ps[i] = event.PrivatePair{Key: m.Key, Value: o.text(m.Value)}
	}
	return ps
}
