package eot

func german() tongue {
	return tongue{
		hesitates: "äh ähm öh öhm hm hmm em",
		leaves: func(prev, w string) bool {
			switch w {
			case "und", "oder", "aber", "weil", "dass", "wenn", "ob", "sondern", "sowie", "obwohl", "denn", "damit", "falls",
				"der", "dem", "den", "des", "im", "am", "zum", "zur", "vom", "beim", "ins", "ans",
				"ein", "eine", "einen", "einem", "einer", "eines", "mein", "meine", "meinen", "meinem", "meiner", "unser", "unsere", "ihre", "ihren",
				"für", "von", "bei", "ohne", "gegen", "wegen", "zwischen", "seit", "bis",
				"ich", "wir", "also", "eigentlich", "nämlich":
				return !(w == "ein" && prev != "auf" && prev != "für" && prev != "und" && prev != "ist" && prev != "habe") && // "ich logge mich ein"
					!(w == "ich" && (prev == "bin" || prev == "habe" || prev == "will" || prev == "kann" || prev == "möchte" || prev == "soll"))
			case "ist", "heißt", "lautet", "heiße", "sind", "war":
				return prev != "das" && prev != "es" && prev != "" && prev != "wie" && prev != "so"
			case "bitte":
				return false
			}
			return false
		},
		copula:  "ist lautet heißt heiße bin das sind",
		agrees:  "ja nein jawohl nee nö jo doch",
		answers: "okay ok gut genau richtig stimmt sicher klar gerne gern natürlich nichts keine stopp stop falsch super perfekt alles niemals",
		joins:   "dank das ist es so bitte sehr vielen schön nicht ganz war war's danke mehr auf ihnen ich sonst",
		parts:   "danke tschüss tschüs wiederhören wiedersehen ciao dankeschön",
		thanks:  "danke",
		calls:   "hallo guten tag morgen abend entschuldigung moment warten sie mal hören also verzeihung einen augenblick",
		opens:   "was wie wann wo warum wer welche welcher welches wem wen wieso weshalb woher wohin wieviel kann können könnten könnte haben gibt ist sind darf soll wird hat",
		links:   "was wie wann wo warum wer welche welcher ob dass weil wenn",
		number:  "null eins zwei zwo drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig hundert tausend erste ersten zweite zweiten dritte dritten",
		at:      "at ät klammeraffe", dot: "punkt dot",
		grammar: grammar{denies: "nein nee nö", single: "null eins zwei zwo drei vier fünf sechs sieben acht neun"},
		asking: asking{
			more: "sonst noch|noch etwas|weitere frage", story: "wie kann ich ihnen|wie kann ich dir|was kann ich für|was ist passiert|worum geht|was ist geschehen|erzählen sie|beschreiben sie",
			spelling: "buchstab|schreibt man|schreiben sie sich", mail: "e-mail|email|mailadresse",
			number: "nummer|ziffer|stellen|code|pin|wie viele|betrag", date: "wann|datum|welchem tag|geburtstag|geboren",
			name: "name|heißen sie|mit wem spreche", request: "bitte nennen|nennen sie|sagen sie mir|bitte sagen|geben sie|buchstabieren sie|erzählen sie|beschreiben sie",
			yesNo:   "ist sind haben möchten wollen soll sollen darf stimmt wird war waren hat",
			figures: "ziffer|stellen|stellig", counts: "zwei drei vier fünf sechs sieben acht neun zehn",
			long:     "bestellnummer|auftragsnummer|kundennummer|kontonummer|telefonnummer|handynummer|kartennummer|vertragsnummer|rechnung|sendungsnummer|postleitzahl",
			quantity: "wie viele|betrag",
		},
	}
}
