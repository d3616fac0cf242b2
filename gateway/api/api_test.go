package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flametree/engine/event"
	"flametree/gateway/api"
	"flametree/gateway/gatewaytest"
)

func TestMain(m *testing.M) { gatewaytest.Leaks(m) }

const documented = `{
 "user_id": "d7915d1e-8aea-41d2-a331-87d7cc4875da", "name": "John Smith", "email": "john.smith@example.com",
 "phone": "+1555123456", "type": "web", "args": [], "kwargs": {"user_profile_info": "Very important client", "big": 12345678901234567890},
 "user_info": {"userAgent": "Mozilla/5.0", "language": "en-US", "screenWidth": 1920, "screenHeight": 1080,
  "platform": "Win32", "isMobile": false, "timezone": "UTC"}}`

func TestCreateAnswersEveryDocumentedField(t *testing.T) {
	s := gatewaytest.Start(t, gatewaytest.New(), gatewaytest.Config{})
	a := s.JSON(t, "POST", "/chatbot/card/session", documented)
	require.Equal(t, 200, a.Status, string(a.Body))
	assert.JSONEq(t, `{
 "session_id": "s1", "session_type": "custom_stateful", "mode": "REGULAR", "conversation_id": "c1", "ext_type": "web",
 "user_id": "d7915d1e-8aea-41d2-a331-87d7cc4875da", "name": "John Smith", "email": "john.smith@example.com",
 "phone": "+1555123456", "channel_id": null, "timeout": 259200, "greeting_text": "Hello, this is Debit card.",
 "inbound_phrase": null, "start_phrase": null, "language": null, "llm_backend": "builtin", "show_thoughts": false,
 "conversation_result": null, "operator_id": null, "operator_name": null,
 "env_info": {"current_date": "2025-06-26 Thu", "tenant_id": "f1a30000-0000-0000-0000-000000000001"},
 "kwargs": {"user_profile_info": "Very important client", "big": 12345678901234567890,
  "tenant_id": "f1a30000-0000-0000-0000-000000000001"},
 "close_time": 1751191200.25, "voice_name": null}`, string(a.Body))
	assert.Contains(t, string(a.Body), "12345678901234567890", "large numbers must survive")
	assert.NotContains(t, string(a.Body), "$schema")
	assert.Equal(t, "application/json", a.Header.Get("Content-Type"))
	assert.NotEmpty(t, a.Header.Get("X-Request-Id"))
}

func TestTheSameKeyOpensTheSameSession(t *testing.T) {
	s := gatewaytest.Start(t, gatewaytest.New(), gatewaytest.Config{})
	one := s.JSON(t, "POST", "/chatbot/card/session", `{"user_id":"u"}`, "Idempotency-Key", "k1")
	two := s.JSON(t, "POST", "/chatbot/card/session", `{"user_id":"u"}`, "Idempotency-Key", "k1")
	assert.JSONEq(t, string(one.Body), string(two.Body))
}

func TestLifeOfASession(t *testing.T) {
	h := gatewaytest.New()
	s := gatewaytest.Start(t, h, gatewaytest.Config{})
	id := s.Session(t)
	path := "/chatbot/card/session/" + id

	a := s.JSON(t, "PUT", path, `{"name":"Ann","language":"de","phone":null,"kwargs":{"a":[1]}}`)
	require.Equal(t, 200, a.Status, string(a.Body))
	got := a.JSON(t)
	assert.Equal(t, "Ann", got["name"])
	assert.Equal(t, "de", got["language"])
	assert.Equal(t, []any{1.0}, got["kwargs"].(map[string]any)["a"])

	assert.JSONEq(t, string(a.Body), string(s.JSON(t, "GET", path, "").Body), "GET shows what PUT wrote")

	a = s.Say(t, id, "hello")
	require.Equal(t, 200, a.Status, string(a.Body))
	assert.JSONEq(t, `{"response":"You said: hello","metadata":{"mode":"REGULAR"}}`, string(a.Body))
	assert.NotEmpty(t, a.Header.Get("Flametree-Message-Id"))

	a = s.JSON(t, "DELETE", path, "")
	require.Equal(t, 200, a.Status, string(a.Body))
	assert.JSONEq(t, `{"session_id":"`+id+`","status":"completed"}`, string(a.Body))
	assert.Equal(t, event.Completed, h.Status(id))

	for _, method := range []string{"GET", "PUT", "DELETE"} {
		body := ""
		if method == "PUT" {
			body = "{}"
		}
		refused(t, s.JSON(t, method, path, body), 404, "not_found", "not found")
	}
	refused(t, s.Say(t, id, "anybody there?"), 404, "not_found", "not found")
}

