package wire

import (
	"time"

	"flametree/engine/event"
	"flametree/engine/event/wire/pb"
)

func callBody(e event.Event, s *sealing) message {
	switch e := e.(type) {
	case event.CallOffered:
		return &pb.CallOffered{
			Session: e.Session, Agent: e.Agent, Direction: e.Direction,
			From: s.text(e.From), To: s.text(e.To), SipCallId: e.SIPCallID, Transport: e.Transport,
		}
	case event.CallAnswered:
		return &pb.CallAnswered{Codec: e.Codec, BandHz: e.BandHz, Machine: pairs(e.Machine), Seed: e.Seed, BeganNs: e.Began}
	case event.CallHeld:
		return &pb.CallHeld{OffsetNs: int64(e.Offset)}
	case event.CallResumed:
		return &pb.CallResumed{OffsetNs: int64(e.Offset)}
	case event.CallDigit:
		return &pb.CallDigit{Digit: s.text(e.Digit), OffsetNs: int64(e.Offset)}
	case event.CallEnded:
		return &pb.CallEnded{
			Reason: e.Reason, By: e.By, Received: e.Received, Lost: e.Lost, Sent: e.Sent,
			JitterNs: int64(e.Jitter), TalkedNs: int64(e.Talked), Quality: e.Quality,
		}
	case event.CallSpeechChanged:
		return &pb.CallSpeechChanged{Role: e.Role, From: e.From, To: e.To, Fault: e.Fault, OffsetNs: int64(e.Offset)}
	case event.CallReplaced:
		return &pb.CallReplaced{
			How: e.How, From: s.text(e.From), SipCallId: e.SIPCallID, Transport: e.Transport, Codec: e.Codec, BandHz: e.BandHz,
			OffsetNs: int64(e.Offset),
		}
	case event.CallInputs:
		return &pb.CallInputs{Inputs: inputs(e.Inputs, s)}
	case event.RecordingClosed:
		return &pb.RecordingClosed{
			Blob: e.Blob, RateHz: e.RateHz, LengthNs: int64(e.Length), Bytes: e.Bytes, Cut: e.Cut,
			Peaks: e.Peaks, PausedNs: int64(e.Paused),
		}
	default: // of another file
	}
	return nil
}

func callEvent(k event.Kind, b []byte, o *opening) (event.Event, error) {
	switch k {
	case event.CallOffered{}.Kind():
		return read(b, func(m *pb.CallOffered) event.Event {
			return event.CallOffered{
				Session: m.Session, Agent: m.Agent, Direction: m.Direction,
				From: o.text(m.From), To: o.text(m.To), SIPCallID: m.SipCallId, Transport: m.Transport,
			}
		})
	case event.CallAnswered{}.Kind():
		return read(b, func(m *pb.CallAnswered) event.Event {
			return event.CallAnswered{Codec: m.Codec, BandHz: m.BandHz, Machine: unpair(m.Machine), Seed: m.Seed, Began: m.BeganNs}
		})
	case event.CallHeld{}.Kind():
		return read(b, func(m *pb.CallHeld) event.Event { return event.CallHeld{Offset: time.Duration(m.OffsetNs)} })
	case event.CallResumed{}.Kind():
		return read(b, func(m *pb.CallResumed) event.Event { return event.CallResumed{Offset: time.Duration(m.OffsetNs)} })
	case event.CallSpeechChanged{}.Kind():
		return read(b, func(m *pb.CallSpeechChanged) event.Event {
			return event.CallSpeechChanged{Role: m.Role, From: m.From, To: m.To, Fault: m.Fault, Offset: time.Duration(m.OffsetNs)}
		})
	case event.CallReplaced{}.Kind():
		return read(b, func(m *pb.CallReplaced) event.Event {
			return event.CallReplaced{
				How: m.How, From: o.text(m.From), SIPCallID: m.SipCallId, Transport: m.Transport, Codec: m.Codec, BandHz: m.BandHz,
				Offset: time.Duration(m.OffsetNs),
			}
		})
	case event.CallDigit{}.Kind():
		return read(b, func(m *pb.CallDigit) event.Event {
			return event.CallDigit{Digit: o.text(m.Digit), Offset: time.Duration(m.OffsetNs)}
		})
	case event.CallEnded{}.Kind():
		return read(b, func(m *pb.CallEnded) event.Event {
			return event.CallEnded{
				Reason: m.Reason, By: m.By, Received: m.Received, Lost: m.Lost, Sent: m.Sent,
				Jitter: time.Duration(m.JitterNs), Talked: time.Duration(m.TalkedNs), Quality: m.Quality,
			}
		})
	case event.CallInputs{}.Kind():
		return read(b, func(m *pb.CallInputs) event.Event { return event.CallInputs{Inputs: turnInputs(m.Inputs, o)} })
	case event.RecordingClosed{}.Kind():
		return read(b, func(m *pb.RecordingClosed) event.Event {
			return event.RecordingClosed{
				Blob: m.Blob, RateHz: m.RateHz, Length: time.Duration(m.LengthNs), Bytes: m.Bytes, Cut: m.Cut,
				Peaks: m.Peaks, Paused: time.Duration(m.PausedNs),
			}
		})
	}
	return nil, nil
}

func inputs(in []event.TurnInput, s *sealing) []*pb.TurnInput {
	if len(in) == 0 {
		return nil
	}
	ms := make([]*pb.TurnInput, len(in))
	for i, t := range in {
		ms[i] = &pb.TurnInput{
			OffsetNs: int64(t.Offset), Kind: t.Kind, Gen: t.Gen, Turn: t.Turn, Text: s.text(t.Text), Words: t.Words,
			Final: t.Final, PlayedNs: int64(t.Played), Extra: t.Extra, Decisions: t.Decisions,
		}
	}
	return ms
}

func turnInputs(ms []*pb.TurnInput, o *opening) []event.TurnInput {
	if len(ms) == 0 {
		return nil
	}
	in := make([]event.TurnInput, len(ms))
	for i, m := range ms {
		in[i] = event.TurnInput{
			Offset: time.Duration(m.OffsetNs), Kind: m.Kind, Gen: m.Gen, Turn: m.Turn, Text: o.text(m.Text), Words: m.Words,
			Final: m.Final, Played: time.Duration(m.PlayedNs), Extra: m.Extra, Decisions: m.Decisions,
		}
	}
	return in
}

func pairs(ps []event.Pair) []*pb.Pair {
	if len(ps) == 0 {
		return nil
	}
	ms := make([]*pb.Pair, len(ps))
	for i, p := range ps {
		ms[i] = &pb.Pair{Key: p.Key, Value: p.Value}
	}
	return ms
}

func unpair(ms []*pb.Pair) []event.Pair {
	if len(ms) == 0 {
		return nil
	}
	ps := make([]event.Pair, len(ms))
	for i, m := range ms {
		ps[i] = event.Pair{Key: m.Key, Value: m.Value}
	}
	return ps
}
