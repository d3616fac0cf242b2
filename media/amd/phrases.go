package amd

import (
	"strings"
)

// phrases judges by words. A single word decides nothing: people, too, say
// "message".
func phrases(text, lang string) string {
	text = " " + strings.Join(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r == '\'' || r > 127 || r >= '0' && r <= '9')
	}), " ") + " "
	tag, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(lang, "_", "-")), "-")
	for _, l := range []string{"en", tag} {
		t := said()[l]
		for _, row := range []struct {
			verdict string
			has     []string
		}{{Screening, t.screening}, {Menu, t.menu}, {Mailbox, t.mailbox}} {
			for _, p := range row.has {
				if strings.Contains(text, " "+p+" ") {
					return row.verdict
				}
			}
		}
	}
	return ""
}

// sayings are what machines say, by kind.
type sayings struct{ mailbox, menu, screening []string }

func said() map[string]sayings {
	return map[string]sayings{
		"en": {
			mailbox: []string{
				"leave a message", "leave your message", "leave me a message", "leave us a message", "leave your name", "leave a brief message",
				"after the tone", "after the beep", "at the tone", "at the beep", "record your message", "you have reached", "you've reached",
				"not available", "unavailable", "can't come to the phone", "cannot come to the phone", "can't take your call",
				"cannot take your call", "unable to take your call", "unable to answer", "voicemail", "voice mail", "voice mailbox", "mailbox",
				"call you back", "get back to you", "please try again later", "is not answering", "answering machine", "we are closed", "we're closed",
			},
			menu: []string{
				"press one", "press two", "press zero", "press 1", "press 2", "press 0", "press the star key", "press pound", "to continue in english",
				"please listen carefully", "our menu options", "menu options have changed", "dial the extension", "dial your party's extension",
				"please select", "main menu", "for sales", "this call may be recorded",
			},
			screening: []string{
				"state your name", "say your name", "record your name", "reason for calling", "reason for your call", "who is calling",
				"call screening", "screening service", "google assistant", "wants to know who's calling",
			},
		},
		"de": {
			mailbox: []string{"nach dem ton", "nach dem signalton", "nach dem piep", "hinterlassen sie", "eine nachricht", "nicht erreichbar", "anrufbeantworter", "mailbox", "rufen zurück", "rufe zurück", "sprechen sie nach"},
			menu:    []string{"drücken sie", "wählen sie", "bitte wählen sie"}, screening: []string{"nennen sie ihren namen", "sagen sie ihren namen"},
		},
		"es": {
			mailbox: []string{"después de la señal", "después del tono", "deje su mensaje", "deje un mensaje", "buzón de voz", "no está disponible", "contestador"},
			menu:    []string{"pulse uno", "pulse 1", "marque uno", "marque 1", "oprima"}, screening: []string{"diga su nombre"},
		},
		"fr": {
			mailbox: []string{"après le signal", "après le bip", "laisser un message", "laissez un message", "laissez votre message", "messagerie", "répondeur", "n'est pas disponible", "pas disponible"},
			menu:    []string{"tapez 1", "tapez un", "appuyez sur"}, screening: []string{"dites votre nom", "énoncez votre nom"},
		},
		"ru": {
			mailbox: []string{"после сигнала", "оставьте сообщение", "оставьте своё сообщение", "автоответчик", "голосовая почта", "абонент недоступен", "недоступен", "не может ответить"},
			menu:    []string{"нажмите один", "нажмите 1", "нажмите"}, screening: []string{"назовите ваше имя", "представьтесь"},
		},
	}
}
