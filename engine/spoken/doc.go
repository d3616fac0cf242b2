// Package spoken turns written text into the words a voice should say, and
// what a recogniser heard back into the way people write it: money, dates,
// times, telephone and card numbers, addresses.
//
// It knows English; text in another language only loses its markup. It is no
// translator and no grammar checker: a word that is already a word is never
// changed, and it has no opinion on how a voice pronounces it.
package spoken

import "strings"

// Words writes text as it is to be spoken in lang, a BCP 47 tag ("" means
// English). For English no digit is left. Punctuation that guides a voice
// stays, markup and pictures go. Words of its own output changes nothing.
func Words(text, lang string) string {
	text = plain(text)
	if !english(lang) {
		return squeeze(text)
	}
	return squeeze(expand(foldDigits(text)))
}

// english reports whether the tables of this package speak lang.
func english(lang string) bool {
	tag, _, _ := strings.Cut(strings.ToLower(lang), "-")
	tag, _, _ = strings.Cut(tag, "_")
	return tag == "" || tag == "en" || tag == "english"
}

// squeeze joins runs of white space and takes it away before punctuation.
func squeeze(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for w := range strings.FieldsSeq(s) {
		if b.Len() > 0 && !strings.Contains(",.;:!?", w) {
			b.WriteByte(' ')
		}
		b.WriteString(w)
	}
	return b.String()
}