func TestEveryStatusMayCloseASession(t *testing.T) {
	h := gatewaytest.New()
	s := gatewaytest.Start(t, h, gatewaytest.Config{})
	for _, st := range event.Statuses() {
		id := s.Session(t)
		a := s.JSON(t, "DELETE", "/chatbot/card/session/"+id, `{"status":"`+string(st)+`"}`)
		require.Equal(t, 200, a.Status, string(a.Body))
		assert.Equal(t, st, h.Status(id))
	}
	id := s.Session(t)
	p := refused(t, s.JSON(t, "DELETE", "/chatbot/card/session/"+id, `{"status":"gone fishing"}`), 422, "invalid", "invalid")
	assert.Contains(t, fmt.Sprint(p["errors"]), "body.status")
	assert.Equal(t, event.Status(""), h.Status(id), "a refused close closes nothing")
}

// refused checks the one form of refusals and gives it.
func refused(t *testing.T, a gatewaytest.Answer, status int, code, kind string) map[string]any {
	t.Helper()
	require.Equal(t, status, a.Status, string(a.Body))
	assert.Equal(t, "application/problem+json", a.Header.Get("Content-Type"))
	p := a.JSON(t)
	assert.Equal(t, code, p["code"])
	assert.Equal(t, kind, p["kind"])
	assert.EqualValues(t, status, p["status"])
	assert.Equal(t, "about:blank", p["type"])
	assert.Equal(t, http.StatusText(status), p["title"])
	assert.NotEmpty(t, p["detail"])
	assert.Equal(t, a.Header.Get("X-Request-Id"), p["trace_id"])
	assert.NotEmpty(t, p["trace_id"])
	return p
}

func TestWhoMayNotIn(t *testing.T) {
	s := gatewaytest.Start(t, gatewaytest.New(), gatewaytest.Config{})
	for name, c := range map[string]struct {
		agent, header string
		status        int
		code, kind    string
	}{
		"no token":               {"card", "", 401, "token_missing", "denied"},
		"another scheme":         {"card", "Basic Y2FyZDpjYXJk", 401, "token_missing", "denied"},
		"an empty token":         {"card", "Bearer ", 401, "token_missing", "denied"},
		"another agent's token":  {"card", "Bearer mute-token", 401, "token_invalid", "denied"},
		"a token that is longer": {"card", "Bearer card-token2", 401, "token_invalid", "denied"},
		"no such agent":          {"nobody", "Bearer card-token", 404, "not_found", "not found"},
		"a stopped agent":        {"stopped", "Bearer stopped-token", 503, "unavailable", "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.JSON(t, "POST", "/chatbot/"+c.agent+"/session", `{"user_id":"u"}`, "Authorization", c.header)
			refused(t, a, c.status, c.code, c.kind)
			switch c.status {
			case 401:
				assert.Contains(t, a.Header.Get("WWW-Authenticate"), "Bearer")
			case 503:
				assert.NotEmpty(t, a.Header.Get("Retry-After"))
			}
		})
	}
}

