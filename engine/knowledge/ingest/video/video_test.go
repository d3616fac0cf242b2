package video_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest/video"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const id = "abcdefghijk"

// tube serves the pages of one video, as YouTube's server does.
type tube struct {
	player   map[string]any
	captions string
	sound    string
	asked    []string
}

func (y *tube) start(t *testing.T) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/watch", func(w http.ResponseWriter, r *http.Request) {
		b, err := json.Marshal(y.player)
		require.NoError(t, err)
		fmt.Fprintf(w, `<html><script nonce="x">if (window.ytInitialPlayerResponse) {}</script><script>var ytInitialPlayerResponse = %s;var meta = document.createElement('meta');</script></html>`, b)
	})
	mux.HandleFunc("/api/timedtext", func(w http.ResponseWriter, r *http.Request) {
		y.asked = append(y.asked, r.URL.RawQuery)
		_, _ = io.WriteString(w, y.captions)
	})
	mux.HandleFunc("/videoplayback", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, y.sound) })
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// good is the page of a video with these tracks of captions.
func good(length int, tracks ...map[string]any) map[string]any {
	p := map[string]any{
		"playabilityStatus": map[string]any{"status": "OK"},
		"videoDetails":      map[string]any{"title": "How to cast a bell", "lengthSeconds": fmt.Sprint(length)},
		"streamingData": map[string]any{"adaptiveFormats": []map[string]any{
			{"mimeType": "video/mp4", "url": "/no", "bitrate": 1},
			{"mimeType": "audio/mp4", "url": "/no", "bitrate": 128000},
			{"mimeType": `audio/webm; codecs="opus"`, "url": "/videoplayback?itag=249", "bitrate": 48000},
		}},
	}
	if len(tracks) > 0 {
		p["captions"] = map[string]any{"playerCaptionsTracklistRenderer": map[string]any{"captionTracks": tracks}}
	}
	return p
}

func captions(lang, kind string) map[string]any {
	return map[string]any{"baseUrl": "/api/timedtext?v=" + id + "&lang=" + lang + "&kind=" + kind, "languageCode": lang, "kind": kind}
}

func source(t *testing.T, s *httptest.Server, opt video.Options) *video.Source {
	opt.Client, opt.Base = s.Client(), s.URL
	v, err := video.New(opt)
	require.NoError(t, err)
	return v
}

func TestCaptionsBecomeText(t *testing.T) {
	const jsonForm = `{"events":[{"tStartMs":0},{"tStartMs":1000,"segs":[{"utf8":"Bronze "},{"utf8":"melts at"}]},{"tStartMs":3000,"segs":[{"utf8":"\n"}]},{"tStartMs":4000,"segs":[{"utf8":"950 degrees."}]},{"tStartMs":130000,"segs":[{"utf8":"Then it cools for three days."}]}]}`
	for name, form := range map[string]string{
		"json3": jsonForm,
		"text":  `<?xml version="1.0"?><transcript><text start="1" dur="3">Bronze melts at</text><text start="4">950 &amp;quot;degrees&amp;quot;.</text><text start="130">Then it cools for three days.</text></transcript>`,
		"srv3":  `<timedtext><body><p t="1000" d="3000">Bronze <s>melts</s> at</p><p t="4000">950 degrees.</p><p t="130000">Then it cools for three days.</p></body></timedtext>`,
	} {
		t.Run(name, func(t *testing.T) {
			y := &tube{player: good(200, captions("en", "")), captions: form}
			doc, err := source(t, y.start(t), video.Options{}).Read(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, "How to cast a bell", doc.Title)
			require.Contains(t, doc.Source, "/watch?v="+id)
			require.Len(t, doc.Sections, 2)
			require.Equal(t, "0:01", doc.Sections[0].Heading)
			require.Contains(t, doc.Sections[0].Text, "Bronze melts at 950")
			require.Equal(t, "2:10", doc.Sections[1].Heading)
			require.Empty(t, doc.Warnings)
		})
	}
}

func TestTheBestCaptionsAreChosen(t *testing.T) {
	y := &tube{captions: `{"events":[{"segs":[{"utf8":"x"}]}]}`}
	s := y.start(t)
	for want, tracks := range map[string][]map[string]any{
		"lang=de&kind=&":    {captions("en", ""), captions("de", "asr"), captions("de", "")},
		"lang=de&kind=asr":  {captions("en", ""), captions("de", "asr")},
		"lang=de-AT&kind=&": {captions("fr", ""), captions("de-AT", "")},
		"lang=fr&kind=&":    {captions("fr", "asr"), captions("fr", "")},
	} {
		y.player, y.asked = good(10, tracks...), nil
		doc, err := source(t, s, video.Options{Languages: []string{"de", "en"}}).Read(t.Context(), id)
		require.NoError(t, err)
		q := y.asked[0]
		for part := range strings.SplitSeq(strings.Trim(want, "&"), "&") {
			require.Contains(t, "&"+q+"&", "&"+part+"&")
		}
		require.Equal(t, strings.Contains(want, "asr"), len(doc.Warnings) == 1)
	}
}

