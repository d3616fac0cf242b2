package twilio

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"flametree/engine/fault"
)

// Conn is a text connection. Read belongs to one goroutine; Write and Close may
// be called from any, and do not block. A frame that was written must not be
// changed afterwards. Read fails once the connection is closed by either side.
type Conn interface {
	Read() ([]byte, error)
	Write(text []byte) error
	Close(code int, reason string)
}

// Close codes of RFC 6455 7.4.1 that are used here.
const (
	closeNormal = 1000
	closePolicy = 1008
)

// Bounds of what a frame may hold.
const (
	maxSID        = 64
	maxParameters = 32
	maxValue      = 1024
)

// frame is any message of Media Streams that comes in. Numbers are strings.
type frame struct {
	Event    string `json:"event"`
	Sequence string `json:"sequenceNumber"`
	Stream   string `json:"streamSid"`
	Start    *struct {
		Stream     string            `json:"streamSid"`
		Account    string            `json:"accountSid"`
		Call       string            `json:"callSid"`
		Parameters map[string]string `json:"customParameters"`
		Format     struct {
			Encoding string `json:"encoding"`
			RateHz   int    `json:"sampleRate"`
			Channels int    `json:"channels"`
		} `json:"mediaFormat"`
	} `json:"start"`
	Media *struct {
		Track     string `json:"track"`
		Chunk     string `json:"chunk"`
		Timestamp string `json:"timestamp"`
		Payload   string `json:"payload"`
	} `json:"media"`
	DTMF *struct {
		Digit string `json:"digit"`
	} `json:"dtmf"`
	Mark *struct {
		Name string `json:"name"`
	} `json:"mark"`
}

// Started is what the start of a stream tells of its call.
type Started struct {
	Stream, Account, Call string
	Parameters            map[string]string // of the TwiML that asked for the stream
}

// sound is a media frame.
type sound struct {
	chunk   uint64 // from 1
	at      int64  // milliseconds since the stream began
	payload []byte // µ-law at 8 kHz
}

// message is one frame, read. Exactly one of its fields besides sequence is set.
type message struct {
	sequence  uint64 // 0 = not told
	connected bool
	start     *Started
	sound     *sound
	digit     byte
	mark      string
	stop      bool
	other     bool // of a kind that is not known: to be passed over
}

// parse reads a frame of Media Streams. What is wrong is fault.Invalid.
func parse(b []byte) (message, error) {
	var f frame
	if err := json.Unmarshal(b, &f); err != nil {
		return message{}, fmt.Errorf("stream frame of %d bytes: want a JSON object as Media Streams sends it: %w", len(b), fault.Invalid)
	}
	m := message{}
	if f.Sequence != "" {
		n, err := strconv.ParseUint(f.Sequence, 10, 63)
		if err != nil {
			return message{}, invalid("sequenceNumber", "a number in a string")
		}
		m.sequence = n
	}
	return m, m.fill(&f)
}

func invalid(place, want string) error {
	return fmt.Errorf("stream frame: %s: want %s: %w", place, want, fault.Invalid)
}

func (m *message) fill(f *frame) (err error) {
	switch f.Event {
	case "connected":
		m.connected = true
	case "start":
		m.start, err = f.started()
	case "media":
		m.sound, err = f.sound()
	case "dtmf":
		m.digit, err = f.digit()
	case "mark":
		if f.Mark == nil || f.Mark.Name == "" || len(f.Mark.Name) > maxSID {
			return invalid("mark.name", "the name of a mark that was sent")
		}
		m.mark = f.Mark.Name
	case "stop":
		m.stop = true
	case "":
		return invalid("event", "connected, start, media, dtmf, mark or stop")
	default:
		m.other = true
	}
	return err
}

func (f *frame) started() (*Started, error) {
	s := f.Start
	if s == nil {
		return nil, invalid("start", "an object")
	}
	for name, sid := range map[string]string{"streamSid": s.Stream, "accountSid": s.Account, "callSid": s.Call} {
		if !isSID(sid) {
			return nil, invalid("start."+name, "an identifier of letters and digits")
		}
	}
	if s.Format.Encoding != "audio/x-mulaw" || s.Format.RateHz != wireHz || s.Format.Channels != 1 {
		return nil, invalid("start.mediaFormat", "audio/x-mulaw at 8000 Hz on one channel")
	}
	if len(s.Parameters) > maxParameters {
		return nil, invalid("start.customParameters", "at most 32 parameters")
	}
	for k, v := range s.Parameters {
		if len(k) > maxValue || len(v) > maxValue || !utf8.ValidString(v) {
			return nil, invalid("start.customParameters", "at most 1024 bytes each")
		}
	}
	return &Started{Stream: s.Stream, Account: s.Account, Call: s.Call, Parameters: s.Parameters}, nil
}

// isSID: two letters and 32 hexadecimal digits, though nothing hangs on it.
func isSID(s string) bool {
	if s == "" || len(s) > maxSID {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

func (f *frame) sound() (*sound, error) {
	if f.Media == nil || f.Media.Track != "inbound" {
		return nil, invalid("media.track", "inbound")
	}
	s := &sound{}
	var err error
	if s.chunk, err = strconv.ParseUint(f.Media.Chunk, 10, 63); err != nil {
		return nil, invalid("media.chunk", "a number in a string")
	}
	if s.at, err = strconv.ParseInt(f.Media.Timestamp, 10, 63); err != nil || s.at < 0 {
		return nil, invalid("media.timestamp", "milliseconds in a string")
	}
	if s.payload, err = base64.StdEncoding.DecodeString(f.Media.Payload); err != nil || len(s.payload) == 0 {
		return nil, invalid("media.payload", "sound in base64")
	}
	return s, nil
}

func (f *frame) digit() (byte, error) {
	if f.DTMF == nil || !isDigit(f.DTMF.Digit) {
		return 0, invalid("dtmf.digit", "one of 0-9 * # A-D")
	}
	return f.DTMF.Digit[0], nil
}

func isDigit(s string) bool {
	return len(s) == 1 && (s[0] >= '0' && s[0] <= '9' || s[0] == '*' || s[0] == '#' || s[0] >= 'A' && s[0] <= 'D')
}

// The frames that go out. A stream's identifier holds nothing that JSON escapes.

func mediaFrame(stream string, payload []byte) []byte {
	b := make([]byte, 0, 64+len(stream)+base64.StdEncoding.EncodedLen(len(payload)))
	b = append(b, `{"event":"media","streamSid":"`...)
	b = append(b, stream...)
	b = append(b, `","media":{"payload":"`...)
	b = base64.StdEncoding.AppendEncode(b, payload)
	return append(b, `"}}`...)
}

func markFrame(stream string, n uint64) []byte {
	b := append([]byte(`{"event":"mark","streamSid":"`), stream...)
	b = append(b, `","mark":{"name":"`...)
	b = strconv.AppendUint(b, n, 10)
	return append(b, `"}}`...)
}

func clearFrame(stream string) []byte {
	b := append([]byte(`{"event":"clear","streamSid":"`), stream...)
	return append(b, `"}`...)
}
