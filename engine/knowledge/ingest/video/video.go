package video

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest/parse"
)

// Options of reading. Client is needed; zero values of the rest are good.
type Options struct {
	Client *http.Client
	// Base is where the pages are; default https://www.youtube.com.
	Base string
	// Transcribe makes words of a sound file, for videos without captions; nil:
	// these are errors.
	Transcribe func(ctx context.Context, sound io.Reader) (string, error)
	// Languages are the captions' that are wanted, best first, such as "de";
	// those of the video's own language are taken when there are none of these.
	Languages []string
	MaxLength time.Duration // of a video; default 3 h
	MaxVideos int           // of a channel; default 50
	MaxSound  int64         // bytes of sound that are fetched; default 400 MB
	Timeout   time.Duration // for one page; default 30 s
}

const maxPage = 16 << 20 // bytes of a page; real ones have 1 to 2 MB

// Video is one entry of a channel.
type Video struct {
	ID    string
	Title string
}

// Source reads videos. It is safe for concurrent use.
type Source struct {
	opt  Options
	base *url.URL
}

// New checks the options.
func New(opt Options) (*Source, error) {
	opt.Base = cmp.Or(opt.Base, "https://www.youtube.com")
	base, err := url.Parse(opt.Base)
	if err != nil || base.Host == "" || opt.Client == nil {
		return nil, fmt.Errorf("video: a client and a base address are needed, got %q: %w", opt.Base, fault.Invalid)
	}
	opt.MaxLength = cmp.Or(opt.MaxLength, 3*time.Hour)
	opt.MaxVideos = cmp.Or(opt.MaxVideos, 50)
	opt.MaxSound = cmp.Or(opt.MaxSound, 400<<20)
	opt.Timeout = cmp.Or(opt.Timeout, 30*time.Second)
	return &Source{opt: opt, base: base}, nil
}

var (
	videoID   = regexp.MustCompile(`^[A-Za-z0-9_-]{11}$`)
	channelID = regexp.MustCompile(`^UC[A-Za-z0-9_-]{22}$`)
	handle    = regexp.MustCompile(`^@[\p{L}\p{N}._-]{3,30}$`)
)

// Address is what an address of YouTube names: one video, or a channel by the
// path of its page.
type Address struct {
	Video   string
	Channel string // such as /@name or /channel/UC…
}

// ParseAddress reads the forms of addresses that people copy: watch, shorts,
// live, embed, youtu.be, and channels by handle, id, /c/ and /user/. Others are
// fault.Invalid.
func ParseAddress(text string) (Address, error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	bad := fmt.Errorf("%q is not the address of a YouTube video or channel, such as https://www.youtube.com/watch?v=… or https://www.youtube.com/@name: %w", text, fault.Invalid)
	u, err := url.Parse(text)
	if err != nil {
		return Address{}, bad
	}
	parts := append(strings.Split(strings.Trim(u.Path, "/"), "/"), "")
	video := ""
	switch strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(u.Hostname()), "www."), "m.") {
	case "youtu.be":
		video = parts[0]
	case "youtube.com", "music.youtube.com", "youtube-nocookie.com":
		switch first := parts[0]; {
		case first == "watch":
			video = u.Query().Get("v")
		case first == "shorts" || first == "live" || first == "embed" || first == "v":
			video = parts[1]
		case handle.MatchString(first):
			return Address{Channel: "/" + first}, nil
		case first == "channel" && channelID.MatchString(parts[1]),
			(first == "c" || first == "user") && parts[1] != "":
			return Address{Channel: "/" + first + "/" + parts[1]}, nil
		}
	}
	if !videoID.MatchString(video) {
		return Address{}, bad
	}
	return Address{Video: video}, nil
}

// Read gives the words of one video. A section is about two minutes and its
// heading the time at which it begins.
func (s *Source) Read(ctx context.Context, id string) (parse.Document, error) {
	if !videoID.MatchString(id) {
		return parse.Document{}, fmt.Errorf("%q is not the id of a video: %w", id, fault.Invalid)
	}
	address := s.at("/watch?v=" + id)
	page, err := s.page(ctx, address.String())
	if err != nil {
		return parse.Document{}, fmt.Errorf("video %s: %w", id, err)
	}
	var p player
	if err := embedded(page, "ytInitialPlayerResponse", &p); err != nil {
		return parse.Document{}, fmt.Errorf("video %s: %w", id, err)
	}
	if err := s.playable(p); err != nil {
		return parse.Document{}, fmt.Errorf("video %s: %w", id, err)
	}
	doc := parse.Document{Title: p.Details.Title, Source: address.String()}
	track, ok := s.choose(p.Captions.List.Tracks)
	if ok {
		err = s.captions(ctx, track, &doc)
	}
	if !ok || errors.Is(err, errNoWords) {
		err = s.sound(ctx, p, &doc)
	}
	if err != nil {
		return parse.Document{}, fmt.Errorf("video %s: %w", id, err)
	}
	return doc, nil
}

// player is the part of ytInitialPlayerResponse that matters.
type player struct {
	Playability struct {
		Status string `json:"status"`
		Reason string `json:"reason"`
	} `json:"playabilityStatus"`
	Details struct {
		Title  string `json:"title"`
		Length string `json:"lengthSeconds"`
		Live   bool   `json:"isLive"`
	} `json:"videoDetails"`
	Captions struct {
		List struct {
			Tracks []track `json:"captionTracks"`
		} `json:"playerCaptionsTracklistRenderer"`
	} `json:"captions"`
	Streaming struct {
		Formats []format `json:"adaptiveFormats"`
	} `json:"streamingData"`
}

type track struct {
	Address  string `json:"baseUrl"`
	Language string `json:"languageCode"`
	Kind     string `json:"kind"` // asr: made by a machine
}

