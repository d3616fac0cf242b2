package twiliotest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"flametree/media/g711"
)

const (
	frameTime  = 20 * time.Millisecond
	frameBytes = 160
)

// StreamOptions say what a Stream tells of its call.
type StreamOptions struct {
	Stream, Account, Call string
	Parameters            map[string]string
	Deaf                  bool // never sends a mark back
}

// Seen is a frame that came, and when.
type Seen struct {
	At    time.Time
	Event string // media mark clear
	Bytes int
	Mark  string
}

// Stream is the far end of a Media Stream: a caller who hears in real time.
type Stream struct {
	sock Socket
	o    StreamOptions
	wg   sync.WaitGroup
	stop chan struct{}
	once sync.Once

	mu       sync.Mutex // guards what follows
	err      error
	sequence int
	chunk    int
	began    time.Time
	say      []byte // of the caller, still to be sent
	buffer   []item // to be played
	left     int    // bytes of sound in buffer
	ahead    int    // bytes that came since the last mark that was sent back
	most     int    // the greatest ahead
	heard    []byte // what the caller heard, silence left out
	holes    int    // ticks without sound between two with sound and no clear
	dry      int
	seen     []Seen
}

type item struct {
	sound []byte
	mark  string
}

// Streams begins a stream on a socket: connected and start are sent, then a
// frame of the caller's sound every 20 ms until Stop or the end of the socket.
func Streams(s Socket, o StreamOptions) *Stream {
	t := &Stream{sock: s, o: o, stop: make(chan struct{}), began: time.Now()}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.put(map[string]any{"event": "connected", "protocol": "Call", "version": "1.0.0"})
	params := o.Parameters
	if params == nil {
		params = map[string]string{}
	}
	t.send("start", map[string]any{"start": map[string]any{
		"streamSid": o.Stream, "accountSid": o.Account, "callSid": o.Call, "tracks": []string{"inbound"}, "customParameters": params,
		"mediaFormat": map[string]any{"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
	}})
	t.wg.Go(t.read)
	t.wg.Go(t.clock)
	return t
}

// Wait waits for the end of the stream and tells the first thing that was not
// as it is published.
func (t *Stream) Wait() error {
	t.wg.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Stop says stop, as when the caller hangs up, and closes the socket.
func (t *Stream) Stop() error {
	t.mu.Lock()
	t.send("stop", map[string]any{"stop": map[string]any{"accountSid": t.o.Account, "callSid": t.o.Call}})
	t.mu.Unlock()
	t.end()
	t.sock.Close(1000, "")
	t.wg.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

func (t *Stream) end() { t.once.Do(func() { close(t.stop) }) }

// Say queues what the caller says, at 8 kHz.
func (t *Stream) Say(pcm []int16) {
	coded := make([]byte, len(pcm))
	g711.MuLaw.Encode(coded, pcm)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.say = append(t.say, coded...)
}

// Press presses a key.
func (t *Stream) Press(digit string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.send("dtmf", map[string]any{"dtmf": map[string]any{"track": "inbound_track", "digit": digit}})
}

// Raw sends any frame.
func (t *Stream) Raw(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.sock.Write([]byte(text))
}

// Skip loses n frames of sound: the numbers go on without them.
func (t *Stream) Skip(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.chunk += n
	t.sequence += n
	t.began = t.began.Add(-time.Duration(n) * frameTime)
}

// Heard is the sound that was played so far.
func (t *Stream) Heard() []int16 {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]int16, len(t.heard))
	g711.MuLaw.Decode(out, t.heard)
	return out
}

// Seen lists the frames that came.
func (t *Stream) Seen() []Seen {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.seen)
}

// MostAhead is the most sound that ever came beyond the last mark sent back.
func (t *Stream) MostAhead() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Duration(t.most) * time.Second / 8000
}

// Holes counts the ticks at which a reply had run dry and went on afterwards.
func (t *Stream) Holes() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.holes
}

func (t *Stream) put(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	_ = t.sock.Write(b) // a lost socket ends the reader
}

