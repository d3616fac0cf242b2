package mail

import "strings"

// words are those of a letter in one language.
type words struct {
	tag, subject, agent, started, ended, status, results, summary, open string
	rtl                                                                 bool
}

// side is where a line begins.
func (w words) side() string {
	if w.rtl {
		return "right"
	}
	return "left"
}

// tongues begins with English, which stands for all others. They are those that
// the wizards greet in. %s is the agent's name.
func tongues() []words {
	return []words{
		{"en", "Results of a conversation with %s", "Agent", "Started", "Ended", "Status", "Results", "Summary", "Open the session", false},
		{"de", "Ergebnisse eines Gesprächs mit %s", "Agent", "Begonnen", "Beendet", "Status", "Ergebnisse", "Zusammenfassung", "Sitzung öffnen", false},
		{"es", "Resultados de una conversación con %s", "Agente", "Inicio", "Fin", "Estado", "Resultados", "Resumen", "Abrir la sesión", false},
		{"fr", "Résultats d’une conversation avec %s", "Agent", "Début", "Fin", "Statut", "Résultats", "Résumé", "Ouvrir la session", false},
		{"it", "Risultati di una conversazione con %s", "Agente", "Inizio", "Fine", "Stato", "Risultati", "Riepilogo", "Apri la sessione", false},
		{"pt", "Resultados de uma conversa com %s", "Agente", "Início", "Fim", "Estado", "Resultados", "Resumo", "Abrir a sessão", false},
		{"ru", "Результаты разговора с %s", "Агент", "Начало", "Конец", "Статус", "Результаты", "Краткое содержание", "Открыть сессию", false},
		{"ar", "نتائج محادثة مع %s", "الوكيل", "البداية", "النهاية", "الحالة", "النتائج", "الملخص", "فتح الجلسة", true},
		{"hi", "%s के साथ बातचीत के परिणाम", "एजेंट", "आरंभ", "समाप्ति", "स्थिति", "परिणाम", "सारांश", "सत्र खोलें", false},
	}
}

// wordsOf finds the words of a language by its tag: en-GB is English.
func wordsOf(tag string) words {
	all := tongues()
	primary, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(tag), "_", "-"), "-")
	for _, w := range all {
		if w.tag == primary {
			return w
		}
	}
	return all[0]
}
