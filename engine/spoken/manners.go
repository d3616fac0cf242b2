package spoken

// StillThere asks a silent caller, in lang (BCP 47), whether he is there; in
// English where the tables do not speak it.
func StillThere(lang string) string { return manners(lang).still }

// NotUnderstood asks a caller of whom no word was understood, in lang, to say it
// again.
func NotUnderstood(lang string) string { return manners(lang).again }

// Fillers bridge a late reply in lang. There are four of them in each language.
func Fillers(lang string) []string {
	f := manners(lang).fillers
	return f[:]
}

type courtesy struct {
	still, again string
	fillers      [4]string
}

func manners(lang string) courtesy {
	rows := map[string]courtesy{
		"en": {
			"Are you still there?", "Sorry, I did not get that. Could you put it in other words?",
			[4]string{"One moment please.", "Let me look that up.", "Just a second.", "Let me check."},
		},
		"de": {
			"Sind Sie noch da?", "Entschuldigung, das habe ich nicht verstanden. Können Sie es anders sagen?",
			[4]string{"Einen Moment bitte.", "Ich sehe kurz nach.", "Einen Augenblick.", "Ich prüfe das."},
		},
		"es": {
			"¿Sigue ahí?", "Perdone, no le he entendido. ¿Puede decirlo de otra manera?",
			[4]string{"Un momento, por favor.", "Déjeme mirarlo.", "Un segundo.", "Lo compruebo."}, //nolint:misspell // Spanish
		},
		"fr": {
			"Vous êtes toujours là ?", "Excusez-moi, je n'ai pas compris. Pouvez-vous le dire autrement ?",
			[4]string{"Un instant, s'il vous plaît.", "Je regarde.", "Une seconde.", "Je vérifie."},
		},
		"ru": {
			"Вы ещё на линии?", "Извините, я не расслышал. Скажите, пожалуйста, другими словами.",
			[4]string{"Одну минуту, пожалуйста.", "Сейчас посмотрю.", "Секунду.", "Сейчас проверю."},
		},
		"ar": {
			"هل ما زلت معي؟", "عذرًا، لم أفهم ذلك. هل يمكنك قوله بطريقة أخرى؟",
			[4]string{"لحظة من فضلك.", "دعني أتحقق من ذلك.", "ثانية واحدة.", "سأنظر في الأمر."},
		},
		"hi": {
			"क्या आप अभी भी लाइन पर हैं?", "क्षमा करें, मैं समझ नहीं पाया। क्या आप इसे दूसरे शब्दों में कह सकते हैं?",
			[4]string{"कृपया एक क्षण रुकें।", "मैं देखता हूँ।", "बस एक सेकंड।", "मैं जाँच करता हूँ।"},
		},
	}
	row, ok := rows[primary(lang)]
	if !ok {
		return rows["en"]
	}
	return row
}
