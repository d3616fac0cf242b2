package pocketsphinx

import (
	"math"
	"strings"
	"time"

	"flametree/engine/provider"
)

// Settings of a stream. Times are of audio.
const (
	sampleRate = 16000
	frame      = sampleRate / 100 // samples in a row of the front end
	chunk      = 2 * frame        // samples decoded at a time
	partialGap = 10               // rows between two hypotheses
	follow     = 300              // rows of speech after which the speaker weighs as much as the stored mean
	memory     = 600              // rows that stay of it for the next utterance
)

// What is believed to be speech: how loud it is, how much of it has a pitch, and
// how long its sounds take. Synthetic and human speech is far within; hiss,
// coughs and clicks have no pitch, music and tones stretch sounds too long.
const (
	loud        = 12.0 // dB over the quietest the line has been
	faint       = 40.0 // root mean square under which nothing is speech
	leastVoiced = 8    // loud rows under all words together
	leastShare  = 0.35 // loud rows of the rows under a word
	leastPitch  = 0.25 // rows with a pitch of the loud rows under all words
	pitch       = 0.6  // correlation with itself from which a row has one
	longestWord = 25   // rows a sound, in one or two words
	longestTalk = 14   // rows a sound, in more
)

// ear decodes one stream. It is used by one goroutine.
type ear struct {
	front *front
	t     *transform
	d     *decoder

	prior [cepstra]float32 // of the stream, from its last utterance with words
	mean  tracker

	level   noise
	window  [windowLength]float32 // the last 40 ms
	rows    []row                 // of the stream since base
	base    int                   // row of the stream that rows[0] is
	heard   []int                 // the stream's row of each row given to the decoder
	since   int                   // rows decoded since the last hypothesis
	last    string                // of the last partial
	samples uint64                // of the stream, taken so far
	cep     [][cepstra]float32
	started bool // the decoder is within an utterance
}

// tracker is the running mean of an utterance's rows.
type tracker struct {
	sum [cepstra]float64
	n   float64
}

func (t *tracker) add(row *[cepstra]float32) {
	for i, v := range row {
		t.sum[i] += float64(v)
	}
	t.n++
}

// mean weighs the prior like weight rows.
func (t *tracker) mean(prior *[cepstra]float32, weight float64) (m [cepstra]float32) {
	for i := range m {
		m[i] = float32((weight*float64(prior[i]) + t.sum[i]) / (weight + t.n))
	}
	return m
}

// noise follows the quietest level of a line: down at once, up slowly.
type noise struct {
	floor   float64
	started bool
}

func (n *noise) loud(rms float64) bool {
	db := 20 * math.Log10(max(rms, 1))
	switch {
	case !n.started || db < n.floor:
		n.floor, n.started = max(db, 20), true
	default:
		n.floor += 0.02 // dB a row: two a second
	}
	return rms > faint && db > n.floor+loud
}

// begin starts a stream on a line of that band.
func (e *ear) begin(bandHz int) {
	e.t = cosine()
	if bandHz > 0 && bandHz <= 8000 {
		e.t = narrow()
	}
	e.prior = primed()
	if e.started { // the call before was cut off
		e.d.end()
	}
	e.samples, e.level, e.window = 0, noise{}, [windowLength]float32{}
	e.front.stream()
	e.d.stream(&e.prior)
	e.utterance()
}

func (e *ear) utterance() {
	e.front.start()
	e.d.setMean(&e.prior)
	e.started = e.d.start()
	e.mean = tracker{}
	e.heard, e.since, e.last = e.heard[:0], 0, ""
	e.rows, e.base = e.rows[:0], int(e.samples/frame)
}

// row is what 10 ms of the stream sounded like.
type row struct{ loud, pitched bool }

// listen judges the rows of new samples.
func (e *ear) listen(pcm []int16) {
	for i := 0; i < len(pcm); i += frame {
		part := pcm[i:min(i+frame, len(pcm))]
		n := copy(e.window[:], e.window[len(part)/4:])
		for j := 0; j+4 <= len(part); j += 4 {
			e.window[n] = float32(part[j]) + float32(part[j+1]) + float32(part[j+2]) + float32(part[j+3])
			n++
		}
		r := row{loud: e.level.loud(rms(part))}
		r.pitched = r.loud && periodic(&e.window)
		e.rows = append(e.rows, r)
	}
}

// windowLength is 40 ms at a quarter of the rate.
const windowLength = 160

