package wire

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
)

// talking serves a socket that sends texts and then waits for its peer's end.
func talking(t *testing.T, texts ...string) string {
	t.Helper()
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := websocket.Upgrader{}
		c, err := u.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		for _, text := range texts {
			_ = c.WriteMessage(websocket.TextMessage, []byte(text))
		}
		for err == nil {
			_, _, err = c.ReadMessage()
		}
	}))
	t.Cleanup(h.Close)
	return h.URL
}

func nothing(*Messages) error { return nil }

// A conversation is one JSON value after the other. Whatever ends it has a kind,
// a regular end as well: nobody wanted one.
func TestMessagesEndWithAKind(t *testing.T) {
	m, err := client(t, Options{BaseURL: talking(t, `{"a":1}`, `{"a":`)}).Converse(t.Context(), Outgoing{}, nothing)
	require.NoError(t, err)
	defer m.Close()
	var v struct{ A int }
	require.NoError(t, m.Next(&v))
	require.Equal(t, 1, v.A)
	require.ErrorIs(t, m.Next(&v), fault.Unavailable, "what is no JSON")
	require.ErrorIs(t, m.Write(func() {}), fault.Unavailable, "what cannot be JSON")

	m, err = client(t, Options{BaseURL: closing(t, 1000, "bye")}).Converse(t.Context(), Outgoing{}, nothing)
	require.NoError(t, err)
	defer m.Close()
	err = m.Next(&v)
	require.ErrorIs(t, err, fault.Unavailable)
	require.NotErrorIs(t, err, io.EOF)
}

// Messages last as long as what they were opened for, and no longer.
func TestMessagesEndWithTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m, err := client(t, Options{BaseURL: talking(t)}).Converse(ctx, Outgoing{}, nothing)
	require.NoError(t, err)
	defer m.Close()
	cancel()
	require.ErrorIs(t, m.Next(new(any)), fault.Unavailable)
}

func TestMessagesThatDoNotBeginAreClosed(t *testing.T) {
	var opened *Messages
	no := errors.New("no")
	_, err := client(t, Options{BaseURL: talking(t)}).Converse(t.Context(), Outgoing{}, func(m *Messages) error {
		opened = m
		return no
	})
	require.ErrorIs(t, err, no)
	require.ErrorIs(t, opened.Next(new(any)), fault.Unavailable, "it would wait for ever")
}
