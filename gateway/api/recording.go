package api

import (
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"flametree/gateway/auth"
	"flametree/gateway/httpd"
)

// Recordings gives out what was recorded of calls.
type Recordings interface {
	// Recording opens the recording of a session. fault.NotFound when the session
	// is not the agent's, was not recorded, or its person was erased.
	Recording(ctx context.Context, a auth.Agent, id string) (Recording, error)
	// Peaks gives the outline of a recording, with the same errors.
	Peaks(ctx context.Context, a auth.Agent, id string) (Peaks, error)
}

// Recording is an open recording as a WAV file. Whoever is given it closes it.
type Recording struct {
	io.ReadSeekCloser
	Size int64
	Tag  string // another one for other sound
}

// Peaks is the outline of a recording.
type Peaks struct {
	StepMS int64 `json:"step_ms" doc:"How much of the call a point stands for."`
	Left   []int `json:"left" doc:"The caller: the loudest sample in each step, 0 to 255."`
	Right  []int `json:"right" doc:"The agent."`
}

type peaksOut struct{ Body Peaks }

type recordingIn struct {
	InSession
	Range string `header:"Range" doc:"One range of bytes."`
}

func (c *chat) recordings() {
	op := c.operation("get-recording", http.MethodGet, "/session/{session}/recording", "Listen to the call of a session")
	op.Tags = []string{"Sessions"}
	op.Description = "A WAV file, the caller left and the agent right. Ranges of bytes are answered, so that players can jump."
	op.Responses["200"] = sound("The whole recording.")
	op.Responses["206"] = sound("The range that was asked for.")
	register(c, op, func(ctx context.Context, in *recordingIn) (*huma.StreamResponse, error) {
		r, err := c.o.Recordings.Recording(ctx, agentOf(ctx), in.Session)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(h huma.Context) {
			httpd.RequestOf(h.Context()).Media("audio/wav", httpd.Media{ReadSeekCloser: r.ReadSeekCloser, Size: r.Size, Tag: r.Tag})
		}}, nil
	})
	op = c.operation("get-recording-peaks", http.MethodGet, "/session/{session}/recording/peaks", "See the outline of a recording")
	op.Tags = []string{"Sessions"}
	register(c, op, func(ctx context.Context, in *InSession) (*peaksOut, error) {
		p, err := c.o.Recordings.Peaks(ctx, agentOf(ctx), in.Session)
		if err != nil {
			return nil, err
		}
		return &peaksOut{Body: p}, nil
	})
}

func sound(what string) *huma.Response {
	return &huma.Response{
		Description: what,
		Content:     map[string]*huma.MediaType{"audio/wav": {Schema: &huma.Schema{Type: "string", Format: "binary"}}},
	}
}
