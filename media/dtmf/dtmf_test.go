package dtmf

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"flametree/engine/fault"
)

type packet struct {
	ms     int // since the packet before
	stamp  uint32
	marker bool
	event  Event
}

func press(key byte, stamp uint32, marker bool, durations ...uint16) []packet {
	code, _ := Code(key)
	var out []packet
	for i, d := range durations {
		out = append(out, packet{20, stamp, marker && i == 0, Event{Code: code, Duration: d}})
	}
	return out
}

func end(key byte, stamp uint32, duration uint16, times int) []packet {
	code, _ := Code(key)
	return slices.Repeat([]packet{{20, stamp, false, Event{Code: code, End: true, Duration: duration}}}, times)
}

func TestDecoder(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	tests := map[string]struct {
		in   []packet
		wait int // ms of silence at the end
		want []Digit
	}{
		"a key with the marker bit": {
			slices.Concat(press('5', 1000, true, 160, 320, 480), end('5', 1000, 640, 3)), 0, []Digit{{'5', ms(80)}},
		},
		"a key without the marker bit": {
			slices.Concat(press('#', 1000, false, 160, 320), end('#', 1000, 480, 3)), 0, []Digit{{'#', ms(60)}},
		},
		"only one end packet got through": {
			end('1', 77, 800, 1), 0, []Digit{{'1', ms(100)}},
		},
		"all ends lost, then silence": {
			press('9', 1000, true, 160, 320, 480), 140, []Digit{{'9', ms(60)}},
		},
		"all ends lost, not yet silent for long": {
			press('9', 1000, true, 160, 320, 480), 100, nil,
		},
		"all ends lost, then another key": {
			slices.Concat(press('1', 1000, true, 160, 320), press('2', 3000, true, 160), end('2', 3000, 320, 3)), 0,
			[]Digit{{'1', ms(40)}, {'2', ms(40)}},
		},
		"the same key twice": {
			slices.Concat(press('3', 1000, true, 160), end('3', 1000, 320, 3), press('3', 4000, true, 160), end('3', 4000, 320, 3)), 0,
			[]Digit{{'3', ms(40)}, {'3', ms(40)}},
		},
		"the same key twice, no marker, all ends of the first lost": {
			slices.Concat(press('3', 1000, false, 160, 320), press('3', 4000, false, 160), end('3', 4000, 320, 3)), 0,
			[]Digit{{'3', ms(40)}, {'3', ms(40)}},
		},
		"the end overtakes a packet of the middle": {
			slices.Concat(press('4', 1000, true, 160), end('4', 1000, 480, 1), press('4', 1000, false, 320), end('4', 1000, 480, 2)), 200,
			[]Digit{{'4', ms(60)}},
		},
		"the duration rolls back by reordering": {
			slices.Concat(press('4', 1000, true, 160, 640, 320), end('4', 1000, 640, 3)), 0, []Digit{{'4', ms(80)}},
		},
		"a key held beyond one segment": {
			slices.Concat(press('0', 1000, true, 160, 65535), press('0', 1000+65535, false, 160, 320), end('0', 1000+65535, 8000, 3)), 0,
			[]Digit{{'0', time.Duration(65535+8000) * time.Second / 8000}},
		},
		"a gateway that moves the timestamp with each packet": {
			slices.Concat(press('7', 1000, true, 160), press('7', 1160, false, 320), press('7', 1320, false, 480), end('7', 1320, 640, 3)), 0,
			[]Digit{{'7', ms(80)}},
		},
		"a late packet of the key before": {
			slices.Concat(press('1', 1000, true, 160), end('1', 1000, 320, 2), press('2', 3000, true, 160), end('1', 1000, 320, 1), end('2', 3000, 320, 3)), 0,
			[]Digit{{'1', ms(40)}, {'2', ms(40)}},
		},
		"the timestamp wraps between two keys": {
			slices.Concat(press('1', 0xFFFFFF00, true, 160), end('1', 0xFFFFFF00, 320, 3), press('2', 0x800, true, 160), end('2', 0x800, 320, 3)), 0,
			[]Digit{{'1', ms(40)}, {'2', ms(40)}},
		},
		"hook flash is no digit": {
			[]packet{{20, 1000, true, Event{Code: 16, End: true, Duration: 800}}}, 200, nil,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			d := NewDecoder(8000)
			now := time.Unix(100, 0)
			var got []Digit
			for i, p := range tc.in {
				now = now.Add(time.Duration(p.ms) * time.Millisecond)
				var payload [Size]byte
				p.event.Put(payload[:])
				var err error
				if got, err = d.Push(now, p.stamp, p.marker, payload[:], got); err != nil {
					t.Fatalf("packet %d: %v", i, err)
				}
				got = d.Tick(now, got)
			}
			got = d.Tick(now.Add(ms(tc.wait)), got)
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestShortPayloadIsRefused(t *testing.T) {
	d := NewDecoder(8000)
	if _, err := d.Push(time.Unix(0, 0), 1, true, []byte{1, 2, 3}, nil); !errors.Is(err, fault.Invalid) {
		t.Errorf("three bytes: %v, want fault.Invalid", err)
	}
}

func TestKeysAndCodes(t *testing.T) {
	for code := range uint8(16) {
		if got, ok := Code(Key(code)); !ok || got != code {
			t.Errorf("code %d became key %c became %d", code, Key(code), got)
		}
	}
	if got, ok := Code('b'); !ok || Key(got) != 'B' {
		t.Error("small letters are keys too")
	}
	if _, ok := Code('x'); ok || Key(16) != 0 {
		t.Error("x and flash are no keys")
	}
}

// Whatever keys are pressed and whichever packets are lost, as long as one of
// each key gets through, every key is told once and in order.
func TestEveryKeyIsToldOnceThroughLoss(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pressed := rapid.SliceOfN(rapid.SampledFrom([]byte(keys)), 1, 6).Draw(t, "keys")
		marker := rapid.Bool().Draw(t, "sender sets the marker")
		var enc Encoder
		dec := NewDecoder(8000)
		now, stamp := time.Unix(50, 0), uint32(rapid.Uint32().Draw(t, "timestamp"))
		var got []Digit
		for _, key := range pressed {
			if err := enc.Press(key, time.Duration(rapid.IntRange(40, 400).Draw(t, "ms"))*time.Millisecond, 8000); err != nil {
				t.Fatal(err)
			}
			through := false
			for enc.Busy() {
				p, ok := enc.Next()
				ending := p.Payload[1]&0x80 != 0
				if ok && (!rapid.Bool().Draw(t, "lost") || ending && !through) {
					through = true
					var err error
					if got, err = dec.Push(now, stamp-uint32(p.Offset), p.Marker && marker, p.Payload[:], got); err != nil {
						t.Fatal(err)
					}
				}
				now, stamp = now.Add(20*time.Millisecond), stamp+160
				got = dec.Tick(now, got)
			}
			now, stamp = now.Add(200*time.Millisecond), stamp+1600
			got = dec.Tick(now, got)
		}
		var told []byte
		for _, d := range got {
			told = append(told, d.Key)
		}
		if string(told) != string(pressed) {
			t.Fatalf("pressed %q, told %q", pressed, told)
		}
	})
}

func TestEncoder(t *testing.T) {
	var e Encoder
	if err := e.Press('5', 100*time.Millisecond, 8000); err != nil {
		t.Fatal(err)
	}
	if err := e.Press('6', 0, 8000); !errors.Is(err, fault.Conflict) {
		t.Errorf("a second key while one is down: %v, want fault.Conflict", err)
	}
	var got []Event
	frames := 0
	for ; e.Busy() && frames < 100; frames++ {
		if p, ok := e.Next(); ok {
			ev, err := Parse(p.Payload[:])
			if err != nil || p.Marker != (frames == 0) || p.Offset != frames*160 {
				t.Errorf("packet %d: %+v, %v", frames, p, err)
			}
			got = append(got, ev)
		}
	}
	want := []Event{
		{5, false, 10, 160},
		{5, false, 10, 320},
		{5, false, 10, 480},
		{5, false, 10, 640},
		{5, true, 10, 800},
		{5, true, 10, 800},
		{5, true, 10, 800},
	}
	if !slices.Equal(got, want) || frames != 10 {
		t.Errorf("got %v in %d frames, want %v in 10", got, frames, want)
	}
	if err := e.Press('!', 0, 8000); !errors.Is(err, fault.Invalid) {
		t.Errorf("'!': %v, want fault.Invalid", err)
	}
}

func TestNoAllocation(t *testing.T) {
	d := NewDecoder(8000)
	var payload [Size]byte
	Event{Code: 3, End: true, Duration: 800}.Put(payload[:])
	dst := make([]Digit, 0, 4)
	stamp := uint32(0)
	if n := testing.AllocsPerRun(100, func() {
		stamp += 4000
		dst, _ = d.Push(time.Unix(1, 0), stamp, true, payload[:], dst[:0])
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

// No bytes from outside may panic, and what is told is always a key with a
// length a clock can hold.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte{5, 0x8A, 0, 160, 0, 0, 3, 232, 1})
	f.Add([]byte{16, 0x80, 0xFF, 0xFF, 0, 0, 0, 0, 0, 1, 2, 3})
	f.Add([]byte{1, 0x0A, 0xFF, 0xFF, 0, 0, 0, 0, 1, 1, 0x0A, 0, 1, 0, 0, 0xFF, 0xFF, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		d := NewDecoder(8000)
		now := time.Unix(0, 0)
		for len(in) > 0 {
			n := min(9, len(in))
			chunk := in[:n]
			in = in[n:]
			var stamp uint32
			for _, b := range chunk[min(4, n):] {
				stamp = stamp<<8 | uint32(b)
			}
			got, err := d.Push(now, stamp, chunk[0]&1 == 1, chunk[:min(4, n)], nil)
			if err != nil && !errors.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			now = now.Add(20 * time.Millisecond)
			for _, digit := range d.Tick(now, got) {
				if _, ok := Code(digit.Key); !ok || digit.Length < 0 {
					t.Fatalf("told %+v", digit)
				}
			}
		}
	})
}
