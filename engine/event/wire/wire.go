// Package wire turns events into the bytes that the journal keeps and back. It
// seals every Private field with its person's key on the way. It decides
// nothing about events, stores nothing and draws no chance: keys and nonces are
// given in. Folder pb holds generated code that nobody but this package sees.
package wire

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"flametree/engine/event"
	"flametree/engine/event/wire/pb"
	"flametree/engine/fault"
	"flametree/engine/tenant"
)

//go:generate sh -c "cd ../../.. && protoc --proto_path=. --go_out=. --go_opt=module=flametree --go-vtproto_out=. --go-vtproto_opt=module=flametree,features=marshal+unmarshal+size engine/event/wire/events.proto"

// message is what vtprotobuf generates for every body.
type message interface {
	SizeVT() int
	MarshalToSizedBufferVT(b []byte) (int, error)
}

// Encode writes env without its Position and Hash, which are known only when it
// is committed. The time loses what is finer than a microsecond. An event of a
// type that this package does not map, or private text without a Subject, is
// fault.Invalid; an error of s is passed on.
func Encode(env event.Envelope, s Sealer) ([]byte, error) { return Append(nil, env, s) }

// Append is Encode behind what is in b already.
func Append(b []byte, env event.Envelope, s Sealer) ([]byte, error) {
	seal := sealing{place: placeOf(&env), keys: s}
	body, err := bodyOf(env.Body, &seal)
	if err != nil {
		return nil, err
	}
	if seal.err != nil {
		return nil, fmt.Errorf("seal %s: %w", env.Body.Kind(), seal.err)
	}
	kind := env.Body.Kind()
	m := pb.Envelope{
		Id: env.ID[:], Kind: string(kind),
		Tenant: env.Stream.Tenant[:], StreamKind: string(env.Stream.Kind), StreamId: env.Stream.ID,
		Seq: env.Seq, TimeUs: env.Time.UnixMicro(), Epoch: env.Epoch,
		Cause: env.Cause[:], Subject: env.Subject, Key: seal.key.ID,
	}
	// The body is the envelope's last field: written behind the others, it needs
	// no memory of its own.
	head, tail := m.SizeVT(), body.SizeVT()
	b = slices.Grow(b, head+tail+1+binary.MaxVarintLen64)
	b = b[:len(b)+head]
	_, err = m.MarshalToSizedBufferVT(b[len(b)-head:])
	if err == nil && tail > 0 {
		b = binary.AppendUvarint(append(b, bodyTag), uint64(tail))
		b = b[:len(b)+tail]
		_, err = body.MarshalToSizedBufferVT(b[len(b)-tail:])
	}
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", kind, err)
	}
	return b, nil
}

// bodyTag is field 12, length-delimited.
const bodyTag = 12<<3 | 2

// Decode reads what Encode wrote. Position and Hash stay zero. Fields whose key
// is gone read as Erased. Bytes that Encode cannot have written are
// fault.Invalid, and so is a kind that this build does not know: the error
// names it. The envelope shares no memory with b.
func Decode(b []byte, o Opener) (event.Envelope, error) {
	var m pb.Envelope
	if err := m.UnmarshalVT(b); err != nil {
		return event.Envelope{}, fmt.Errorf("decode envelope: %w: %w", err, fault.Invalid)
	}
	env := event.Envelope{
		Stream: event.Stream{Kind: event.StreamKind(m.StreamKind), ID: m.StreamId},
		Seq:    m.Seq, Time: time.UnixMicro(m.TimeUs).UTC(), Epoch: m.Epoch, Subject: m.Subject,
	}
	if len(m.Id) != len(event.ID{}) || len(m.Cause) != len(event.ID{}) || len(m.Tenant) != len(tenant.ID{}) {
		return event.Envelope{}, fmt.Errorf("decode envelope of %q: id, cause or tenant is not 16 bytes: %w", m.Kind, fault.Invalid)
	}
	copy(env.ID[:], m.Id)
	copy(env.Cause[:], m.Cause)
	copy(env.Stream.Tenant[:], m.Tenant)
	open := opening{place: placeOf(&env), key: m.Key, keys: o}
	body, err := eventOf(event.Kind(m.Kind), m.Body, &open)
	if err != nil {
		return event.Envelope{}, err
	}
	if open.err != nil {
		return event.Envelope{}, fmt.Errorf("open %s: %w", m.Kind, open.err)
	}
	env.Body = body
	return env, nil
}

