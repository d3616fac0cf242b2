package transcript_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"flametree/engine/fault"
	"flametree/engine/knowledge/ingest"
	"flametree/engine/knowledge/ingest/transcript"
	"flametree/engine/provider"
	"flametree/engine/provider/pocketsphinx"
)

// TestMain is also the child that decodes.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ingest.Command {
		os.Exit(ingest.Main(os.Args[2:], os.Stdin, os.Stdout))
	}
	goleak.VerifyTestMain(m)
}

func options(t testing.TB, ears provider.Transcriber) transcript.Options {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	t.Cleanup(func() {
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left, "nothing is left behind")
	})
	return transcript.Options{Read: ingest.Options{Self: []string{exe}, Dir: dir}, Ears: ears}
}

// made lets ffmpeg make a file.
func made(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	out, err := exec.Command("ffmpeg", append(append([]string{"-nostdin", "-loglevel", "error", "-y"}, args...), path)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

// spoken is what flite says of a text, as a WAV file.
func spoken(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "said.wav")
	out, err := exec.Command("flite", "-voice", "slt", "-t", text, "-o", path).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

const talk = "The museum opens at nine. A ticket costs twelve euros. Children pay nothing. The last boat leaves at seven."

// Every kind of file that the wizard accepts is heard by the built-in recogniser.
func TestRecordingsAreHeard(t *testing.T) {
	ears := pocketsphinx.New(pocketsphinx.Options{Dir: t.TempDir()})
	wav := spoken(t, talk)
	for name, args := range map[string][]string{
		"talk.wav": {"-i", wav},
		"talk.mp3": {"-i", wav, "-b:a", "96k"},
		"talk.m4u": {"-i", wav, "-c:a", "aac", "-f", "mp4"},
		"talk.mp4": {"-f", "lavfi", "-i", "testsrc=size=128x96:rate=5", "-i", wav, "-shortest", "-c:v", "mpeg4", "-c:a", "aac"},
		"talk.mov": {"-f", "lavfi", "-i", "testsrc=size=128x96:rate=5", "-i", wav, "-shortest", "-c:v", "mpeg4", "-c:a", "aac"},
		"talk.avi": {"-f", "lavfi", "-i", "testsrc=size=128x96:rate=5", "-i", wav, "-shortest", "-c:v", "mpeg4", "-c:a", "mp3"},
	} {
		t.Run(name, func(t *testing.T) {
			opt := options(t, ears)
			opt.Hints = provider.Hints{Key: "museum", Texts: strings.Split(talk, ". ")}
			var heard time.Duration
			opt.Told = func(d time.Duration) { require.GreaterOrEqual(t, d, heard); heard = d }
			begun := time.Now()
			doc, err := transcript.Read(t.Context(), opt, bytes.NewReader(made(t, name, args...)), name)
			require.NoError(t, err)
			require.Len(t, doc.Sections, 1)
			require.Equal(t, "0:00", doc.Sections[0].Heading)
			require.NotEmpty(t, doc.Warnings)
			text := doc.Sections[0].Text
			found := 0
			for w := range strings.FieldsSeq("museum opens nine ticket twelve euros children nothing boat seven") {
				if strings.Contains(text, w) {
					found++
				}
			}
			require.GreaterOrEqual(t, found, 8, text)
			require.Greater(t, heard, 5*time.Second)
			t.Logf("figure: %v of %s heard in %v: %d of 10 words", heard.Round(100*time.Millisecond), name, time.Since(begun).Round(10*time.Millisecond), found)
		})
	}
}

// ears hear how many samples each stretch had.
type ears struct {
	most int   // samples that came before a final was asked for
	fail error // instead of the second final
	mute bool
}

type stream struct {
	*ears
	ctx    context.Context
	n      int
	finals chan int
}

// Open implements provider.Transcriber.
func (e *ears) Open(ctx context.Context, _ provider.Format) (provider.Transcription, error) {
	return &stream{ears: e, ctx: ctx, finals: make(chan int, 1000)}, nil
}

// Write implements provider.Transcription.
func (s *stream) Write(pcm []int16) error { s.n += len(pcm); s.most = max(s.most, s.n); return nil }

// Finalize implements provider.Transcription.
func (s *stream) Finalize() error { s.finals <- s.n; s.n = 0; return nil }

// CloseSend implements provider.Transcription.
func (s *stream) CloseSend() error {
	if s.n > 0 {
		s.finals <- s.n
	}
	close(s.finals)
	return nil
}

// Heard implements provider.Transcription.
func (s *stream) Heard() iter.Seq2[provider.Hearing, error] {
	return func(yield func(provider.Hearing, error) bool) {
		for i := 0; ; i++ {
			select {
			case n, ok := <-s.finals:
				if !ok || s.fail != nil && i == 1 && !yield(provider.Hearing{}, s.fail) {
					return
				}
				h := provider.Hearing{Final: true, Text: fmt.Sprintf("%d", n/ingest.SoundRate)}
				if s.mute {
					h.Text = ""
				}
				if !yield(provider.Hearing{Text: "partial"}, nil) || !yield(h, nil) {
					return
				}
			case <-s.ctx.Done():
				return
			}
		}
	}
}

// A recogniser is never ahead of by more than it can hold, and pauses are where
// a recording is cut.
func TestALongRecordingIsCutWhereItIsQuiet(t *testing.T) {
	e := &ears{}
	// 4 s of sound, 1 s of silence, 20 times; then 10 s without a pause.
	file := made(t, "a.flac", "-f", "lavfi", "-i",
		"aevalsrc='0.3*sin(880*t)*(lt(mod(t,5),4)+gt(t,100))':d=110:s=16000")
	doc, err := transcript.Read(t.Context(), options(t, e), bytes.NewReader(file), "a.flac")
	require.NoError(t, err)
	require.LessOrEqual(t, e.most, 7*ingest.SoundRate)
	text := doc.Sections[0].Text
	require.Len(t, doc.Sections, 1)
	want := "4" + strings.Repeat(" 5", 19) + " 7 3"
	require.Equal(t, want, text, "seconds of each stretch: to each pause, and where nobody pauses all the same")
}

func TestRecordingsThatCannotBeHeard(t *testing.T) {
	tone := made(t, "tone.wav", "-f", "lavfi", "-i", "sine=d=12:r=16000")
	film := made(t, "film.mp4", "-f", "lavfi", "-i", "testsrc=size=128x96:rate=5:duration=1", "-c:v", "mpeg4")
	secret := filepath.Join(t.TempDir(), "secret.wav")
	require.NoError(t, os.WriteFile(secret, tone, 0o600))
	for name, c := range map[string]struct {
		file []byte
		ears *ears
		set  func(*transcript.Options)
		kind fault.Kind
		want string
	}{
		"no recording":            {file: []byte("words, no sound"), kind: fault.Invalid, want: "is no recording that is known here"},
		"a film without sound":    {file: film, kind: fault.Invalid, want: "holds no sound"},
		"a list of other files":   {file: []byte("ffconcat version 1.0\nfile '" + secret + "'\n"), kind: fault.Invalid, want: "is no recording"},
		"a list for streaming":    {file: []byte("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://" + secret + "\n#EXT-X-ENDLIST\n"), kind: fault.Invalid, want: "is no recording"},
		"too long":                {file: tone, set: func(o *transcript.Options) { o.MaxLength = 5 * time.Second }, kind: fault.Invalid, want: "is longer than 5s"},
		"too large":               {file: tone, set: func(o *transcript.Options) { o.Read.MaxBytes = 1000 }, kind: fault.Invalid, want: "is longer than 0 MB"},
		"nobody speaks":           {file: tone, ears: &ears{mute: true}, kind: fault.Invalid, want: "nobody was understood"},
		"a recogniser that fails": {file: tone, ears: &ears{fail: fmt.Errorf("quota: %w", fault.Exhausted)}, kind: fault.Exhausted, want: "the recogniser of speech: quota"},
		"nothing":                 {file: nil, kind: fault.Invalid, want: "is no recording"},
	} {
		t.Run(name, func(t *testing.T) {
			e := c.ears
			if e == nil {
				e = &ears{}
			}
			opt := options(t, e)
			if c.set != nil {
				c.set(&opt)
			}
			_, err := transcript.Read(t.Context(), opt, bytes.NewReader(c.file), "talk.mp4")
			require.Error(t, err)
			require.Equal(t, c.kind, fault.KindOf(err), "%v", err)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), secret)
		})
	}
	_, err := transcript.Read(t.Context(), transcript.Options{}, bytes.NewReader(tone), "talk.mp4")
	require.ErrorIs(t, err, fault.Invalid)
}

// Damage in the middle costs what comes after it, not the whole.
func TestADamagedRecordingIsHeardToTheDamage(t *testing.T) {
	file := made(t, "a.mp3", "-f", "lavfi", "-i", "sine=d=20:r=16000")
	doc, err := transcript.Read(t.Context(), options(t, &ears{}), bytes.NewReader(file[:len(file)/2]), "a.mp3")
	require.NoError(t, err)
	require.NotEmpty(t, doc.Sections)
}

func TestCancellingEndsTheHearing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	opt := options(t, &ears{})
	opt.Told = func(time.Duration) { cancel() }
	_, err := transcript.Read(ctx, opt, bytes.NewReader(made(t, "a.wav", "-f", "lavfi", "-i", "sine=d=60:r=16000")), "a.wav")
	require.Error(t, err)
	require.Equal(t, fault.Cancelled, fault.KindOf(err), "%v", err)
}