func TestAnAgentThatIsStoppedInBetween(t *testing.T) {
	h := gatewaytest.New()
	s := gatewaytest.Start(t, h, gatewaytest.Config{})
	id := s.Session(t)
	h.Switch("card", false)
	refused(t, s.Say(t, id, "hello"), 503, "unavailable", "unavailable")
	h.Switch("card", true)
	assert.Equal(t, 200, s.Say(t, id, "hello").Status)
}

func TestBadBodiesAreLocated(t *testing.T) {
	s := gatewaytest.Start(t, gatewaytest.New(), gatewaytest.Config{})
	long := strings.Repeat("x", 300)
	for name, c := range map[string]struct{ body, location string }{
		"no field at all":         {`{}`, "body"},
		"an empty user":           {`{"user_id":""}`, "body.user_id"},
		"a blank user":            {`{"user_id":"  "}`, "body.user_id"},
		"a user that is a number": {`{"user_id":7}`, "body.user_id"},
		"a user too long":         {`{"user_id":"` + long + `"}`, "body.user_id"},
		"an unknown type":         {`{"user_id":"u","type":"pigeon"}`, "body.type"},
		"args that are no list":   {`{"user_id":"u","args":{}}`, "body.args"},
		"kwargs that are no map":  {`{"user_id":"u","kwargs":[1]}`, "body.kwargs"},
		"a width in words":        {`{"user_id":"u","user_info":{"screenWidth":"wide"}}`, "body.user_info.screenWidth"},
		"a negative height":       {`{"user_id":"u","user_info":{"screenHeight":-1}}`, "body.user_info.screenHeight"},
		"isMobile as a word":      {`{"user_id":"u","user_info":{"isMobile":"yes"}}`, "body.user_info.isMobile"},
		"half a document":         {`{"user_id":`, "body"},
		"not JSON":                {`hello`, "body"},
		"a list":                  {`[]`, "body"},
		"null":                    {`null`, "body"},
	} {
		t.Run(name, func(t *testing.T) {
			p := refused(t, s.JSON(t, "POST", "/chatbot/card/session", c.body), 422, "invalid", "invalid")
			var at []string
			for _, e := range p["errors"].([]any) {
				at = append(at, e.(map[string]any)["location"].(string))
			}
			assert.Contains(t, at, c.location)
		})
	}
	t.Run("no body", func(t *testing.T) {
		refused(t, s.JSON(t, "POST", "/chatbot/card/session", ""), 422, "invalid", "invalid")
	})
	t.Run("another format", func(t *testing.T) {
		a := s.Do(t, "POST", "/chatbot/card/session", strings.NewReader("user_id: u"), "Content-Type", "application/yaml")
		refused(t, a, 415, "unsupported_media_type", "invalid")
	})
	t.Run("the body is not sent back", func(t *testing.T) {
		a := s.JSON(t, "POST", "/chatbot/card/session", `{"user_id":`+strings.Repeat("9", 5000))
		refused(t, a, 422, "invalid", "invalid")
		assert.Less(t, len(a.Body), 1000)
	})
}

func TestALimitSaysWhenToComeBack(t *testing.T) {
	s := gatewaytest.Start(t, gatewaytest.New(), gatewaytest.Config{})
	a := s.JSON(t, "POST", "/chatbot/card/session", `{"user_id":"one too many"}`)
	refused(t, a, 429, "exhausted", "exhausted")
	assert.Equal(t, "1", a.Header.Get("Retry-After"))
}

