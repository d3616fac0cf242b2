package wav

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"flametree/engine/fault"
)

// file builds a WAV by hand: chunks in the given order.
func file(chunks ...[]byte) []byte {
	body := append([]byte("WAVE"), bytes.Join(chunks, nil)...)
	out := append([]byte("RIFF"), le32(len(body))...)
	return append(out, body...)
}

func chunk(name string, body []byte) []byte {
	out := append([]byte(name), le32(len(body))...)
	out = append(out, body...)
	if len(body)%2 == 1 {
		out = append(out, 0)
	}
	return out
}

func format16(code, channels, rate, bits int) []byte {
	block := channels * bits / 8
	return slices.Concat(le16(code), le16(channels), le32(rate), le32(rate*block), le16(block), le16(bits))
}

func le16(v int) []byte { return binary.LittleEndian.AppendUint16(nil, uint16(v)) }
func le32(v int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }

func TestReadsEveryFormat(t *testing.T) {
	guid := []byte{0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71}
	tests := map[string]struct {
		in   []byte
		want Audio
	}{
		"8 bits":    {file(chunk("fmt ", format16(1, 1, 8000, 8)), chunk("data", []byte{128, 255, 0})), Audio{8000, 1, []int16{0, 127 << 8, -128 << 8}}},
		"16 bits":   {file(chunk("fmt ", format16(1, 1, 16000, 16)), chunk("data", []byte{1, 0, 0xFF, 0xFF})), Audio{16000, 1, []int16{1, -1}}},
		"24 bits":   {file(chunk("fmt ", format16(1, 1, 44100, 24)), chunk("data", []byte{9, 1, 0, 9, 0xFF, 0xFF})), Audio{44100, 1, []int16{1, -1}}},
		"32 bits":   {file(chunk("fmt ", format16(1, 1, 48000, 32)), chunk("data", []byte{9, 9, 1, 0, 9, 9, 0xFF, 0xFF})), Audio{48000, 1, []int16{1, -1}}},
		"µ-law":     {file(chunk("fmt ", format16(7, 1, 8000, 8)), chunk("data", []byte{0xFF, 0x80})), Audio{8000, 1, []int16{0, 32124}}},
		"A-law":     {file(chunk("fmt ", format16(6, 1, 8000, 8)), chunk("data", []byte{0xD5})), Audio{8000, 1, []int16{8}}},
		"stereo":    {file(chunk("fmt ", format16(1, 2, 8000, 16)), chunk("data", []byte{1, 0, 2, 0})), Audio{8000, 2, []int16{1, 2}}},
		"odd chunk": {file(chunk("LIST", []byte("abc")), chunk("fmt ", format16(1, 1, 8000, 16)), chunk("x", nil)[:0], chunk("data", []byte{5, 0})), Audio{8000, 1, []int16{5}}},
		"chunks after the samples": {
			file(chunk("fmt ", format16(1, 1, 8000, 16)), chunk("data", []byte{5, 0}), chunk("LIST", []byte("xx"))),
			Audio{8000, 1, []int16{5}},
		},
		"extensible": {
			file(chunk("fmt ", slices.Concat(format16(0xFFFE, 1, 8000, 16), le16(22), le16(16), le32(0), le16(1), guid)), chunk("data", []byte{5, 0})),
			Audio{8000, 1, []int16{5}},
		},
		"from a pipe, size unknown": {
			append(file(chunk("fmt ", format16(1, 1, 8000, 16))), append([]byte("data\xff\xff\xff\xff"), 5, 0, 6, 0)...),
			Audio{8000, 1, []int16{5, 6}},
		},
		"half a sample at the end": {file(chunk("fmt ", format16(1, 1, 8000, 16)), chunk("data", []byte{5, 0, 6})), Audio{8000, 1, []int16{5}}},
		"no samples":               {file(chunk("fmt ", format16(1, 1, 8000, 16)), chunk("data", nil)), Audio{8000, 1, []int16{}}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Read(bytes.NewReader(tc.in), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if got.RateHz != tc.want.RateHz || got.Channels != tc.want.Channels || !slices.Equal(got.PCM, tc.want.PCM) {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestSaysWhatIsWrongAndWhere(t *testing.T) {
	good := chunk("fmt ", format16(1, 1, 8000, 16))
	tests := map[string]struct {
		in   []byte
		want string
	}{
		"empty":                {nil, "byte 0"},
		"another kind of file": {[]byte("OggS and so on and on"), "byte 0"},
		"only a header":        {file(), "byte 12: the file ends without samples"},
		"samples first":        {file(chunk("data", []byte{1, 2}), good), "byte 12"},
		"truncated samples":    {file(good, chunk("data", make([]byte, 100))[:50]), "byte 36: 100 bytes of samples are announced, 42 are there"},
		"truncated chunk":      {file(chunk("LIST", make([]byte, 100))[:50]), `byte 12: chunk "LIST" has 100 bytes`},
		"short format":         {file(chunk("fmt ", make([]byte, 10))), "byte 12: the format has 10 bytes"},
		"mp3 inside":           {file(chunk("fmt ", format16(85, 1, 8000, 16))), "format 85"},
		"floating point":       {file(chunk("fmt ", format16(3, 1, 8000, 32))), "format 3"},
		"six channels":         {file(chunk("fmt ", format16(1, 6, 8000, 16))), "6 channels"},
		"no rate":              {file(chunk("fmt ", format16(1, 1, 0, 16))), "0 Hz"},
		"blocks do not fit":    {file(chunk("fmt ", append(format16(1, 2, 8000, 16)[:12], 3, 0, 16, 0))), "blocks of 3 bytes"},
		"extensible, cut":      {file(chunk("fmt ", format16(0xFFFE, 1, 8000, 16))), "want 40"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Decode(tc.in)
			if !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %+v, %v; want %q", got, err, tc.want)
			}
		})
	}
}

func TestLimit(t *testing.T) {
	in := file(chunk("fmt ", format16(1, 1, 8000, 16)), chunk("data", make([]byte, 1000)))
	if _, err := Read(bytes.NewReader(in), Limits{Bytes: 500}); !errors.Is(err, fault.Exhausted) {
		t.Errorf("%v, want fault.Exhausted", err)
	}
	if _, err := Read(bytes.NewReader(in), Limits{Bytes: int64(len(in))}); err != nil {
		t.Error(err)
	}
}

func TestWriteThenRead(t *testing.T) {
	want := Audio{RateHz: 8000, Channels: 2, PCM: []int16{1, -1, 32767, -32768}}
	var b bytes.Buffer
	if err := Write(&b, want); err != nil {
		t.Fatal(err)
	}
	got, err := Decode(b.Bytes())
	if err != nil || got.RateHz != 8000 || got.Channels != 2 || !slices.Equal(got.PCM, want.PCM) {
		t.Fatalf("%+v, %v", got, err)
	}
	if l, r, m := got.Channel(0), got.Channel(1), got.Mono(); !slices.Equal(l, []int16{1, 32767}) || !slices.Equal(r, []int16{-1, -32768}) || !slices.Equal(m, []int16{0, 0}) {
		t.Errorf("left %v, right %v, mono %v", l, r, m)
	}
	if got.Length() != 250*time.Microsecond {
		t.Errorf("lasts %v", got.Length())
	}
	if err := Write(io.Discard, Audio{}); !errors.Is(err, fault.Invalid) {
		t.Errorf("no audio: %v, want fault.Invalid", err)
	}
}

func TestAHugeHeaderSaysUntilTheEnd(t *testing.T) {
	h := Header(8000, 2, 5<<30)
	if binary.LittleEndian.Uint32(h[40:]) != unknownSize {
		t.Errorf("% x", h)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(file(chunk("fmt ", format16(1, 2, 8000, 24)), chunk("data", make([]byte, 30))))
	f.Add(file(chunk("LIST", []byte("abc")), chunk("fmt ", format16(7, 1, 8000, 8)), chunk("data", []byte{1})))
	f.Add(append(file(chunk("fmt ", format16(6, 1, 8000, 8))), []byte("data\xff\xff\xff\xff123")...))
	f.Fuzz(func(t *testing.T, in []byte) {
		a, err := Decode(in)
		if err != nil {
			if !errors.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		if len(a.PCM) > len(in) || len(a.PCM)%a.Channels != 0 {
			t.Fatalf("%d samples in %d channels from %d bytes", len(a.PCM), a.Channels, len(in))
		}
		a.Mono()
	})
}
