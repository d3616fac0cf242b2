package spoken

import "strings"

// Phrase names something an agent says by itself on a call, without a model.
type Phrase uint8

// The phrases.
const (
	PutThrough    Phrase = iota // the caller is about to be passed on
	NotReached                  // nobody took the call; the agent goes on
	TargetBusy                  // the line was busy; the agent goes on
	CallFor                     // begins what a person is told before a warm transfer
	PressToAccept               // ends it
	phrases
)

// Of is a phrase in lang, a BCP 47 tag; in English where the tables do not
// speak it.
func (p Phrase) Of(lang string) string {
	row, ok := table()[primary(lang)]
	if !ok || p >= phrases {
		row = table()["en"]
	}
	return row[min(p, phrases-1)]
}

// primary is the language of a tag, without script and region.
func primary(lang string) string {
	tag, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(lang, "_", "-")), "-")
	return tag
}

// table holds the phrases by language, in their order.
func table() map[string][phrases]string {
	return map[string][phrases]string{
		"en": {
			"One moment please, I am putting you through.",
			"I am sorry, nobody could take the call just now. I am still here to help.",
			"I am sorry, the line is busy. I am still here to help.",
			"I have a caller for you.",
			"I am connecting you now.",
		},
		"de": {
			"Einen Moment bitte, ich verbinde Sie.",
			"Es tut mir leid, gerade kann niemand den Anruf annehmen. Ich bin weiter für Sie da.",
			"Es tut mir leid, die Leitung ist besetzt. Ich bin weiter für Sie da.",
			"Ich habe einen Anrufer für Sie.",
			"Ich verbinde Sie jetzt.",
		},
		"es": {
			"Un instante, por favor, le paso la llamada.",
			"Lo siento, ahora nadie puede atender la llamada. Sigo aquí para ayudarle.",
			"Lo siento, la línea está ocupada. Sigo aquí para ayudarle.",
			"Tengo una llamada para usted.",
			"Les comunico ahora.",
		},
		"fr": {
			"Un instant, s'il vous plaît, je vous transfère.",
			"Je suis désolé, personne ne peut prendre l'appel pour le moment. Je reste là pour vous aider.",
			"Je suis désolé, la ligne est occupée. Je reste là pour vous aider.",
			"J'ai un appel pour vous.",
			"Je vous mets en relation.",
		},
		"ru": {
			"Одну минуту, я вас соединяю.",
			"К сожалению, сейчас никто не может ответить. Я по-прежнему готов помочь.",
			"К сожалению, линия занята. Я по-прежнему готов помочь.",
			"Для вас есть звонок.",
			"Соединяю.",
		},
		"ar": {
			"لحظة من فضلك، سأحولك الآن.",
			"عذرًا، لا يمكن لأحد الرد على المكالمة الآن. ما زلت هنا لمساعدتك.",
			"عذرًا، الخط مشغول. ما زلت هنا لمساعدتك.",
			"لديك مكالمة.",
			"سأصلكم الآن.",
		},
		"hi": {
			"कृपया एक क्षण रुकें, मैं आपको जोड़ रहा हूँ।",
			"क्षमा करें, अभी कोई कॉल नहीं ले सका। मैं आपकी मदद के लिए यहीं हूँ।",
			"क्षमा करें, लाइन व्यस्त है। मैं आपकी मदद के लिए यहीं हूँ।",
			"आपके लिए एक कॉल है।",
			"मैं अब आपको जोड़ रहा हूँ।",
		},
	}
}