func TestBadMessages(t *testing.T) {
	s := gatewaytest.Start(t, gatewaytest.New(), gatewaytest.Config{API: api.Options{MaxAttach: 1 << 20}})
	id := s.Session(t)
	path := "/chatbot/card/session/" + id + "/run_v2"
	send := func(t *testing.T, ct string, b []byte) gatewaytest.Answer {
		return s.Do(t, "POST", path, bytes.NewReader(b), "Content-Type", ct)
	}
	form := func(fields []string, files ...int) func(t *testing.T) gatewaytest.Answer {
		ct, b := gatewaytest.Form(fields, files...)
		return func(t *testing.T) gatewaytest.Answer { return send(t, ct, b) }
	}
	for name, c := range map[string]struct {
		ask    func(*testing.T) gatewaytest.Answer
		status int
		code   string
		where  string
	}{
		"no message":         {form([]string{"text", "hi"}), 422, "invalid", "body.message"},
		"a blank message":    {form([]string{"message", " \n"}), 422, "invalid", "body.message"},
		"not UTF-8":          {form([]string{"message", "\xff\xfe"}), 422, "invalid", "body.message"},
		"more than is taken": {form([]string{"message", strings.Repeat("x", 9000)}), 422, "invalid", ""},
		"a huge message":     {form([]string{"message", strings.Repeat("x", 300<<10)}), 413, "part_too_large", "body.message"},
		"a file too large":   {form([]string{"message", "hi"}, 1<<20, 1<<20+1), 413, "part_too_large", "body.attachments[1]"},
		"six files":          {form([]string{"message", "hi"}, 1, 1, 1, 1, 1, 1), 422, "invalid", "body.attachments[5]"},
		"JSON": {func(t *testing.T) gatewaytest.Answer {
			return send(t, "application/json", []byte(`{"message":"hi"}`))
		}, 415, "unsupported_media_type", "header.Content-Type"},
		"no boundary": {func(t *testing.T) gatewaytest.Answer {
			return send(t, "multipart/form-data", []byte("x"))
		}, 422, "invalid", "header.Content-Type"},
		"half a form": {func(t *testing.T) gatewaytest.Answer {
			ct, b := gatewaytest.Form([]string{"message", "hi"})
			return send(t, ct, b[:len(b)-20])
		}, 422, "invalid", "body"},
	} {
		t.Run(name, func(t *testing.T) {
			p := refused(t, c.ask(t), c.status, c.code, "invalid")
			if c.where != "" {
				assert.Equal(t, c.where, p["errors"].([]any)[0].(map[string]any)["location"])
			}
		})
	}
	t.Run("the session goes on", func(t *testing.T) {
		ct, b := gatewaytest.Form([]string{"message", "with options", "client_id", "c1", "extra", "x"}, 1<<20, 3)
		a := send(t, ct, b)
		require.Equal(t, 200, a.Status, string(a.Body))
		assert.JSONEq(t, `{"response":"You said: with options (2 files, text/plain; charset=utf-8)",
			"metadata":{"mode":"REGULAR","options":["Yes","No"]}}`, string(a.Body))
		again := send(t, ct, b)
		assert.Equal(t, string(a.Body), string(again.Body), "a repeated message is answered, not taken twice")
		assert.Equal(t, a.Header.Get("Flametree-Message-Id"), again.Header.Get("Flametree-Message-Id"))
	})
}

func TestTwoMessagesAtOnce(t *testing.T) {
	h := gatewaytest.New()
	inside, release := make(chan struct{}), make(chan struct{})
	h.Hold = func(context.Context, string) { inside <- struct{}{}; <-release }
	s := gatewaytest.Start(t, h, gatewaytest.Config{})
	id := s.Session(t)
	var first gatewaytest.Answer
	var wg sync.WaitGroup
	wg.Go(func() { first = s.Say(t, id, "one") })
	<-inside
	refused(t, s.Say(t, id, "two"), 409, "conflict", "conflict")
	close(release)
	wg.Wait()
	assert.Equal(t, 200, first.Status, "the first is answered all the same")
}

func TestAReplyThatDoesNotCome(t *testing.T) {
	h := gatewaytest.New()
	h.Hold = func(ctx context.Context, _ string) { <-ctx.Done() }
	s := gatewaytest.Start(t, h, gatewaytest.Config{API: api.Options{RunTime: 50 * time.Millisecond}})
	a := s.Say(t, s.Session(t), "hello")
	refused(t, a, 503, "unavailable", "unavailable")
	assert.NotEmpty(t, a.Header.Get("Retry-After"))
}

