package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"flametree/gateway/httpd"
)

// maxText bounds the text of a message in bytes; how many characters an agent
// takes (MAX_MESSAGE_CHARS) is decided behind Sessions.
const maxText = 256 << 10

type runIn struct {
	InSession
	Key string `header:"Idempotency-Key" maxLength:"128" doc:"Makes a repeated message harmless."`
}

type runOut struct {
	MessageID string `header:"Flametree-Message-Id" doc:"Id of the reply in the conversation's log."`
	Body      replyBody
}

func (c *chat) messages() {
	op := also(c.operation("run", http.MethodPost, "/session/{session}/run_v2", "Send a message"),
		http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusTooManyRequests)
	op.Tags = []string{"Messages"}
	op.Description = "Hands over a message and waits for the final reply. For a reply in pieces use the socket."
	// The form is read part by part by us, so that each file is bounded by itself.
	op.Middlewares = huma.Middlewares{c.authorise}
	op.Metadata[httpd.BodyLimit] = maxAttachments*c.o.MaxAttach + 1<<20
	op.Metadata[httpd.TimeLimit] = c.o.RunTime
	register(c, op, c.run)
	// Written into the document only: huma would want to parse what it describes.
	c.api.OpenAPI().Paths[op.Path].Post.RequestBody = &huma.RequestBody{
		Required: true,
		Content: map[string]*huma.MediaType{"multipart/form-data": {Schema: &huma.Schema{
			Type: huma.TypeObject, Required: []string{"message"},
			Properties: map[string]*huma.Schema{
				"message":   {Type: huma.TypeString, Description: "What the customer wrote."},
				"client_id": {Type: huma.TypeString, Description: "Your id of the message: a repeated one is not taken twice."},
				"attachments": {
					Type: huma.TypeArray, Description: fmt.Sprintf("At most %d files of %d MB.", maxAttachments, c.o.MaxAttach>>20),
					Items: &huma.Schema{Type: huma.TypeString, Format: "binary"},
				},
			},
		}}},
	}
}

func (c *chat) run(ctx context.Context, in *runIn) (*runOut, error) {
	m, err := c.form(httpd.RequestOf(ctx))
	if err != nil {
		return nil, err
	}
	if m.ClientID == "" {
		m.ClientID = in.Key
	}
	reply, err := c.o.Sessions.Run(ctx, agentOf(ctx), in.Session, m)
	if err != nil {
		return nil, err
	}
	return &runOut{MessageID: reply.MessageID, Body: replyBody{
		Response: reply.Response, Metadata: replyMeta{Mode: reply.Mode, Options: reply.Options},
	}}, nil
}

// form reads a message from a multipart body. Parts nobody documented are
// skipped.
func (c *chat) form(r *httpd.Request) (Message, error) {
	media, params, err := mime.ParseMediaType(r.Header("Content-Type"))
	if err != nil || media != "multipart/form-data" {
		return Message{}, httpd.Refuse(http.StatusUnsupportedMediaType, "unsupported_media_type",
			"send the message as multipart/form-data", httpd.Located{Location: "header.Content-Type", Message: "expected multipart/form-data"})
	}
	if params["boundary"] == "" {
		return Message{}, httpd.Invalid("header.Content-Type", "the boundary is missing")
	}
	parts := multipart.NewReader(r.Body(), params["boundary"])
	var m Message
	given := false
	for {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Message{}, formError(err)
		}
		switch p.FormName() {
		case "message":
			given = true
			m.Text, err = text(r, p, "body.message", maxText)
		case "client_id":
			m.ClientID, err = text(r, p, "body.client_id", 128)
		case "attachments":
			m.Attachments, err = c.attach(r, p, m.Attachments)
		}
		if err != nil {
			return Message{}, err
		}
	}
	switch {
	case !given:
		return Message{}, httpd.Invalid("body.message", "required form field is missing")
	case blank(m.Text) && len(m.Attachments) == 0:
		return Message{}, httpd.Invalid("body.message", "must not be blank")
	}
	return m, nil
}

// text reads a part of at most limit bytes of UTF-8.
func text(r *httpd.Request, p *multipart.Part, location string, limit int64) (string, error) {
	b, err := read(r, p, location, limit)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(b) {
		return "", httpd.Invalid(location, "is not UTF-8")
	}
	return string(b), nil
}

func (c *chat) attach(r *httpd.Request, p *multipart.Part, have []Attachment) ([]Attachment, error) {
	location := fmt.Sprintf("body.attachments[%d]", len(have))
	if len(have) == maxAttachments {
		return nil, httpd.Invalid(location, fmt.Sprintf("at most %d files", maxAttachments))
	}
	b, err := read(r, p, location, c.o.MaxAttach)
	if err != nil {
		return nil, err
	}
	// The name is shown to people and never used as a path; the type is what the
	// bytes are, not what the sender says they are.
	name := path.Base(strings.ReplaceAll(p.FileName(), `\`, "/"))
	if !utf8.ValidString(name) || name == "." || name == "/" {
		name = "file"
	}
	return append(have, Attachment{Name: name, Type: http.DetectContentType(b), Data: b}), nil
}

// read reads one part of at most limit bytes.
func read(r *httpd.Request, p *multipart.Part, location string, limit int64) ([]byte, error) {
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(p, limit+1))
	if err != nil {
		return nil, formError(err)
	}
	if n > limit {
		return nil, httpd.Refuse(http.StatusRequestEntityTooLarge, "part_too_large",
			fmt.Sprintf("%s: larger than %d bytes", location, limit),
			httpd.Located{Location: location, Message: fmt.Sprintf("at most %d bytes", limit)})
	}
	return b.Bytes(), r.Hold(n)
}

// formError keeps a refusal of the body and calls the rest malformed.
func formError(err error) error {
	if p, ok := errors.AsType[*httpd.Problem](err); ok {
		return p
	}
	return httpd.Invalid("body", "malformed multipart form: "+err.Error())
}
