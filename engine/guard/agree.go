package guard

import (
	"slices"
	"strings"
	"unicode"
)

// maxYes is how many words a yes has; who says more says something else too.
const maxYes = 14

// consent is how one language says yes, and what takes a yes back: no, but, if,
// later, a question.
type consent struct{ yes, not string }

// consents are phrases between bars. A word of not anywhere is no agreement.
func consents(language string) (consent, bool) {
	switch language {
	case "en":
		return consent{
			"|yes|yeah|yep|yup|yes please|sure|of course|certainly|ok|okay|agreed|i agree|confirm|confirmed|i confirm|correct|thats right|that is right|thats correct|go ahead|do it|please do|absolutely|definitely|right|sounds good|all right|alright|approved|i approve|proceed|",
			"|no|nope|nah|not|never|dont|do not|cant|cannot|wont|wouldnt|isnt|shouldnt|stop|cancel|wait|hold|but|if|unless|except|instead|change|maybe|perhaps|later|first|before|unsure|doubt|wrong|incorrect|neither|nothing|without|rather|only|what|why|how|which|who|when|refuse|decline|disagree|nevermind|abort|hardly|yet|",
		}, true
	case "de":
		return consent{
			"|ja|jawohl|jep|klar|natürlich|sicher|gerne|gern|genau|richtig|stimmt|korrekt|einverstanden|in ordnung|okay|ok|passt|mach das|machen sie das|machen sie es|bestätige|ich bestätige|bestätigt|bitte ja|selbstverständlich|auf jeden fall|",
			"|nein|nee|nö|nicht|nichts|kein|keine|keinen|keinesfalls|nie|niemals|stopp|stop|halt|warten|warte|abbrechen|aber|wenn|falls|sondern|statt|stattdessen|außer|vielleicht|später|erst|zuerst|vorher|falsch|nur|was|warum|wie|wieso|welche|wer|wann|lieber|ändern|ohne|unsicher|noch|",
		}, true
	case "es":
		return consent{
			"|sí|si|claro|claro que sí|por supuesto|de acuerdo|vale|correcto|exacto|confirmo|confirmado|adelante|hazlo|hágalo|está bien|seguro|perfecto|ok|okay|acepto|",
			"|no|nunca|jamás|nada|ni|tampoco|pero|salvo|excepto|sino|quizás|quizá|tal vez|después|luego|antes|primero|espera|espere|cancela|cancele|cancelar|para|pare|cambiar|cambia|incorrecto|mal|solo|sólo|qué|por qué|cómo|cuál|quién|cuándo|sin|mejor|todavía|aún|",
		}, true
	case "fr":
		return consent{
			"|oui|ouais|bien sûr|daccord|d accord|entendu|exact|exactement|cest ça|correct|je confirme|confirmé|allez y|allez-y|faites le|faites-le|vas y|vas-y|volontiers|parfait|absolument|certainement|ok|okay|cest bon|", //nolint:misspell // French
			"|non|pas|ne|jamais|rien|aucun|aucune|mais|si|sauf|plutôt|peut être|peut-être|plus tard|dabord|avant|attendez|attends|annulez|annule|annuler|changer|changez|faux|incorrect|seulement|quoi|pourquoi|comment|quel|quelle|qui|quand|sans|stop|arrêtez|encore|",
		}, true
	case "ru":
		return consent{
			"|да|ага|угу|конечно|верно|правильно|точно|хорошо|ладно|согласен|согласна|подтверждаю|подтвердить|давайте|давай|именно|разумеется|делайте|сделайте|ок|окей|всё верно|все верно|",
			"|нет|неа|не|ни|никогда|нельзя|но|если|кроме|только|может|может быть|возможно|потом|позже|сначала|подождите|подожди|стоп|отмена|отмените|отменить|вместо|изменить|измените|неверно|неправильно|что|почему|зачем|как|какой|какая|кто|когда|без|лучше|пока|ещё|еще|сомневаюсь|",
		}, true
	case "ar":
		return consent{
			"|نعم|اجل|ايوه|ايوا|موافق|موافقه|موافقة|اوافق|اكيد|بالتاكيد|طبعا|تمام|حسنا|صحيح|ماشي|بالطبع|اؤكد|تفضل|طيب|",
			"|لا|ليس|ليست|لست|لن|لم|ما|مو|مش|غير|لكن|ولكن|ولا|اذا|لو|ربما|بعدين|لاحقا|اولا|قبل|انتظر|توقف|الغ|الغاء|الغي|خطا|فقط|ماذا|لماذا|كيف|متى|من|اي|بدون|ابدا|كلا|تغيير|غيّر|",
		}, true
	case "hi":
		return consent{
			"|हाँ|हां|हा|जी|जी हाँ|जी हां|ठीक|ठीक है|सही|सही है|बिल्कुल|बिलकुल|ज़रूर|जरूर|अवश्य|कर दो|कर दीजिए|कीजिए|मंज़ूर|मंजूर|सहमत|ओके|haan|han|ji|theek hai|thik hai|bilkul|zaroor|",
			"|नहीं|नही|ना|न|मत|कभी|लेकिन|मगर|पर|परंतु|अगर|यदि|शायद|बाद|पहले|रुको|रुकिए|रद्द|बदलो|बदलें|गलत|ग़लत|केवल|सिर्फ|क्या|क्यों|कैसे|कौन|कब|बिना|अभी|nahi|nahin|mat|lekin|agar|shayad|",
		}, true
	}
	return consent{}, false
}

// Agrees reports whether what a human said is a yes and nothing else, in a
// language (en de es fr ru ar hi; of a tag like "en-GB" the language counts) or
// in English. When in doubt it is none: a question, a condition, a "but", a
// figure, a long speech. The caller gives the human's own words, never a model's.
func Agrees(text, language string) bool {
	if strings.ContainsAny(text, "?¿؟") || strings.ContainsFunc(text, unicode.IsDigit) {
		return false
	}
	words := consentWords(text)
	if len(words) == 0 || len(words) > maxYes {
		return false
	}
	agreed := false
	for _, code := range []string{tongue(language), "en"} {
		c, ok := consents(code)
		if !ok {
			continue
		}
		if said(words, c.not, 3) {
			return false
		}
		agreed = agreed || said(words[:min(len(words), 6)], c.yes, 3)
	}
	return agreed
}

// said reports whether a phrase of at most most words stands among words.
func said(words []string, phrases string, most int) bool {
	for n := 1; n <= most; n++ {
		for i := 0; i+n <= len(words); i++ {
			if strings.Contains(phrases, "|"+strings.Join(words[i:i+n], " ")+"|") {
				return true
			}
		}
	}
	return false
}

// consentWords are the words of text as consents are written: small, without
// apostrophes; Arabic without vowel signs and with one alef.
func consentWords(text string) []string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && r != '\'' && r != '’' && r != '\u200d' && r != '\u200c'
	})
	for i, w := range words {
		words[i] = strings.Map(func(r rune) rune {
			switch {
			case r == '\'', r == '’', r == '\u200d', r == '\u200c', r >= 0x064b && r <= 0x0652, r == 0x0640:
				return -1
			case r == 'أ', r == 'إ', r == 'آ':
				return 'ا'
			}
			return r
		}, w)
	}
	return slices.DeleteFunc(words, func(w string) bool { return w == "" })
}
