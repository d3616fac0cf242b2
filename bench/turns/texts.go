package turns

// The texts of callers. "|" is a place within a phrase at which people pause,
// "/" one between phrases. None was changed to suit a rule of
// the end-of-turn model; some rules came after them.

func texts() map[string][]string {
	return map[string][]string{
		"story": {
			"hello / I lost | my {thing} | yesterday / and I would like to | block it",
			"hi / my {thing} | hasn't arrived / I ordered it | two weeks ago",
			"I want to | change my | delivery address",
			"good morning / I have a | problem with my {thing} / it stopped working | on {day}",
			"I'm calling about | my last bill / it's | much too high",
			"I need | a new {thing} / because the | old one is broken",
			"somebody took | money from my account / and I don't | know who",
			"well / I moved to | {place} / and I need to | update my details",
			"I was | charged twice for | the same {thing}",
			"my parcel was | sent to the wrong house / my neighbour | has it now",
			"I'd like to | cancel my order from | {day}",
			"we booked a | room for two / but there | are three of us now",
			"I can't | log in to my account / it says the password | is wrong",
			"I sent | the {thing} back / but nobody | has told me anything",
			"the driver | never came / I waited | the whole afternoon",
			"I'd like to know | whether you still | sell the {thing}",
		},
		"yes_no": {
			"yes", "no", "yes please", "no thank you", "yes that's right", "no that's wrong", "yeah", "yes I do", "no not really",
			"I think so", "no / it's the | other one", "yes / that would be | great", "of course", "correct", "not yet", "yes | exactly",
		},
		"date": {
			"yesterday", "on the {nth} | of {month}", "last {day}", "last {day} / in the | evening", "I think it was | the {nth} of {month}",
			"about two | weeks ago", "in {month}", "it was on a {day} / the {nth} | of {month} I believe", "this morning", "three days ago",
		},
		"name": {
			"my name is | {first} {last}", "{first} | {last}", "it's {first} {last}", "the name is | {last}", "{first} {last} / from {place}",
			"{last} / {first} | {last}", "this is {first}", "I'm {first} | {last}",
		},
		"mail": {
			"{first} dot {last} | at example | dot com", "it's {last} | at post | dot example | dot org", "{first} at | example dot net",
			"{first} underscore | {last} at example dot com", "it is | {first} at {last} dot com",
		},
		"question": {
			"how much does | a parcel to {place} cost", "what time | do you open | on {day}", "can I | pay by card", "do you have | the {thing} in blue",
			"where is | your office in {place}", "how long does | the delivery take", "is there a | cheaper {thing}", "who should I talk to",
			"what is the fee for", "could you tell me | when my {thing} | will arrive", "why was my | order cancelled",
		},
		"interruption": {
			"wait | a moment", "no that's not | what I asked", "sorry / can you | say that again", "stop", "hold on / I have | another question",
			"okay but | what about my {thing}", "I know that already", "no no / I meant | the other {thing}", "excuse me / that is | wrong", "yes yes I know",
			"can I | speak to a person",
		},
		"collision": {
			"oh and | one more thing", "and it was | a {thing}", "I mean | the old one", "sorry / I wanted to say {day}", "actually | forget that",
		},
		"goodbye": {
			"no that's all / thank you", "that's it / thanks | for your help", "no thanks / bye", "okay / goodbye", "thank you very much",
			"nothing else / have a | nice day", "no / that was everything", "great / thanks a lot",
		},
	}
}

// asks is what the agent asks before an answer of a class.
func asks() map[string][]string {
	return map[string][]string{
		"story":    {"What happened?", "Please tell me more about it.", "How can I help you with that?"},
		"yes_no":   {"Is that correct?", "Would you like to go on?", "Do you have your contract at hand?", "Shall I send it to you?"},
		"number":   {"What is your order number?", "Please tell me your customer number.", "Could you give me the number on the invoice?"},
		"date":     {"When was that?", "On which day did that happen?", "What was the date?"},
		"name":     {"What is your name?", "May I have your name, please?", "Who am I speaking with?"},
		"spelling": {"How do you spell that?", "Could you spell your last name?", "Please spell it for me."},
		"mail":     {"What is your e-mail address?", "Please tell me your e-mail address."},
		"question": {"What would you like to know?", "Do you have a question about it?"},
		"goodbye":  {"Is there anything else?", "Can I do anything else for you?"},
	}
}

// notes are short replies.
func notes() []string {
	return []string{"Thank you.", "I have noted that.", "All right, I have written that down for you.", "I understand.", "Let me see, that looks fine to me."}
}

// long are replies that can be interrupted.
func long() []string {
	return []string{
		"Our office in the city is open from nine to five on every working day, and on Saturdays it stays open until noon. You can also write to us.",
		"A parcel takes two days within the country and about a week to anywhere else. It costs five for a small one, and ten for a large one.",
		"I have found your contract in our books and it runs until the end of next year. It can be ended with a notice of three months.",
	}
}

func murmurs() []string { return []string{"uh-huh", "mhm", "okay", "right", "yeah"} }

func firstNames() []string {
	return []string{"anna", "peter", "maria", "david", "sarah", "martin", "laura", "simon", "olga", "george"}
}

func surnames() []string {
	return []string{"schmidt", "miller", "novak", "jensen", "garcia", "walker", "petrov", "bennett", "larsen", "keller", "moreau", "fischer"}
}

func things() []string {
	return []string{"card", "router", "phone", "jacket", "printer", "camera", "ticket", "laptop", "kettle", "bicycle"}
}

func days() []string {
	return []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
}

func months() []string {
	return []string{"january", "march", "april", "may", "june", "august", "october", "december"}
}

func ordinals() []string {
	return []string{"first", "third", "fifth", "tenth", "twelfth", "twentieth", "thirtieth"}
}

func places() []string {
	return []string{"france", "london", "berlin", "norway", "boston", "dublin", "italy", "geneva"}
}
