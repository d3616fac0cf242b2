package chat

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"

	"flametree/bench/rig"
	"flametree/engine/fault"
)

// client speaks the Chat API over kept-alive connections. It is safe for
// concurrent use.
type client struct {
	http  *http.Client
	base  string
	token string
	form  string // content type of message
	body  []byte // of a message
}

func newClient(r rig.Ready, connections int) (*client, error) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	if err := w.WriteField("message", "When is the post office open on a Tuesday?"); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return &client{
		http: &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections, DisableCompression: true,
		}},
		base: "http://" + r.HTTP + "/chatbot/" + r.Agent.ID + "/session", token: r.Agent.Token,
		form: w.FormDataContentType(), body: body.Bytes(),
	}, nil
}

func (c *client) close() { c.http.CloseIdleConnections() }

// open makes a session and gives its id.
func (c *client) open(ctx context.Context, user string) (string, error) {
	var made struct {
		ID string `json:"session_id"`
	}
	err := c.post(ctx, c.base, "application/json", []byte(`{"user_id":"`+user+`"}`), &made)
	return made.ID, err
}

// say takes one turn.
func (c *client) say(ctx context.Context, session string) error {
	var reply struct {
		Response string `json:"response"`
	}
	err := c.post(ctx, c.base+"/"+session+"/run_v2", c.form, c.body, &reply)
	if err == nil && reply.Response == "" {
		err = fmt.Errorf("the agent answered nothing: %w", fault.Bug)
	}
	return err
}

func (c *client) post(ctx context.Context, url, form string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", form)
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(res.Body)
	_ = res.Body.Close() // it was read to its end
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s: %w", res.Status, answer, fault.Unavailable)
	}
	return json.Unmarshal(answer, into)
}