func TestSoundIsHeardWhereThereAreNoCaptions(t *testing.T) {
	y := &tube{player: good(60), sound: "OPUS SOUND"}
	s := y.start(t)
	hear := func(_ context.Context, r io.Reader) (string, error) {
		b, err := io.ReadAll(r)
		return "Heard: " + string(b), err
	}
	doc, err := source(t, s, video.Options{Transcribe: hear}).Read(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, "Heard: OPUS SOUND", doc.Sections[0].Text, "the smallest sound is taken")
	require.Contains(t, doc.Warnings[0], "recognised from its sound")

	_, err = source(t, s, video.Options{}).Read(t.Context(), id)
	require.ErrorIs(t, err, fault.Invalid)
	require.ErrorContains(t, err, "no captions, and no recogniser")

	_, err = source(t, s, video.Options{Transcribe: hear, MaxSound: 4}).Read(t.Context(), id)
	require.ErrorContains(t, err, "too long")

	y.player, y.captions = good(60, captions("en", "")), ""
	doc, err = source(t, s, video.Options{Transcribe: hear}).Read(t.Context(), id)
	require.NoError(t, err, "captions without words are none")
	require.Contains(t, doc.Sections[0].Text, "Heard")
}

func TestVideosThatCannotBeReadSayWhy(t *testing.T) {
	status := func(status, reason string) map[string]any {
		return map[string]any{"playabilityStatus": map[string]any{"status": status, "reason": reason}}
	}
	live := good(0)
	live["videoDetails"].(map[string]any)["isLive"] = true
	strange := good(60, map[string]any{"baseUrl": "http://127.0.0.1:1/inside", "languageCode": "en"})
	for name, c := range map[string]struct {
		player map[string]any
		kind   fault.Kind
		want   string
	}{
		"private":            {status("LOGIN_REQUIRED", "This is a private video. Please sign in to verify that you may see it."), fault.Denied, "private"},
		"limited by age":     {status("LOGIN_REQUIRED", "Sign in to confirm your age"), fault.Denied, "limited by age"},
		"another region":     {status("UNPLAYABLE", "The uploader has not made this video available in your country"), fault.Denied, "region"},
		"for members":        {status("UNPLAYABLE", "Join this channel to get access to members-only content"), fault.Denied, "members"},
		"taken for a robot":  {status("LOGIN_REQUIRED", "Sign in to confirm you’re not a bot"), fault.Unavailable, "robot"},
		"gone":               {status("ERROR", "Video unavailable"), fault.NotFound, "not available"},
		"to come":            {status("LIVE_STREAM_OFFLINE", "Live in 3 hours"), fault.Unavailable, "not begun"},
		"live":               {live, fault.Unavailable, "live"},
		"too long":           {good(3*3600 + 1), fault.Invalid, "3h0m1s long, at most 3h0m0s"},
		"not understood":     {map[string]any{}, fault.Unavailable, "not understood"},
		"captions elsewhere": {strange, fault.Denied, "strange host"},
	} {
		t.Run(name, func(t *testing.T) {
			y := &tube{player: c.player}
			_, err := source(t, y.start(t), video.Options{}).Read(t.Context(), id)
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestAServerThatHangsOrBreaks(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("v") {
		case "hanghanghan":
			<-r.Context().Done()
		case "brokenbroke":
			w.WriteHeader(502)
		case "waitwaitwai":
			w.WriteHeader(429)
		default:
			_, _ = io.WriteString(w, `<script>var ytInitialPlayerResponse = {"playabilityStatus":{</script>`)
		}
	}))
	defer s.Close()
	v := source(t, s, video.Options{Timeout: 200 * time.Millisecond})
	for id, kind := range map[string]fault.Kind{"hanghanghan": fault.Unavailable, "brokenbroke": fault.Unavailable, "waitwaitwai": fault.Exhausted, "tornpagetor": fault.Unavailable, "../../etc/x": fault.Invalid} {
		_, err := v.Read(t.Context(), id)
		require.ErrorIs(t, err, kind, id)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := v.Read(ctx, "hanghanghan")
	require.ErrorIs(t, err, fault.Cancelled)
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]video.Address{
		"https://www.youtube.com/watch?v=abcdefghijk&t=10s":            {Video: id},
		"youtu.be/abcdefghijk?si=x":                                    {Video: id},
		"https://m.youtube.com/shorts/abcdefghijk":                     {Video: id},
		"https://www.youtube.com/live/abcdefghijk":                     {Video: id},
		"https://www.youtube.com/@NorthBank":                           {Channel: "/@NorthBank"},
		"https://www.youtube.com/@NorthBank/videos":                    {Channel: "/@NorthBank"},
		"https://www.youtube.com/channel/UC" + strings.Repeat("a", 22): {Channel: "/channel/UC" + strings.Repeat("a", 22)},
		"https://www.youtube.com/c/bank":                               {Channel: "/c/bank"},
	} {
		got, err := video.ParseAddress(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "https://vimeo.com/1", "https://youtube.com.evil.example/watch?v=abcdefghijk", "https://www.youtube.com/watch?v=short", "https://www.youtube.com/", "://"} {
		_, err := video.ParseAddress(text)
		require.ErrorIs(t, err, fault.Invalid, text)
	}
}

func TestAChannelsVideos(t *testing.T) {
	const channel = "UC1234567890123456789012"
	pages := map[string]string{
		"/@old/videos":   `<script>var ytInitialData = {"tabs":[{"richItemRenderer":{"content":{"videoRenderer":{"videoId":"aaaaaaaaaaa","title":{"runs":[{"text":"One"}]}}}}},{"gridVideoRenderer":{"videoId":"bbbbbbbbbbb","title":{"simpleText":"Two"}}},{"videoRenderer":{"videoId":"aaaaaaaaaaa"}}]};</script>`,
		"/@new/videos":   `<script>var ytInitialData = {"x":{"lockupViewModel":{"contentId":"ccccccccccc","contentType":"LOCKUP_CONTENT_TYPE_VIDEO","metadata":{"lockupMetadataViewModel":{"title":{"content":"Three"}}}}}};</script>`,
		"/@feed/videos":  `<link href="https://www.youtube.com/feeds/videos.xml?channel_id=` + channel + `"><script>var ytInitialData = {};</script>`,
		"/@empty/videos": `<html></html>`,
		"/feeds/videos.xml?channel_id=" + channel: `<feed xmlns:yt="http://www.youtube.com/xml/schemas/2015" xmlns="http://www.w3.org/2005/Atom"><entry><yt:videoId>ddddddddddd</yt:videoId><title>Four</title></entry></feed>`,
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := pages[r.URL.RequestURI()]
		if !ok {
			w.WriteHeader(404)
		}
		_, _ = io.WriteString(w, body)
	}))
	defer s.Close()
	v := source(t, s, video.Options{})
	for channel, want := range map[string][]video.Video{
		"/@old":  {{ID: "aaaaaaaaaaa", Title: "One"}, {ID: "bbbbbbbbbbb", Title: "Two"}},
		"/@new":  {{ID: "ccccccccccc", Title: "Three"}},
		"/@feed": {{ID: "ddddddddddd", Title: "Four"}},
	} {
		got, err := v.List(t.Context(), channel)
		require.NoError(t, err, channel)
		require.Equal(t, want, got)
	}
	_, err := v.List(t.Context(), "/@empty")
	require.ErrorIs(t, err, fault.Unavailable)
	_, err = v.List(t.Context(), "/@none")
	require.ErrorIs(t, err, fault.NotFound)
	_, err = v.List(t.Context(), "/../watch")
	require.ErrorIs(t, err, fault.Invalid)
	few := source(t, s, video.Options{MaxVideos: 1})
	got, err := few.List(t.Context(), "/@old")
	require.NoError(t, err)
	require.Len(t, got, 1)
}

