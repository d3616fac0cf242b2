package wire

import (
	"time"

	"flametree/engine/event"
	"flametree/engine/event/wire/pb"
)

// lineBody maps what happens on the line of a call besides talk.
func lineBody(e event.Event, s *sealing) message {
	switch e := e.(type) {
	case event.CallProgressed:
		return &pb.CallProgressed{Stage: e.Stage, Code: e.Code, OffsetNs: int64(e.Offset)}
	case event.CallScreened:
		return &pb.CallScreened{
			Verdict: e.Verdict,
			Why:     e.Why,
			Heard:   s.text(e.Heard),
			TookNs:  int64(e.Took),
			BeepNs:  int64(e.Beep),
		}
	case event.VoicemailLeft:
		return &pb.VoicemailLeft{Text: s.text(e.Text), Beep: e.Beep, Whole: e.Whole, OffsetNs: int64(e.Offset)}
	case event.TransferBegun:
		return &pb.TransferBegun{
			Mode:     e.Mode,
			Name:     e.Name,
			Target:   s.text(e.Target),
			Summary:  s.text(e.Summary),
			OffsetNs: int64(e.Offset),
		}
	case event.TransferFailed:
		return &pb.TransferFailed{Reason: e.Reason, Code: e.Code, OffsetNs: int64(e.Offset)}
	case event.TransferCompleted:
		return &pb.TransferCompleted{Mode: e.Mode, Name: e.Name, Joined: e.Joined, OffsetNs: int64(e.Offset)}
	case event.RecordingPaused:
		return &pb.RecordingPaused{Reason: e.Reason, OffsetNs: int64(e.Offset)}
	case event.RecordingResumed:
		return &pb.RecordingResumed{OffsetNs: int64(e.Offset)}
	case event.RecordingDeleted:
		return &pb.RecordingDeleted{Blob: e.Blob, Reason: e.Reason}
	case event.CallObserved:
		return &pb.CallObserved{By: e.By, What: e.What, On: e.On, OffsetNs: int64(e.Offset), KeptNs: int64(e.Kept)}
	case event.CallTraced:
		return &pb.CallTraced{Blob: e.Blob, Messages: e.Messages, Signals: s.text(e.Signals)}
	case event.OperatorWhispered:
		return &pb.OperatorWhispered{By: e.By, Text: s.text(e.Text)}
	default: // of another file
	}
	return nil
}

func lineEvent(k event.Kind, b []byte, o *opening) (event.Event, error) {
	switch k {
	case event.CallProgressed{}.Kind():
		return read(b, func(m *pb.CallProgressed) event.Event {
			return event.CallProgressed{Stage: m.Stage, Code: m.Code, Offset: time.Duration(m.OffsetNs)}
		})
	case event.CallScreened{}.Kind():
		return read(b, func(m *pb.CallScreened) event.Event {
			return event.CallScreened{
				Verdict: m.Verdict,
				Why:     m.Why,
				Heard:   o.text(m.Heard),
				Took:    time.Duration(m.TookNs),
				Beep:    time.Duration(m.BeepNs),
			}
		})
	case event.VoicemailLeft{}.Kind():
		return read(b, func(m *pb.VoicemailLeft) event.Event {
			return event.VoicemailLeft{Text: o.text(m.Text), Beep: m.Beep, Whole: m.Whole, Offset: time.Duration(m.OffsetNs)}
		})
	default:
		return watchEvent(k, b, o)
	}
}

// watchEvent is lineEvent for transfers, recordings and onlookers.
func watchEvent(k event.Kind, b []byte, o *opening) (event.Event, error) {
	switch k {
	case event.TransferBegun{}.Kind():
		return read(b, func(m *pb.TransferBegun) event.Event {
			return event.TransferBegun{
				Mode:    m.Mode,
				Name:    m.Name,
				Target:  o.text(m.Target),
				Summary: o.text(m.Summary),
				Offset:  time.Duration(m.OffsetNs),
			}
		})
	case event.TransferFailed{}.Kind():
		return read(b, func(m *pb.TransferFailed) event.Event {
			return event.TransferFailed{Reason: m.Reason, Code: m.Code, Offset: time.Duration(m.OffsetNs)}
		})
	case event.TransferCompleted{}.Kind():
		return read(b, func(m *pb.TransferCompleted) event.Event {
			return event.TransferCompleted{Mode: m.Mode, Name: m.Name, Joined: m.Joined, Offset: time.Duration(m.OffsetNs)}
		})
	case event.RecordingPaused{}.Kind():
		return read(b, func(m *pb.RecordingPaused) event.Event {
			return event.RecordingPaused{Reason: m.Reason, Offset: time.Duration(m.OffsetNs)}
		})
	case event.RecordingResumed{}.Kind():
		return read(b, func(m *pb.RecordingResumed) event.Event {
			return event.RecordingResumed{Offset: time.Duration(m.OffsetNs)}
		})
	case event.RecordingDeleted{}.Kind():
		return read(b, func(m *pb.RecordingDeleted) event.Event {
			return event.RecordingDeleted{Blob: m.Blob, Reason: m.Reason}
		})
	case event.CallObserved{}.Kind():
		return read(b, func(m *pb.CallObserved) event.Event {
			return event.CallObserved{
				By:     m.By,
				What:   m.What,
				On:     m.On,
				Offset: time.Duration(m.OffsetNs),
				Kept:   time.Duration(m.KeptNs),
			}
		})
	case event.CallTraced{}.Kind():
		return read(b, func(m *pb.CallTraced) event.Event {
			return event.CallTraced{Blob: m.Blob, Messages: m.Messages, Signals: o.text(m.Signals)}
		})
	case event.OperatorWhispered{}.Kind():
		return read(b, func(m *pb.OperatorWhispered) event.Event {
			return event.OperatorWhispered{By: m.By, Text: o.text(m.Text)}
		})
	}
	return nil, nil
}