// Kinds lists every kind that Encode writes and Decode reads.
func Kinds() []event.Kind {
	return []event.Kind{
		event.TenantCreated{}.Kind(),
		event.AgentCreated{}.Kind(), event.AgentSaved{}.Kind(), event.AgentPublished{}.Kind(),
		event.AgentStarted{}.Kind(), event.AgentStopped{}.Kind(),
		event.CallOffered{}.Kind(), event.CallAnswered{}.Kind(), event.CallHeld{}.Kind(), event.CallResumed{}.Kind(),
		event.CallDigit{}.Kind(), event.CallEnded{}.Kind(), event.CallInputs{}.Kind(), event.RecordingClosed{}.Kind(),
		event.SessionCreated{}.Kind(), event.SessionUpdated{}.Kind(), event.SessionHandedOver{}.Kind(),
		event.SessionEnded{}.Kind(), event.MessageReceived{}.Kind(), event.UtteranceHeard{}.Kind(),
		event.ReplyStarted{}.Kind(), event.ReplySent{}.Kind(), event.ReplySpoken{}.Kind(), event.ReplyLost{}.Kind(),
		event.ModelAnswered{}.Kind(), event.ResultsExtracted{}.Kind(), event.ResultSet{}.Kind(),
		event.StateEntered{}.Kind(), event.ToolCalled{}.Kind(), event.ToolAnswered{}.Kind(), event.TurnTimed{}.Kind(),
		event.SkillRan{}.Kind(), event.QuestionUnanswered{}.Kind(), event.CustomerVerified{}.Kind(), event.GuardHit{}.Kind(),
		event.HistorySummarised{}.Kind(), event.SuggestionMade{}.Kind(), event.AgentDrafted{}.Kind(),
		event.SourceCreated{}.Kind(), event.SourceSaved{}.Kind(), event.SourceIndexing{}.Kind(), event.SourceIndexed{}.Kind(),
		event.SourceFailed{}.Kind(), event.SourceStopped{}.Kind(), event.SourceConnected{}.Kind(),
		event.SourceDisconnected{}.Kind(), event.SourceRemoved{}.Kind(), event.QuestionResolved{}.Kind(),
		event.CallSpeechChanged{}.Kind(), event.CallReplaced{}.Kind(), event.CallProgressed{}.Kind(), event.CallScreened{}.Kind(), event.VoicemailLeft{}.Kind(),
		event.TransferBegun{}.Kind(), event.TransferFailed{}.Kind(), event.TransferCompleted{}.Kind(),
		event.RecordingPaused{}.Kind(), event.RecordingResumed{}.Kind(), event.RecordingDeleted{}.Kind(), event.CallObserved{}.Kind(),
		event.CallTraced{}.Kind(), event.OperatorWhispered{}.Kind(), event.ConnectionCreated{}.Kind(), event.ConnectionSaved{}.Kind(),
		event.ConnectionStarted{}.Kind(), event.ConnectionStopped{}.Kind(), event.ConnectionReported{}.Kind(),
		event.ConnectionAttached{}.Kind(), event.ConnectionDetached{}.Kind(), event.ConnectionRemoved{}.Kind(),
		event.CatalogCreated{}.Kind(), event.CatalogChanged{}.Kind(), event.ProductsPut{}.Kind(), event.ProductsRemoved{}.Kind(),
		event.CatalogConnected{}.Kind(), event.CatalogDisconnected{}.Kind(), event.CatalogInvited{}.Kind(),
		event.InvitationsReset{}.Kind(), event.CatalogRemoved{}.Kind(),
		event.ResultsMailed{}.Kind(),
	}
}

// bodyOf finds the message of e. The families are asked one after the other.
func bodyOf(e event.Event, s *sealing) (message, error) {
	if e == nil {
		return nil, fmt.Errorf("encode: an envelope without an event: %w", fault.Invalid)
	}
	for _, family := range []func(event.Event, *sealing) message{
		talkBody, sessionBody, callBody, deedBody, agentBody, sourceBody, lineBody, connectionBody, catalogBody, mailBody,
	} {
		if m := family(e, s); m != nil {
			return m, nil
		}
	}
	return nil, fmt.Errorf("encode: unknown event kind %q: %w", e.Kind(), fault.Invalid)
}

// eventOf reads the body of a known kind.
func eventOf(k event.Kind, b []byte, o *opening) (event.Event, error) {
	for _, family := range []func(event.Kind, []byte, *opening) (event.Event, error){
		talkEvent, sessionEvent, callEvent, deedEvent, agentEvent, sourceEvent, lineEvent, connectionEvent, catalogEvent, mailEvent,
	} {
		e, err := family(k, b, o)
		if err != nil {
			return nil, fmt.Errorf("decode %s: %w: %w", k, err, fault.Invalid)
		}
		if e != nil {
			return e, nil
		}
	}
	return nil, fmt.Errorf("decode: unknown event kind %q: %w", k, fault.Invalid)
}

// body is a generated message as a pointer to M.
type body[M any] interface {
	*M
	UnmarshalVT(b []byte) error
}

// read parses b as an M and turns it into an event.
func read[M any, P body[M]](b []byte, to func(*M) event.Event) (event.Event, error) {
	m := new(M)
	if err := P(m).UnmarshalVT(b); err != nil {
		return nil, err
	}
	return to(m), nil
}
