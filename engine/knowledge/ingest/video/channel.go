package video

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"flametree/engine/fault"
)

// rss names the channel's id on its page.
var rss = regexp.MustCompile(`channel_id=(UC[A-Za-z0-9_-]{22})|"externalId":"(UC[A-Za-z0-9_-]{22})"`)

// List gives the videos of a channel, newest first, at most MaxVideos: those on
// the first page of its list (about thirty), or else the fifteen of its feed.
// channel is Address.Channel.
func (s *Source) List(ctx context.Context, channel string) ([]Video, error) {
	if a, err := ParseAddress("https://www.youtube.com" + channel); err != nil || a.Channel == "" {
		return nil, fmt.Errorf("%q is not the page of a channel: %w", channel, fault.Invalid)
	}
	page, err := s.page(ctx, s.at(channel+"/videos").String())
	if err != nil {
		return nil, fmt.Errorf("channel %s: %w", channel, err)
	}
	var tree any
	err = embedded(page, "ytInitialData", &tree)
	var out []Video
	if err == nil {
		out = collect(tree, s.opt.MaxVideos)
	}
	if len(out) == 0 {
		out, err = s.feed(ctx, page)
	}
	if err != nil {
		return nil, fmt.Errorf("channel %s: %w", channel, err)
	}
	return out[:min(len(out), s.opt.MaxVideos)], nil
}

// collect finds the videos in a tree whose shape changes often: whatever is
// drawn as a video and has an id.
func collect(tree any, most int) []Video {
	var out []Video
	seen := map[string]bool{}
	add := func(id, title string) {
		if videoID.MatchString(id) && !seen[id] && len(out) < most {
			seen[id] = true
			out = append(out, Video{ID: id, Title: title})
		}
	}
	var walk func(node any, depth int)
	walk = func(node any, depth int) {
		const deepest = 60
		if depth > deepest {
			return
		}
		switch n := node.(type) {
		case []any:
			for _, c := range n {
				walk(c, depth+1)
			}
		case map[string]any:
			for _, name := range []string{"videoRenderer", "gridVideoRenderer", "lockupViewModel"} {
				if v, ok := n[name].(map[string]any); ok {
					id, _ := v["videoId"].(string)
					if id == "" && v["contentType"] == "LOCKUP_CONTENT_TYPE_VIDEO" {
						id, _ = v["contentId"].(string)
					}
					add(id, title(v))
				}
			}
			// In one order, so that the same page gives the same list.
			for _, name := range slices.Sorted(maps.Keys(n)) {
				walk(n[name], depth+1)
			}
		}
	}
	walk(tree, 0)
	return out
}

// title finds a video's title in one of the forms that were seen.
func title(v map[string]any) string {
	var forms struct {
		Title struct {
			Simple string `json:"simpleText"`
			Runs   []struct {
				Text string `json:"text"`
			} `json:"runs"`
		} `json:"title"`
		Metadata struct {
			Model struct {
				Title struct {
					Content string `json:"content"`
				} `json:"title"`
			} `json:"lockupMetadataViewModel"`
		} `json:"metadata"`
	}
	b, err := json.Marshal(v)
	if err != nil || json.Unmarshal(b, &forms) != nil {
		return ""
	}
	switch {
	case len(forms.Title.Runs) > 0:
		return forms.Title.Runs[0].Text
	case forms.Title.Simple != "":
		return forms.Title.Simple
	}
	return forms.Metadata.Model.Title.Content
}

// feed reads the Atom feed that the channel's page names.
func (s *Source) feed(ctx context.Context, page []byte) ([]Video, error) {
	m := rss.FindSubmatch(page)
	if m == nil {
		return nil, fmt.Errorf("the page was not understood: it names neither videos nor the channel's id: %w", fault.Unavailable)
	}
	id := string(bytes.Join(m[1:], nil))
	body, err := s.page(ctx, s.at("/feeds/videos.xml?channel_id="+id).String())
	if err != nil {
		return nil, err
	}
	var feed struct {
		Entries []struct {
			ID    string `xml:"videoId"`
			Title string `xml:"title"`
		} `xml:"entry"`
	}
	if err := xml.Unmarshal(body, &feed); err != nil {
		return nil, fmt.Errorf("the channel's feed is damaged: %w", errors.Join(err, fault.Unavailable))
	}
	var out []Video
	for _, e := range feed.Entries {
		if videoID.MatchString(e.ID) {
			out = append(out, Video{ID: e.ID, Title: e.Title})
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("it has no public videos: %w", fault.NotFound)
	}
	return out, nil
}