// periodic reports whether a window repeats itself at a pitch of 60 to 400 Hz.
func periodic(x *[windowLength]float32) bool {
	for lag := 10; lag <= 66; lag++ {
		var ab, aa, bb float32
		for i := lag; i < len(x); i++ {
			ab += x[i] * x[i-lag]
			aa += x[i] * x[i]
			bb += x[i-lag] * x[i-lag]
		}
		if ab > 0 && ab*ab > pitch*pitch*aa*bb {
			return true
		}
	}
	return false
}

// hear decodes samples and reports whether a new hypothesis is due.
func (e *ear) hear(pcm []int16) bool {
	e.listen(pcm)
	e.samples += uint64(len(pcm))
	e.front.process(pcm, func(rows [][filters]float32, index int) {
		e.cep = e.cep[:0]
		for i := range rows {
			var c [cepstra]float32
			e.t.apply(&rows[i], &c)
			e.mean.add(&c)
			e.cep = append(e.cep, c)
		}
		e.place(len(rows))
		mean := e.mean.mean(&e.prior, follow)
		e.d.setMean(&mean)
		e.d.cepstrum(e.cep)
		e.since += len(rows)
	})
	if e.since < partialGap {
		return false
	}
	e.since = 0
	return true
}

// skip tells that the next sample is the at-th of the stream: what lies between
// was dropped.
func (e *ear) skip(at uint64) {
	for ; e.samples+frame <= at; e.samples += frame {
		e.rows = append(e.rows, row{})
	}
}

// place notes where in the stream the newest n rows come from: the last of
// them ends here, less what the front end holds back.
func (e *ear) place(n int) {
	end := int(e.samples / frame)
	for i := range n {
		e.heard = append(e.heard, end-n+i)
	}
}

// hypothesis is what the words of this utterance seem to be. Only a Final ends
// it and starts the next.
func (e *ear) hypothesis(final bool) provider.Hearing {
	if final {
		e.d.end()
	}
	h := provider.Hearing{Final: final}
	for _, s := range e.believed(e.d.segments(), final) {
		h.Words = append(h.Words, provider.Word{Text: s.word, Start: e.time(s.start), End: e.time(s.end) + 10*time.Millisecond})
	}
	words := make([]string, len(h.Words))
	for i, w := range h.Words {
		words[i] = w.Text
	}
	h.Text = strings.Join(words, " ")
	if !final {
		return h
	}
	if h.Text != "" {
		e.prior = e.mean.mean(&e.prior, memory)
	}
	e.utterance()
	return h
}

// believed keeps the words that are speech. Of an utterance that goes on only
// the stricter measure of length is believed.
func (e *ear) believed(all []segment, final bool) []segment {
	var out []segment
	loud, pitched, rows, sounds := 0, 0, 0, 0
	for _, s := range all {
		if s.filler() {
			continue
		}
		n := s.end - s.start + 1
		l, p := e.under(s)
		if float64(l) < leastShare*float64(n) {
			continue
		}
		loud, pitched, rows, sounds = loud+l, pitched+p, rows+n, sounds+e.d.sounds(s.word)
		out = append(out, s)
	}
	longest := longestTalk
	if final && len(out) < 3 {
		longest = longestWord
	}
	if loud < leastVoiced || float64(pitched) < leastPitch*float64(loud) || rows > longest*sounds {
		return nil
	}
	return out
}

// under counts the loud rows and those with a pitch below a word.
func (e *ear) under(s segment) (loud, pitched int) {
	for i := s.start; i <= s.end; i++ {
		if r := e.row(i) - e.base; r >= 0 && r < len(e.rows) {
			if e.rows[r].loud {
				loud++
			}
			if e.rows[r].pitched {
				pitched++
			}
		}
	}
	return loud, pitched
}

// row is the stream's row of a row of the decoder.
func (e *ear) row(i int) int {
	if len(e.heard) == 0 {
		return e.base
	}
	return e.heard[max(0, min(i, len(e.heard)-1))]
}

func (e *ear) time(i int) time.Duration { return time.Duration(e.row(i)) * 10 * time.Millisecond }

func rms(pcm []int16) float64 {
	var e float64
	for _, v := range pcm {
		e += float64(v) * float64(v)
	}
	return math.Sqrt(e / float64(max(1, len(pcm))))
}

// primed is the mean of speech that a stream starts from.
func primed() [cepstra]float32 {
	return [cepstra]float32{50.49, 6, 1, 25, -2, -1, 5, -7, -3.5, -5.5, 6, 0.5, -1.5}
}
