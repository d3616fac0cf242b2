package video

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"strconv"
	"strings"
	"time"

	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest/parse"
)

var errNoWords = errors.New("captions without words")

// line is one caption.
type line struct {
	at   time.Duration
	text string
}

// captions fetches a track and makes sections of it.
func (s *Source) captions(ctx context.Context, t track, doc *parse.Document) error {
	at, err := s.own(t.Address)
	if err != nil {
		return err
	}
	q := at.Query()
	q.Set("fmt", "json3")
	at.RawQuery = q.Encode()
	body, err := s.page(ctx, at.String())
	if err != nil {
		return fmt.Errorf("captions: %w", err)
	}
	lines, err := captionLines(body)
	if err != nil {
		return fmt.Errorf("captions: %w", err)
	}
	doc.Sections = sections(lines)
	if len(doc.Sections) == 0 {
		return errNoWords
	}
	if t.Kind == "asr" {
		doc.Warnings = append(doc.Warnings, "the captions were made by a machine and may hold mistakes")
	}
	return nil
}

// captionLines reads json3, or the older XML of <text start dur> and <p t d>. An
// empty body is no captions.
func captionLines(body []byte) ([]line, error) {
	body = bytes.TrimSpace(body)
	switch {
	case len(body) == 0:
		return nil, nil
	case body[0] == '{':
		return jsonLines(body)
	case body[0] == '<':
		return xmlLines(body)
	}
	return nil, fmt.Errorf("their format is not known: %w", fault.Unavailable)
}

func jsonLines(body []byte) ([]line, error) {
	var doc struct {
		Events []struct {
			Start int64 `json:"tStartMs"`
			Segs  []struct {
				Text string `json:"utf8"`
			} `json:"segs"`
		} `json:"events"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, fmt.Errorf("they are damaged (%w): %w", err, fault.Unavailable)
	}
	var out []line
	for _, e := range doc.Events {
		var b strings.Builder
		for _, s := range e.Segs {
			b.WriteString(s.Text)
		}
		out = append(out, line{time.Duration(e.Start) * time.Millisecond, b.String()})
	}
	return out, nil
}

func xmlLines(body []byte) ([]line, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	d.Strict = false
	var out []line
	in := ""
	for {
		tok, err := d.Token()
		if err != nil {
			if len(out) == 0 && d.InputOffset() < int64(len(body)) {
				return nil, fmt.Errorf("they are damaged (%w): %w", err, fault.Unavailable)
			}
			return out, nil
		}
		switch e := tok.(type) {
		case xml.StartElement:
			if name := e.Name.Local; name == "text" || name == "p" {
				in = name
				out = append(out, line{at: begins(e)})
			}
		case xml.EndElement:
			if e.Name.Local == in {
				in = ""
			}
		case xml.CharData:
			if in != "" {
				// Their marks are escaped twice.
				out[len(out)-1].text += html.UnescapeString(string(e))
			}
		}
	}
}

// begins is when a caption does: start in seconds, or t in milliseconds.
func begins(e xml.StartElement) time.Duration {
	for _, a := range e.Attr {
		v, err := strconv.ParseFloat(a.Value, 64)
		if err != nil || v < 0 || v > 1e9 {
			continue
		}
		switch a.Name.Local {
		case "start":
			return time.Duration(v * float64(time.Second))
		case "t":
			return time.Duration(v * float64(time.Millisecond))
		}
	}
	return 0
}

// sections joins captions into stretches of about two minutes. Machines repeat
// a line while it scrolls; it is told once.
func sections(lines []line) []parse.Section {
	const (
		stretch = 2 * time.Minute
		long    = 4000
	)
	var out []parse.Section
	var cur strings.Builder
	var begun time.Duration
	last := ""
	flush := func() {
		if cur.Len() > 0 {
			out = append(out, parse.Section{Heading: clock(begun), Text: cur.String()})
		}
		cur.Reset()
	}
	for _, l := range lines {
		text := strings.Join(strings.Fields(strings.ToValidUTF8(l.text, "")), " ")
		if text == "" || text == last {
			continue
		}
		last = text
		if cur.Len() > 0 && (l.at-begun >= stretch || cur.Len()+len(text) > long) {
			flush()
		}
		if cur.Len() == 0 {
			begun = l.at
		} else {
			cur.WriteByte(' ')
		}
		cur.WriteString(clip(text, long))
	}
	flush()
	return out
}

// clip takes the beginning of a text.
func clip(text string, most int) string { return strings.ToValidUTF8(text[:min(len(text), most)], "") }

// clock writes a place in a video: 1:02:03 or 2:03.
func clock(d time.Duration) string {
	s := int(d / time.Second)
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
