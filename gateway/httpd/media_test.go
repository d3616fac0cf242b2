package httpd_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/gateway/httpd"
)

// reel is a source that notes whether it was closed, and may break.
type reel struct {
	*bytes.Reader
	breaks int64 // after so many bytes; 0 = never
	read   int64
	closed chan struct{}
}

func (r *reel) Read(b []byte) (int, error) {
	if r.breaks > 0 && r.read >= r.breaks {
		return 0, errors.New("a piece was changed")
	}
	n, err := r.Reader.Read(b)
	r.read += int64(n)
	return n, err
}

func (r *reel) Close() error { close(r.closed); return nil }

func TestMediaIsSentInRanges(t *testing.T) {
	all := make([]byte, 300_000)
	for i := range all {
		all[i] = byte(i * 7 >> 3)
	}
	var last *reel
	var breaks int64
	_, at := start(t, httpd.Options{}, httpd.Route{Method: "GET", Pattern: "/sound", Handle: func(r *httpd.Request) {
		last = &reel{Reader: bytes.NewReader(all), breaks: breaks, closed: make(chan struct{})}
		r.Media("audio/wav", httpd.Media{ReadSeekCloser: last, Size: int64(len(all)), Tag: "abc"})
	}})
	ask := func(method string, header ...string) (*http.Response, []byte, error) {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+at+"/sound", nil)
		require.NoError(t, err)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		require.NoError(t, err)
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, resp.Body.Close())
		<-last.closed
		return resp, b, err
	}
	tests := map[string]struct {
		header []string
		status int
		body   []byte
		span   string
	}{
		"the whole":                         {nil, 200, all, ""},
		"a range":                           {[]string{"Range", "bytes=10-19"}, 206, all[10:20], "bytes 10-19/300000"},
		"from a byte on":                    {[]string{"Range", "bytes=299990-"}, 206, all[299990:], "bytes 299990-299999/300000"},
		"the last bytes":                    {[]string{"Range", "bytes=-5"}, 206, all[299995:], "bytes 299995-299999/300000"},
		"more than there is":                {[]string{"Range", "bytes=299990-999999"}, 206, all[299990:], "bytes 299990-299999/300000"},
		"behind the end":                    {[]string{"Range", "bytes=300000-"}, 416, nil, "bytes */300000"},
		"no last bytes":                     {[]string{"Range", "bytes=-0"}, 416, nil, "bytes */300000"},
		"several ranges":                    {[]string{"Range", "bytes=1-2,5-6"}, 200, all, ""},
		"another unit":                      {[]string{"Range", "seconds=1-2"}, 200, all, ""},
		"turned round":                      {[]string{"Range", "bytes=20-10"}, 200, all, ""},
		"no numbers":                        {[]string{"Range", "bytes=a-b"}, 200, all, ""},
		"a number beyond all":               {[]string{"Range", "bytes=99999999999999999999-"}, 200, all, ""},
		"if it is still the same":           {[]string{"Range", "bytes=0-1", "If-Range", `"abc"`}, 206, all[:2], "bytes 0-1/300000"},
		"if it was the same, and it is not": {[]string{"Range", "bytes=0-1", "If-Range", `"old"`}, 200, all, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			resp, b, err := ask("GET", tc.header...)
			require.NoError(t, err)
			require.Equal(t, tc.status, resp.StatusCode)
			require.Equal(t, tc.span, resp.Header.Get("Content-Range"))
			if tc.body != nil {
				require.True(t, bytes.Equal(tc.body, b), "%d bytes", len(b))
				require.Equal(t, "audio/wav", resp.Header.Get("Content-Type"))
				require.Equal(t, `"abc"`, resp.Header.Get("ETag"))
			}
		})
	}
	resp, b, err := ask("HEAD")
	require.NoError(t, err)
	require.Empty(t, b)
	require.EqualValues(t, len(all), resp.ContentLength)
	breaks = 100_000
	_, _, err = ask("GET")
	require.Error(t, err, "nobody takes a part for the whole")
}
