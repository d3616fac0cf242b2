package turn

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file knows the short words that people say over somebody who speaks: "go
// on", which is no interruption, and "stop", which always is. Languages with a
// list: en, de, es, fr, ru, ar, hi.
//
// English tells "yeah" from "yes": the one goes along, the other answers. The
// other languages have one word for both. It counts as going along, because
// while the agent asks something nothing does (noises), and an answer to what
// was not asked says no more than that.

// folded is a word as the lists spell it: lower case, without accents, Arabic
// vowel signs and the seats of hamza, and with one sign for the nasals of
// Devanagari. Recognisers differ in all of these. It does not allocate.
type folded struct {
	b [40]byte
	n int
}

func (f *folded) set(word string) []byte {
	f.n = 0
	for _, r := range word {
		if r = fold(r); r == 0 {
			continue
		}
		if f.n+utf8.UTFMax > len(f.b) { // longer than any word of a list
			return nil
		}
		f.n += utf8.EncodeRune(f.b[f.n:], r)
	}
	return f.b[:f.n]
}

// fold maps a letter to the one the lists use, 0 to drop it.
func fold(r rune) rune {
	switch r = unicode.ToLower(r); r {
	case 'á', 'à', 'â', 'ä', 'ã', 'å':
		return 'a'
	case 'é', 'è', 'ê', 'ë':
		return 'e'
	case 'í', 'ì', 'î', 'ï':
		return 'i'
	case 'ó', 'ò', 'ô', 'ö', 'õ':
		return 'o'
	case 'ú', 'ù', 'û', 'ü':
		return 'u'
	case 'ñ':
		return 'n'
	case 'ç':
		return 'c'
	case 'ё':
		return 'е'
	case 'й':
		return 'и'
	case 'آ', 'أ', 'إ', 'ٱ':
		return 'ا'
	case 'ى':
		return 'ي'
	case 'ة':
		return 'ه'
	case 'ـ', '\u200c', '\u200d', '\u093c': // tatweel, joiners, nukta
		return 0
	case '\u0901':
		return '\u0902'
	case '’', '‘':
		return '\''
	}
	if unicode.Is(unicode.Mn, r) && !unicode.Is(unicode.Devanagari, r) {
		return 0 // an accent that stands by itself
	}
	return r
}

// tongue is the language of a tag, "" for English.
func tongue(language string) string {
	if n := strings.IndexAny(language, "-_"); n >= 0 {
		language = language[:n]
	}
	if strings.EqualFold(language, "en") {
		return ""
	}
	return language
}

// goesOn holds for a word that says "go on" by itself.
func goesOn(language string, word []byte) bool {
	switch tongue(language) {
	case "":
		switch string(word) {
		case "uh-huh", "uhuh", "uh", "huh", "mhm", "mm-hmm", "mm", "hm", "hmm", "mmm", "yeah", "yep", "right", "okay", "ok", "ah", "aha", "oh", "cool", "alright", "great", "good":
			return true
		}
	case "de":
		switch string(word) {
		case "mhm", "hm", "hmm", "mm", "mmh", "aha", "ah", "ach", "oh", "ja", "jaja", "jo", "okay", "ok", "genau", "gut", "klar", "verstehe", "verstanden", "stimmt", "achso", "super", "prima":
			return true
		}
	case "es":
		switch string(word) {
		case "aja", "aha", "mhm", "mm", "hm", "ah", "oh", "ya", "si", "vale", "okay", "ok", "claro", "bueno", "bien", "perfecto", "entiendo", "exacto":
			return true
		}
	case "fr":
		switch string(word) {
		case "mhm", "hm", "hmm", "mm", "ah", "oh", "oui", "ouais", "mouais", "ok", "okay", "d'accord", "bien", "voila", "exact", "super", "parfait", "compris":
			return true
		}
	case "ru":
		switch string(word) {
		case "угу", "ага", "мгм", "хм", "мм", "м", "а", "о", "да", "так", "ну", "ясно", "понятно", "понял", "поняла", "хорошо", "ладно", "океи", "верно", "точно":
			return true
		}
	case "ar":
		switch string(word) {
		case "امم", "اممم", "همم", "اه", "اها", "نعم", "ايوه", "ايوا", "اي", "طيب", "تمام", "حسنا", "صح", "صحيح", "اوكي", "مفهوم", "فهمت", "ماشي":
			return true
		}
	case "hi":
		switch string(word) {
		case "हम्म", "हम्", "हूं", "हुं", "अच्छा", "हां", "हा", "जी", "ठीक", "सही", "ओके", "ओह", "समझा", "समझी":
			return true
		}
	}
	return false
}

