package httpd

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
)

// Page serves one embedded file at pattern, as File does.
func (s *Server) Page(pattern string, files fs.FS, name string) {
	s.Route(Route{Method: http.MethodGet, Pattern: pattern, Handle: File(files, name)})
}

// File is a handler that answers with one embedded file, with the policy of
// pages and an entity tag. It panics when the file is not there: embedding is
// our own doing.
func File(files fs.FS, name string) func(*Request) {
	b, err := fs.ReadFile(files, name)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(b)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	return func(r *Request) {
		r.SetHeader("Content-Security-Policy", pagePolicy)
		r.SetHeader("Cross-Origin-Opener-Policy", "same-origin")
		r.SetHeader("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		r.SetHeader("Cache-Control", "no-cache")
		r.SetHeader("ETag", tag)
		if r.Header("If-None-Match") == tag {
			r.raw.SetStatusCode(http.StatusNotModified)
			return
		}
		r.Bytes(http.StatusOK, mime(name), b)
	}
}

func mime(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return "application/octet-stream"
}