func FuzzPages(f *testing.F) {
	f.Add(`var ytInitialPlayerResponse = {"playabilityStatus":{"status":"OK"},"captions":{"playerCaptionsTracklistRenderer":{"captionTracks":[{"baseUrl":"/c"}]}}}`, `{"events":[{"tStartMs":-1,"segs":[{"utf8":"x"}]}]}`)
	f.Add(`ytInitialData = {"videoRenderer":{"videoId":"aaaaaaaaaaa"}}`, `<p t="9e99">x<p>`)
	f.Fuzz(func(t *testing.T, page, captions string) {
		rt := transport(func(r *http.Request) (*http.Response, error) {
			body := page
			if r.URL.Path != "/watch" && !strings.HasPrefix(r.URL.Path, "/@") {
				body = captions
			}
			if r.URL.Host != "a.example" && !strings.HasSuffix("."+r.URL.Hostname(), ".youtube.com") && !strings.HasSuffix(r.URL.Hostname(), ".googlevideo.com") {
				t.Fatalf("left for %s", r.URL)
			}
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		})
		v, err := video.New(video.Options{Client: &http.Client{Transport: rt}, Base: "http://a.example"})
		require.NoError(t, err)
		_, _ = v.Read(t.Context(), id)
		_, _ = v.List(t.Context(), "/@name")
	})
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