// goOn holds for two words that say it together.
func goOn(language string, a, b []byte) bool {
	var pair [2*len(folded{}.b) + 1]byte
	n := copy(pair[:], a)
	n += copy(pair[n:], " ")
	n += copy(pair[n:], b)
	s := pair[:n]
	switch tongue(language) {
	case "":
		switch string(s) {
		case "i see", "go on", "got it", "all right", "of course", "sounds good", "makes sense":
			return true
		}
	case "de":
		switch string(s) {
		case "ach so", "ah so", "alles klar", "alles gut", "ich verstehe", "sehr gut", "in ordnung":
			return true
		}
	case "es":
		switch string(s) {
		case "ya veo", "de acuerdo", "esta bien", "muy bien", "por supuesto", "lo entiendo":
			return true
		}
	case "fr":
		switch string(s) {
		case "je vois", "tres bien", "c'est ca", "bien sur", "je comprends", "ca marche":
			return true
		}
	case "ru":
		switch string(s) {
		case "вот как", "все ясно", "все понятно", "все верно", "ну да", "я понял", "я поняла":
			return true
		}
	case "ar":
		switch string(s) {
		case "انا معك", "انا فاهم", "اكيد طبعا", "علي راسي":
			return true
		}
	case "hi":
		switch string(s) {
		case "ठीक है", "अच्छा जी", "समझ गया", "समझ गई", "सही है", "बिल्कुल सही":
			return true
		}
	}
	return false
}

// isStop holds for a word that wants the agent to be silent, at once and by itself.
func isStop(language string, word []byte) bool {
	switch tongue(language) {
	case "":
		switch string(word) {
		case "stop", "wait", "enough", "quiet", "pause":
			return true
		}
	case "de":
		switch string(word) {
		case "stop", "stopp", "halt", "warte", "warten", "moment", "ruhe", "genug", "augenblick":
			return true
		}
	case "es":
		switch string(word) {
		case "para", "pare", "basta", "espera", "espere", "alto", "silencio", "momento": //nolint:misspell // Spanish
			return true
		}
	case "fr":
		switch string(word) {
		case "stop", "arrete", "arretez", "attends", "attendez", "silence", "assez", "pause":
			return true
		}
	case "ru":
		switch string(word) {
		case "стоп", "стои", "стоите", "подожди", "подождите", "погоди", "погодите", "хватит", "тихо", "минуту", "секунду":
			return true
		}
	case "ar":
		switch string(word) {
		case "توقف", "توقفي", "قف", "انتظر", "انتظري", "كفايه", "كفي", "لحظه", "دقيقه", "اسكت", "استني":
			return true
		}
	case "hi":
		switch string(word) {
		case "रुको", "रुकिए", "रुकें", "रुकिये", "ठहरो", "ठहरिए", "बस", "चुप", "सुनो", "सुनिए":
			return true
		}
	}
	return false
}

// allBackchannel reports whether text is made of backchannels only, at most limit of them.
func allBackchannel(language, text string, limit int) bool {
	var words [2]folded
	n, alone := 0, true
	for word, rest := nextWord(text); word != ""; word, rest = nextWord(rest) {
		if n++; n > limit {
			return false
		}
		w := words[(n-1)%2].set(word)
		alone = alone && goesOn(language, w)
		if n > 2 && !alone {
			return false
		}
	}
	return alone || n == 2 && goOn(language, words[0].b[:words[0].n], words[1].b[:words[1].n])
}

// saysStop reports whether text is one word that wants the agent to be silent.
func saysStop(language, text string) bool {
	word, rest := nextWord(text)
	if word == "" {
		return false
	}
	if next, _ := nextWord(rest); next != "" {
		return false
	}
	var f folded
	return isStop(language, f.set(word))
}