func TestCapabilities(t *testing.T) {
	s := gatewaytest.Start(t, gatewaytest.New(), gatewaytest.Config{})
	a := s.JSON(t, "GET", "/chatbot/card/capabilities", "")
	assert.JSONEq(t, `{"has_stt":true,"has_tts":true}`, string(a.Body))
	a = s.JSON(t, "GET", "/chatbot/mute/capabilities", "", "Authorization", "Bearer mute-token")
	assert.JSONEq(t, `{"has_stt":false,"has_tts":false}`, string(a.Body))
}

func wav(samples int) string {
	return "RIFF\x00\x00\x00\x00WAVEfmt " + strings.Repeat("\x00", 28+samples)
}

func TestTranscribe(t *testing.T) {
	s := gatewaytest.Start(t, gatewaytest.New(), gatewaytest.Config{})
	ask := func(agent, contentType, body string) gatewaytest.Answer {
		return s.Do(t, "POST", "/chatbot/"+agent+"/transcribe", strings.NewReader(body),
			"Content-Type", contentType, "Authorization", "Bearer "+agent+"-token")
	}
	a := ask("card", "audio/wav", wav(100))
	require.Equal(t, 200, a.Status, string(a.Body))
	assert.Equal(t, "hello there", string(a.Body))
	assert.Equal(t, "text/plain; charset=utf-8", a.Header.Get("Content-Type"))

	refused(t, ask("card", "audio/mp4", "x"), 422, "invalid", "invalid")
	refused(t, ask("card", "audio/webm;codecs=opus", "x"), 422, "invalid", "invalid")
	refused(t, ask("card", "audio/flac", "x"), 415, "unsupported_media_type", "invalid")
	refused(t, ask("card", "", "x"), 415, "unsupported_media_type", "invalid")
	refused(t, ask("card", "audio/wav", "ID3 this is mp3"), 422, "invalid", "invalid")
	refused(t, ask("card", "audio/wav", ""), 422, "invalid", "invalid")
	refused(t, ask("card", "audio/wav", wav(0)), 422, "invalid", "invalid")
	refused(t, ask("mute", "audio/wav", wav(100)), 422, "not_capable", "invalid")
}

func TestSynthesize(t *testing.T) {
	s := gatewaytest.Start(t, gatewaytest.New(), gatewaytest.Config{})
	id := s.Session(t)
	a := s.JSON(t, "GET", "/chatbot/card/synthesize?text=Hello%20Ann&format=wav&voice_name=slt", "", "Accept", "audio/wav")
	require.Equal(t, 200, a.Status, string(a.Body))
	assert.Equal(t, "audio/wav", a.Header.Get("Content-Type"))
	assert.Equal(t, "|slt|Hello Ann", string(a.Body[12:]))

	a = s.JSON(t, "GET", "/chatbot/card/session/"+id+"/synthesize?text=hi", "")
	require.Equal(t, 200, a.Status, string(a.Body))
	assert.Equal(t, id+"||hi", string(a.Body[12:]))

	for name, c := range map[string]struct{ path, accept, where string }{
		"mp4 is not there yet":  {"synthesize?text=hi&format=mp4", "audio/mp4", "query.format"},
		"an unknown format":     {"synthesize?text=hi&format=ogg", "", "query.format"},
		"no text":               {"synthesize", "", "query.text"},
		"a blank text":          {"synthesize?text=%20", "", "query.text"},
		"a text too long":       {"synthesize?text=" + strings.Repeat("x", 4001), "", "query.text"},
		"Accept does not match": {"synthesize?text=hi", "audio/mp4, audio/wav;q=0", "header.Accept"},
	} {
		t.Run(name, func(t *testing.T) {
			p := refused(t, s.JSON(t, "GET", "/chatbot/card/"+c.path, "", "Accept", c.accept), 422, "invalid", "invalid")
			assert.Equal(t, c.where, p["errors"].([]any)[0].(map[string]any)["location"])
		})
	}
	refused(t, s.JSON(t, "GET", "/chatbot/card/synthesize?text=hi&voice_name=nobody", ""), 422, "invalid", "invalid")
	refused(t, s.JSON(t, "GET", "/chatbot/card/session/nowhere/synthesize?text=hi", ""), 404, "not_found", "not found")
	refused(t, s.JSON(t, "GET", "/chatbot/mute/synthesize?text=hi", "", "Authorization", "Bearer mute-token"), 422, "not_capable", "invalid")
}

