package node

import (
	"context"
	"iter"

	"flametree/gateway/api"
	"flametree/gateway/auth"
	"flametree/gateway/ws"
)

var (
	_ api.Calls = chat{}
	_ ws.Sounds = chat{}
)

// Call implements api.Calls.
func (c chat) Call(ctx context.Context, a auth.Agent, id string) (api.Call, error) {
	if err := c.ofAgent(ctx, a, id); err != nil {
		return api.Call{}, err
	}
	card, err := c.n.CallShow(ctx, id)
	if err != nil {
		return api.Call{}, err
	}
	out := api.Call{
		SessionID: card.Session, CallID: card.Call, Direction: card.Direction, Status: card.Status, Over: card.Over,
		Codec: card.Codec, BandHz: card.BandHz, Quality: card.Quality, Received: card.Received, Lost: card.Lost,
		Story: []api.CallMoment{}, Turns: []api.CallTurnBar{},
	}
	for _, s := range card.Story {
		out.Story = append(out.Story, api.CallMoment{AtMS: ms(s.At), What: s.What})
	}
	for _, t := range card.Turns {
		bar := api.CallTurnBar{Turn: t.Turn, Heard: t.Heard, Said: t.Said, WholeMS: ms(t.Whole), Waited: t.Waited, Stages: []api.CallStage{}}
		for _, s := range t.Stages {
			bar.Stages = append(bar.Stages, api.CallStage{Name: s.Name, TookMS: ms(s.Took)})
		}
		out.Turns = append(out.Turns, bar)
	}
	return out, nil
}

// Ladder implements api.Calls.
func (c chat) Ladder(ctx context.Context, a auth.Agent, id string) (api.Ladder, error) {
	if err := c.ofAgent(ctx, a, id); err != nil {
		return api.Ladder{}, err
	}
	l, err := c.n.CallLadder(ctx, id)
	if err != nil {
		return api.Ladder{}, err
	}
	out := api.Ladder{SessionID: l.Session, Live: l.Live, Messages: []api.Signal{}}
	for _, s := range l.Signals {
		out.Messages = append(out.Messages, api.Signal{
			At: s.At, Out: s.Out, Transport: s.Transport, From: s.From.String(), To: s.To.String(), Text: s.Text, Dropped: s.Dropped,
		})
	}
	return out, nil
}

// Listen implements ws.Sounds.
func (c chat) Listen(ctx context.Context, a auth.Agent, id, by string) (int, iter.Seq[[]byte], error) {
	if err := c.ofAgent(ctx, a, id); err != nil {
		return 0, nil, err
	}
	s, err := c.n.CallListen(ctx, id, by)
	if err != nil {
		return 0, nil, err
	}
	return s.RateHz, func(yield func([]byte) bool) {
		defer s.Stop()
		for {
			select {
			case frame := <-s.Frames:
				if !yield(frame) {
					return
				}
			case <-s.Over:
				return
			case <-ctx.Done():
				return
			}
		}
	}, nil
}
