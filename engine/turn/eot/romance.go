package eot

//nolint:misspell // it is Spanish
func spanish() tongue {
	return tongue{
		hesitates: "eh em este mmm hm ehm",
		leaves: func(prev, word string) bool {
			if list("es son está era").has(word) {
				return prev != "" && !list("sí si no así eso qué cómo quién esto lo").has(prev)
			}
			return list("y e o u pero porque que si cuando aunque sino pues el los las un una unos unas del al de para con sin en por entre desde hasta sobre "+
				"mi mis su sus tu tus nuestro nuestra yo también además entonces").has(word) &&
				!(word == "que" && prev == "claro") && !(word == "yo" && list("soy fui también no").has(prev)) && prev != "" || list("y pero porque mi el un una de para con").has(word)
		},
		copula:  "es son soy está",
		agrees:  "sí si no claro",
		answers: "vale bien correcto exacto exactamente perfecto seguro nada ninguno ninguna basta nunca siempre cierto cancelar repetir bueno",
		joins:   "eso es así por favor muchas muy todo más nada de que lo gracias está creo a usted",
		parts:   "gracias adiós chao hasta luego",
		thanks:  "gracias",
		calls:   "hola buenos días buenas tardes noches perdón perdone disculpe espere un momento oiga mire",
		opens: "qué cómo cuándo dónde quién cuál cuánto cuánta cuántos cuántas puede puedo podría podrían tiene tienen hay es está son hacen " +
			"que como cuando donde quien cual cuanto",
		links:   "qué cómo cuándo dónde quién cuál cuánto que como donde quien cual si",
		number:  "cero uno una dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa cien mil primero segundo tercero",
		at:      "arroba",
		dot:     "punto",
		grammar: grammar{denies: "no", single: "cero uno una dos tres cuatro cinco seis siete ocho nueve"},
		asking: asking{
			more: "algo más|alguna otra|otra cosa", story: "puedo ayudar|puedo ayudarle|qué ha pasado|qué pasó|qué ocurrió|cuénteme|describa|qué necesita",
			spelling: "deletre|se escribe", mail: "correo|e-mail|email", number: "número|dígito|cifra|código|pin|cuántos|importe",
			date: "cuándo|fecha|qué día|nacimiento|nació", name: "nombre|se llama|con quién hablo|apellido",
			request: "dígame|por favor|deme|indique|deletree|cuénteme|describa",
			yesNo:   "es está son quiere desea tiene puede hay le ¿es ¿está ¿quiere ¿desea ¿tiene ¿puede ¿le",
			figures: "dígito|cifra", counts: "dos tres cuatro cinco seis siete ocho nueve diez",
			long:     "número de pedido|número de cliente|número de cuenta|número de tarjeta|número de contrato|teléfono|factura|código postal",
			quantity: "cuánto|importe",
		},
	}
}

//nolint:misspell // it is French
func french() tongue {
	return tongue{
		hesitates: "euh heu ben hum hm bah",
		leaves: func(prev, word string) bool {
			switch word {
			case "est", "sont", "était":
				return prev != "" && !list("oui non ça qui où il elle ce").has(prev)
			case "je", "j'ai":
				return !list("suis ai veux peux dois").has(prev)
			}
			return list("et ou mais parce que quand lorsque si comme car donc les un une des du de d' à au aux pour avec sans dans entre depuis chez vers "+
				"mon ma mes ton ta votre vos notre nos leur leurs son ses c'est l' aussi puis").has(word) && !(word == "aussi" && prev != "et" && prev != "mais") && !(word == "quand" && prev == "depuis")
		},
		copula:  "est c'est sont suis m'appelle",
		agrees:  "oui non ouais si",
		answers: "d'accord ok okay bien exact exactement correct parfait sûr rien aucun jamais toujours stop voilà super vrai faux certainement",
		joins:   "c'est ça ce est tout bien très beaucoup s'il vous plaît merci à pas du de sera pour votre aide au bonne journée monsieur madame je crois pense",
		parts:   "merci revoir salut adieu",
		thanks:  "merci",
		calls:   "bonjour bonsoir pardon excusez-moi attendez un instant moment écoutez désolé désolée",
		opens:   "que quoi comment quand où pourquoi qui quel quelle quels quelles combien est-ce pouvez pourriez puis-je avez peut-on y-a-t-il qu'est-ce",
		links:   "comment quand où pourquoi qui quel quelle combien si que quoi",
		number:  "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize vingt trente quarante cinquante soixante cent mille premier deuxième troisième",
		at:      "arobase arrobase at",
		dot:     "point",
		grammar: grammar{denies: "non", single: "zéro un deux trois quatre cinq six sept huit neuf"},
		asking: asking{
			more: "autre chose|d'autres questions|une autre question", story: "puis-je vous aider|puis-je faire pour|s'est-il passé|s'est passé|racontez|décrivez|de quoi s'agit",
			spelling: "épel|s'écrit", mail: "e-mail|email|courriel|adresse mail", number: "numéro|chiffre|code|pin|combien|montant",
			date: "quand|date|quel jour|né le|naissance", name: "nom|appelez-vous|à qui ai-je|prénom",
			request: "dites-moi|donnez-moi|indiquez|veuillez|épelez|racontez|décrivez|s'il vous plaît",
			yesNo:   "est-ce êtes-vous avez-vous voulez-vous souhaitez-vous puis-je dois-je c'est",
			figures: "chiffre", counts: "deux trois quatre cinq six sept huit neuf dix",
			long:     "numéro de commande|numéro de client|numéro client|numéro de compte|numéro de carte|numéro de contrat|téléphone|facture|code postal",
			quantity: "combien|montant",
		},
	}
}