func TestAPanicIsContained(t *testing.T) {
	s := gatewaytest.Start(t, gatewaytest.New(), gatewaytest.Config{})
	id := s.Session(t)
	a := s.Say(t, id, "panic")
	refused(t, a, 500, "bug", "bug")
	assert.NotContains(t, string(a.Body), "asked for", "our own faults show nothing of themselves")
	assert.Equal(t, 200, s.Say(t, id, "hello").Status)
}

func TestTheDocument(t *testing.T) {
	s := gatewaytest.Start(t, gatewaytest.New(), gatewaytest.Config{})
	a := s.JSON(t, "GET", "/api/v1/openapi.json", "", "Authorization", "")
	require.Equal(t, 200, a.Status)
	var doc struct {
		OpenAPI string                               `json:"openapi"`
		Paths   map[string]map[string]map[string]any `json:"paths"`
	}
	require.NoError(t, json.Unmarshal(a.Body, &doc))
	assert.True(t, strings.HasPrefix(doc.OpenAPI, "3.1"))
	for _, want := range []string{
		"post /chatbot/{agent}/session", "get /chatbot/{agent}/session/{session}", "put /chatbot/{agent}/session/{session}",
		"delete /chatbot/{agent}/session/{session}", "post /chatbot/{agent}/session/{session}/run_v2",
		"post /chatbot/{agent}/session/{session}/ticket", "get /chatbot/{agent}/capabilities",
		"post /chatbot/{agent}/transcribe", "get /chatbot/{agent}/synthesize", "get /chatbot/{agent}/session/{session}/synthesize",
	} {
		method, path, _ := strings.Cut(want, " ")
		op := doc.Paths[path][method]
		require.NotNil(t, op, want)
		responses := op["responses"].(map[string]any)
		for _, st := range []string{"200", "401", "404", "422", "503"} {
			assert.Contains(t, responses, st, want)
		}
	}
	assert.Contains(t, string(a.Body), "escalated_by_operator", "the statuses are in the document")
	assert.Contains(t, string(a.Body), "trace_id")
	for ref := range strings.SplitSeq(string(a.Body), `"$ref":"#/components/schemas/`) {
		if name, _, ok := strings.Cut(ref, `"`); ok && !strings.HasPrefix(ref, "{") {
			assert.Contains(t, string(a.Body), `"`+name+`":{`, "a reference leads somewhere")
		}
	}
}

func TestTheDocsPageLoadsNothingFromElsewhere(t *testing.T) {
	s := gatewaytest.Start(t, gatewaytest.New(), gatewaytest.Config{})
	for path, kind := range map[string]string{
		"/api/v1/docs": "text/html", "/api/v1/docs/docs.css": "text/css", "/api/v1/docs/docs.js": "text/javascript",
	} {
		a := s.JSON(t, "GET", path, "", "Authorization", "")
		require.Equal(t, 200, a.Status, path)
		assert.Contains(t, a.Header.Get("Content-Type"), kind)
		assert.Contains(t, a.Header.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'")
		assert.NotContains(t, string(a.Body), "https://", path)
		assert.NotContains(t, string(a.Body), "//cdn", path)
	}
}