type format struct {
	Address string `json:"url"`
	Media   string `json:"mimeType"`
	Bitrate int    `json:"bitrate"`
}

// playable says why a video cannot be read.
func (s *Source) playable(p player) error {
	reason := strings.ToLower(p.Playability.Reason)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(reason, w) {
				return true
			}
		}
		return false
	}
	switch status := p.Playability.Status; {
	case status == "OK":
	case has("private"):
		return fmt.Errorf("it is private: make it public or unlisted: %w", fault.Denied)
	case status == "AGE_VERIFICATION_REQUIRED", status == "AGE_CHECK_REQUIRED", has("age", "inappropriate"):
		return fmt.Errorf("it is limited by age: only videos for everyone can be read: %w", fault.Denied)
	case has("country", "region"):
		return fmt.Errorf("it is not shown in the region of this server: %w", fault.Denied)
	case has("members", "purchase", "rent"):
		return fmt.Errorf("it is only for members or buyers: %w", fault.Denied)
	case has("bot"):
		return fmt.Errorf("YouTube takes this server for a robot and asks it to log in: try again later: %w", fault.Unavailable)
	case status == "LOGIN_REQUIRED":
		return fmt.Errorf("it is shown only to those who are logged in: only public videos can be read: %w", fault.Denied)
	case status == "LIVE_STREAM_OFFLINE":
		return fmt.Errorf("it has not begun yet: add it when it is over: %w", fault.Unavailable)
	case status == "":
		return fmt.Errorf("the page was not understood: it does not say whether the video can be played: %w", fault.Unavailable)
	default:
		return fmt.Errorf("it is not available: is the address right? %w", fault.NotFound)
	}
	if p.Details.Live {
		return fmt.Errorf("it is live: add it when it is over: %w", fault.Unavailable)
	}
	seconds, err := strconv.Atoi(p.Details.Length)
	if length := time.Duration(seconds) * time.Second; err == nil && length > s.opt.MaxLength {
		return fmt.Errorf("it is %v long, at most %v are read: %w", length, s.opt.MaxLength, fault.Invalid)
	}
	return nil
}

// choose takes the best captions: of the wanted languages in their order, then
// any; written by people before made by machines.
func (s *Source) choose(tracks []track) (best track, found bool) {
	rank := func(t track) int {
		r := len(s.opt.Languages)
		for i, l := range s.opt.Languages {
			if strings.EqualFold(t.Language, l) || strings.HasPrefix(strings.ToLower(t.Language), strings.ToLower(l)+"-") {
				r = i
				break
			}
		}
		r *= 2
		if t.Kind == "asr" {
			r++
		}
		return r
	}
	for _, t := range tracks {
		if t.Address != "" && (!found || rank(t) < rank(best)) {
			best, found = t, true
		}
	}
	return best, found
}

// sound fetches the smallest sound and has it transcribed.
func (s *Source) sound(ctx context.Context, p player, doc *parse.Document) error {
	if s.opt.Transcribe == nil {
		return fmt.Errorf("it has no captions, and no recogniser of speech is set up for files: add captions to it: %w", fault.Invalid)
	}
	var best format
	for _, f := range p.Streaming.Formats {
		if strings.HasPrefix(f.Media, "audio/") && f.Address != "" && (best.Address == "" || f.Bitrate < best.Bitrate) {
			best = f
		}
	}
	if best.Address == "" {
		return fmt.Errorf("it has no captions, and its sound cannot be fetched: add captions to it: %w", fault.Invalid)
	}
	at, err := s.own(best.Address)
	if err != nil {
		return err
	}
	resp, err := s.get(ctx, at)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	words, err := s.opt.Transcribe(ctx, &limited{r: resp.Body, left: s.opt.MaxSound})
	if err != nil {
		return fmt.Errorf("its sound could not be made words: %w", err)
	}
	for _, para := range pieces(words) {
		doc.Sections = append(doc.Sections, parse.Section{Text: para})
	}
	if len(doc.Sections) == 0 {
		return fmt.Errorf("it has no captions, and nobody speaks in it: %w", fault.Invalid)
	}
	doc.Warnings = append(doc.Warnings, "the video has no captions: its words were recognised from its sound and may hold mistakes")
	return nil
}

// pieces cuts a long text at words into lengths that a section may have.
func pieces(text string) []string {
	const length = 2000
	var out []string
	var cur strings.Builder
	for w := range strings.FieldsSeq(text) {
		if cur.Len()+len(w) > length {
			out = append(out, cur.String())
			cur.Reset()
		}
		if cur.Len() > 0 {
			cur.WriteByte(' ')
		}
		cur.WriteString(clip(w, length))
	}
	if cur.Len() > 0 {
		out = append(out, cur.String())
	}
	return out
}

// limited fails when a file is longer than it may be, so that no half of it is
// taken for the whole.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, fmt.Errorf("the sound is too long: %w", fault.Invalid)
	}
	return n, err
}

// embedded reads the object that a page assigns to a variable of its script.
func embedded(page []byte, variable string, into any) error {
	text := string(page)
	for {
		_, after, ok := strings.Cut(text, variable)
		if !ok {
			return fmt.Errorf("the page was not understood: it holds no %s: %w", variable, fault.Unavailable)
		}
		text = after
		value := strings.TrimLeft(after, " \"']")
		if value, ok = strings.CutPrefix(value, "="); !ok {
			continue
		}
		if value = strings.TrimLeft(value, " "); !strings.HasPrefix(value, "{") {
			continue
		}
		if err := json.NewDecoder(strings.NewReader(value)).Decode(into); err != nil {
			return fmt.Errorf("the page was not understood: %s is damaged (%w): %w", variable, err, fault.Unavailable)
		}
		return nil
	}
}
