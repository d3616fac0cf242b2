package eot

func english() tongue {
	return tongue{
		hesitates: "um uh er erm uhm hmm hm umm uhh",
		leaves:    englishLeaves,
		halts:     englishHalts,
		copula:    "is it's that's are was i'm be",
		agrees:    "yes no yeah yep yup nope nah",
		answers:   "ok okay sure correct right exactly absolutely perfect great nothing none enough stop cancel continue repeat definitely certainly maybe never always both neither alright wrong",
		joins:     "you please that's that is it it's very much fine not of course for now else good all i do does did don't am have really yet a lot so think the help your was would be",
		parts:     "thanks thank bye goodbye cheers",
		thanks:    "thanks thank you",
		calls:     "hello hi hey good morning evening afternoon sorry excuse me wait hold on a moment one second pardon listen well so okay look",
		opens:     "what how when where why who which whose can could do does did is are will would should may am have has what's where's who's how's was were",
		links:     "what how when where why who which whose whom whether if that's what's where's who's",
		number:    "zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million double triple first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth thirtieth",
		at:        "at",
		dot:       "dot point",
		asking:    englishAsking(),
		grammar:   englishGrammar(),
	}
}

// englishLeaves reports whether no turn ends with word after prev. Words that
// often do are left out ("that", "this", "in", "on", "so", "it", "too").
func englishLeaves(prev, word string) bool {
	switch word {
	case "and", "or", "but", "because", "if", "while", "although", "unless", "than", "nor", "whether", "and/or",
		"of", "from", "with", "into", "onto", "between", "without", "during", "via", "towards", "per", "versus",
		"the", "a", "an", "my", "your", "our", "their", "every",
		"i'd", "i'll", "we're", "we'll", "there's", "what's", "they're", "you're", "he's", "she's", "let's", "i've", "we've",
		"wanna", "gonna", "also", "actually", "basically", "especially":
		return true
	case "to":
		switch prev {
		case "want", "like", "need", "have", "love", "going", "wanted", "hate": // "I would like to", after a question, is an answer
			return true
		}
		return prev != "" && prev != "talk" && prev != "speak" && prev != "it" && prev != "belongs" && prev != "used"
	case "is", "are", "was", "were", "has", "had", "hasn't", "isn't", "wasn't", "haven't", "will", "can", "could", "would", "should", "can't", "won't", "couldn't":
		return !pronoun(prev) && prev != "yes" && prev != "no" && prev != "" && prev != "so"
	case "me":
		return prev == "tell" || prev == "give" || prev == "show" || prev == "ask"
	case "be":
		return prev == "would" || prev == "will" || prev == "to" || prev == "should"
	case "need", "want", "lost", "sent", "bought", "ordered", "booked", "received", "forgot":
		return pronoun(prev)
	case "you", "there":
		return leadsOn(prev)
	case "i":
		return prev != "am" && prev != "do" && prev != "and" && prev != "so"
	case "for", "by", "about", "at", "like", "new", "two-year", "another", "next", "which", "who":
		return prev == "a" || prev == "the" || prev == "looking" || prev == "calling" || prev == "waiting" || prev == "asking" || prev == "called" || prev == "me" && word != "about"
	case "been", "being", "very", "quite", "rather":
		return prev != "have" && prev != "thanks" || word != "been"
	case "we", "they", "he", "she":
		return prev == "and" || prev == "that" || leadsOn(prev)
	case "not", "yes", "no", "okay", "anyway", "thanks", "still", "though":
		return false
	}
	// One word after a conjunction is the beginning of a clause.
	return prev == "but" || prev == "because" || prev == "although"
}

// leadsOn holds for words after which a pronoun is only a beginning: "can you",
// "because she".
func leadsOn(w string) bool {
	switch w {
	case "can", "could", "would", "will", "do", "did", "does", "should", "are", "is", "have", "were", "but", "because", "if", "when", "whether", "until":
		return true
	}
	return false
}

// englishHalts holds for subject and auxiliary at the end of a longer sentence:
// "and I don't", "hold on I have", "that is".
func englishHalts(prev, word string) bool {
	switch word {
	case "is", "are", "was", "were", "have", "has", "had", "don't", "can't", "didn't", "won't", "doesn't", "am", "will", "can", "could", "would", "meant", "mean":
		return pronoun(prev)
	}
	return false
}

func pronoun(w string) bool {
	switch w {
	case "i", "it", "he", "she", "we", "they", "you", "that", "this", "there", "who", "what", "these", "those", "one":
		return true
	}
	return false
}

func englishAsking() asking {
	return asking{
		more: "anything else|something else|else i can|else can i",
		story: "how can i help|how may i help|what can i do for|what happened|tell me more|what is it about|what's the problem|what is the problem|" +
			"describe|what brings",
		spelling: "spell",
		mail:     "e-mail|email|mail address",
		number:   "number|digit|code|pin|how many|amount",
		date:     "when |which day|what day|date|what time|birthday|born",
		name:     "name|speaking with|speaking to|who am i",
		request:  "please tell|please say|please give|please enter|please spell|please describe|tell me",
		yesNo:    "is are do does did shall should will would has have was were am",
		figures:  "digit|figure",
		counts:   "two three four five six seven eight nine ten eleven twelve",
		long: "order number|customer number|account number|phone number|telephone|card number|contract number|invoice|reference|tracking|policy|serial|" +
			"insurance number|passport|booking number|case number|member|zip code|postal code|postcode",
		quantity: "how many|how much|amount",
	}
}