func (t *Stream) send(event string, v map[string]any) {
	t.sequence++
	v["event"], v["sequenceNumber"], v["streamSid"] = event, strconv.Itoa(t.sequence), t.o.Stream
	t.put(v)
}

// clock is the caller's: 20 ms are said and heard at each tick.
func (t *Stream) clock() {
	tick := time.NewTicker(frameTime)
	defer tick.Stop()
	for {
		select {
		case <-t.stop:
			return
		case <-tick.C:
		}
		t.mu.Lock()
		t.play()
		t.talk()
		t.mu.Unlock()
	}
}

func (t *Stream) talk() {
	payload := bytes.Repeat([]byte{g711.MuLaw.Idle()}, frameBytes)
	t.say = t.say[copy(payload, t.say):]
	t.chunk++
	t.send("media", map[string]any{"media": map[string]any{
		"track": "inbound", "chunk": strconv.Itoa(t.chunk), "timestamp": strconv.FormatInt(int64(t.chunk-1)*20, 10),
		"payload": base64.StdEncoding.EncodeToString(payload),
	}})
}

// play hears one frame and sends back the marks that were reached.
func (t *Stream) play() {
	need := frameBytes
	if t.left == 0 {
		t.dry++
	} else {
		if len(t.heard) > 0 {
			t.holes += t.dry
		}
		t.dry = 0
	}
	for len(t.buffer) > 0 {
		one := &t.buffer[0]
		if one.mark != "" {
			t.back(one.mark)
			t.buffer = t.buffer[1:]
			continue
		}
		if need == 0 {
			return
		}
		n := min(need, len(one.sound))
		t.heard = append(t.heard, one.sound[:n]...)
		one.sound = one.sound[n:]
		need -= n
		t.left -= n
		if len(one.sound) == 0 {
			t.buffer = t.buffer[1:]
		}
	}
}

func (t *Stream) back(mark string) {
	if t.o.Deaf {
		return
	}
	// What stands behind this mark is all that is still ahead.
	t.ahead = t.left
	t.send("mark", map[string]any{"mark": map[string]any{"name": mark}})
}

func (t *Stream) read() {
	defer t.end()
	for {
		b, err := t.sock.Read()
		if err != nil {
			return
		}
		t.mu.Lock()
		err = t.take(b)
		if err != nil && t.err == nil {
			t.err = fmt.Errorf("%w: %.200s", err, b)
		}
		t.mu.Unlock()
	}
}

// told is what may come, and nothing else.
type told struct {
	Event  string `json:"event"`
	Stream string `json:"streamSid"`
	Media  *struct {
		Payload string `json:"payload"`
	} `json:"media"`
	Mark *struct {
		Name string `json:"name"`
	} `json:"mark"`
}

func (t *Stream) take(b []byte) error {
	var f told
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return err
	}
	if f.Stream != t.o.Stream {
		return fmt.Errorf("streamSid %q is not this stream's", f.Stream)
	}
	seen := Seen{At: time.Now(), Event: f.Event}
	switch {
	case f.Event == "media" && f.Media != nil && f.Mark == nil:
		sound, err := base64.StdEncoding.DecodeString(f.Media.Payload)
		if err != nil || len(sound) == 0 {
			return fmt.Errorf("media.payload: %w", err)
		}
		t.buffer = append(t.buffer, item{sound: sound})
		t.left += len(sound)
		t.ahead += len(sound)
		t.most = max(t.most, t.ahead)
		seen.Bytes = len(sound)
	case f.Event == "mark" && f.Mark != nil && f.Media == nil && f.Mark.Name != "":
		seen.Mark = f.Mark.Name
		t.buffer = append(t.buffer, item{mark: f.Mark.Name})
	case f.Event == "clear" && f.Mark == nil && f.Media == nil:
		t.clear()
	default:
		return fmt.Errorf("event %q with these fields", f.Event)
	}
	t.seen = append(t.seen, seen)
	return nil
}

// clear drops the buffer; its marks are sent back at once, as is published.
func (t *Stream) clear() {
	old := t.buffer
	t.buffer, t.left, t.dry = nil, 0, 0
	for _, one := range old {
		if one.mark != "" {
			t.back(one.mark)
		}
	}
	t.ahead = 0
}
