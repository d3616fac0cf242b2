package lm

import "strings"

// talk is what callers of any agent say, one pattern a line: (a|b) is a choice,
// (a|) may be left out.
const talk = `
(yes|yeah|yep|sure|okay|right|correct|exactly|absolutely|of course)
(yes|yeah) (please|i do|i am|i did|i have|it is|that's right|that is correct|of course|thank you|thanks)
(no|nope|not really|not yet|not now|not at all|never)
no (thank you|thanks|i don't|i do not|i'm not|i did not|i didn't|i haven't|it isn't|it is not|that's wrong|that is not right|that's all|nothing else)
(that's|that is) (right|correct|wrong|fine|good|great|perfect|it|all|everything|okay|not correct|not right|not what i said|not what i meant)
(okay|alright|great|perfect|good|fine|wonderful|excellent|i see|got it|i understand|understood) (thank you|thanks|)
(thanks|thank you) (very much|so much|a lot|for your help|for the information|that was helpful|)
(hello|hi|hey|good morning|good afternoon|good evening) (there|how are you|can you help me|i have a question|i need help|)
(goodbye|bye|bye bye|good bye|see you|have a nice day|have a good day|take care|talk to you later)
(okay|alright|thanks) (bye|goodbye)
that's (all|it|everything) (thank you|thanks|for now|for today|i needed|i wanted to know|)
nothing else (thank you|thanks|)
(can|could) you (please|) (repeat that|say that again|repeat the question|repeat it|speak up|speak slower|speak more slowly|speak a little louder|spell that|explain that|help me|tell me more|call me back|hold on a second)
(please repeat|repeat please|say again|say that again please|one more time please|come again|what did you say|what was that|pardon|pardon me|excuse me|sorry|i'm sorry|i am sorry)
sorry (i didn't hear you|i did not hear that|i didn't get that|i don't understand|what was that|could you repeat that|can you say that again)
i (didn't|did not|don't|do not|can't|cannot) (understand|hear you|catch that|get that|know|remember|hear that|follow you)
(hold on|hang on|wait|one moment|just a moment|one second|just a second|give me a second|give me a minute|wait a minute|let me check|let me see|let me think) (please|)
(stop|cancel|never mind|forget it|wait wait|no stop|go back|start over|go ahead|go on|continue)
i (want|need|would like|wish|have) to (speak|talk) (to|with) (a human|a person|a real person|an agent|somebody|someone|an operator|a representative|your manager|a manager|a specialist|customer service|support|an advisor)
(can|could|may) i (please|) (speak|talk) (to|with) (a human|a person|a real person|an agent|somebody|someone|an operator|a representative|a manager|customer service)
(put|connect|transfer) me (through|) to (a human|a person|an agent|someone|an operator|a representative|customer service|the manager)
(operator|representative|agent|human|real person|customer service) (please|)
are you (a robot|a computer|a real person|still there|there|a machine|a human)
who (are you|am i talking to|am i speaking with|is this)
what (is your name|can you do|do you do|else can you do|do you mean|does that mean|should i do|should i do now|do i do now|happens next|are my options|are the options|else do you have)
i (have|have got|had) (a question|another question|a few questions|one more question|a problem|an issue|a complaint|some questions|an appointment)
i have a (question|problem) (about|with|regarding) (it|that|this|something|my order|my account)
(can|could) you (help me|tell me|explain|check|find out|send me) (please|that|something|more|)
i need (help|some help|some information|more information|more time|assistance|advice)
i (would like|want|need) (some|more) information (please|about it|about that|)
i'm (calling|phoning) (about|because of|regarding) (it|my order|my account|a problem|something|)
i am calling (about|because|to ask|to find out|to know) (it|my account|)
(how much|how much money) (is it|is that|does it cost|does that cost|do i have to pay|will it cost|would it cost|do you charge|is left|do i get|can i get|do i owe)
how (long|much longer) (does it take|does that take|will it take|do i have to wait|do i need to wait|is it valid|does it last|is that)
how (many|many of them) (do i have|can i have|are there|are left|do i need|can i get|do you have|days does it take|times can i do that|people)
how (do i do that|does it work|does that work|can i do that|can i pay|do i pay|do i get it|do i get there|do i start|do i apply|often|soon|far|late)
what (does it cost|is the price|is the cost|time is it|time do you open|time do you close|time does it start|time does it end|do i need|do i need for that|is included|is it|is that|about|if i lose it|if i forget it|happens if i lose it|happens if i don't|happens then)
when (does it start|does it end|do you open|do you close|are you open|will it arrive|is it|can i come|will i get it|does it expire|will it be ready|do i get it|is that|can i expect it|was that)
where (is it|is that|do i go|can i find it|can i find that|are you|are you located|can i do that|do i sign up|can i get one|do i find this|should i go)
why (is that|not|is it so expensive|do i have to pay|was it declined|can't i|did you|is it not working|did that happen|should i)
(can|could|may|should|do|must) i (do that|do it|get it|have it|use it|change it|cancel it|order it|pay for it|return it|come in|do this online|do that online|do that by phone|bring it|take it) (online|today|tomorrow|here|now|by phone|in person|)
(is|was) (it|that|this|there) (free|possible|expensive|included|available|safe|necessary|true|a problem|a fee|a limit|a charge|an extra fee|a discount|anything else|enough|open|closed|correct|okay)
(does|do|did|will|would) (it|that|they|you) (work|cost anything|cost extra|expire|help|matter|cover that|have that|accept that|open tomorrow|take long|include that|depend)
do you (have|offer|accept|know|need|sell|take|work|deliver|ship|charge) (it|that|anything else|something else|my name|my number|a discount|credit cards|cash|)
are (there|you|they) (any|) (fees|other options|discounts|open|closed|extra costs|hidden fees|conditions|open on sunday|open on saturday|open today|sure)
i (lost|forgot|need|want|changed|received|got|bought|paid|ordered|cancelled|returned|broke|missed) (it|one|them|mine|something|this|that) (yesterday|today|last week|this morning|)
(i would like|i'd like) (one|two|that|this|it|to know|to ask|to order|to buy|to cancel|to pay|to change it|to know more|to make an appointment|to make a reservation|to book|to complain)
i (want|need) (it|this|that|one|to know|to ask you something|to order|to buy|to cancel|to pay|to change it|to book|to go|to check|to confirm|to update it)
it (doesn't work|does not work|is not working|isn't working|didn't work|was declined|was stolen|is broken|was lost|hasn't arrived|has not arrived|did not arrive|says error|is too expensive|is fine|works|depends)
(somebody|someone) (stole it|stole my wallet|took it|used it|called me|told me|charged me)
i (can't|cannot|can not) (log in|sign in|access my account|find it|pay|hear you|open it|remember it|use it|do that|come|wait)
(maybe|probably|i think so|i guess so|i don't think so|i'm not sure|i am not sure|i don't care|it doesn't matter|whatever)
(the first one|the second one|the third one|the last one|both|all of them|none of them|either|neither|the other one|this one|that one|the cheaper one|the same)
(my name is|my number is|my email is|my address is|my date of birth is|my order number is|my account number is|the number is|the code is|the date is|it's|it is|you can call me at|you can reach me at|please call me back at)
(please|) (call|send|text|email) me (back|later|tomorrow|an email|a message|the details|the link|a confirmation|at home|in the morning|in the afternoon|in the evening)
i'm (interested|not interested|looking for something|still here|listening|in a hurry|driving|busy|ready|not ready|new here|a customer|not a customer|an existing customer|a new customer|happy|not happy|very disappointed)
i (already|just) (told you|did that|paid|tried that|called|have one|said that|got one|ordered it|received it|lost it)
(today|tomorrow|yesterday|tonight|now|later|soon|next week|last week|this week|next month|last month|this month|this weekend|the day after tomorrow|in two days|in a week|as soon as possible|any time|right now|right away)
(tomorrow|today|this|next week) (morning|afternoon|evening|night|at noon)
in the (morning|afternoon|evening)
what (else|do you recommend|would you recommend|do you suggest|is better|is the best|is the difference|is the difference between them|kind do you have|is the address|is the phone number|is the website|are your hours|are your opening hours)
(which|which one) (is better|is cheaper|do you recommend|should i take|one is it|ones do you have|is the best|would you take)
tell me (more|more about it|about it|about that|about this|the price|the difference|everything|what to do|how it works|how much it is|where it is|why)
i (would like|want) to (make|file) (a complaint|an appointment|a reservation|a booking|a change|a payment)
`

func lines(s string) []string {
	var out []string
	for l := range strings.Lines(s) {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}

// nounFrames are sentences about a thing. {n} is a noun phrase.
const nounFrames = `
what (is|are|about|is the|are the|was the|is your) {n}
what is (my|the|this|a) {n} (for|of the|on the|now|)
what (happens to|happens with|do you know about) (my|the) {n}
(what|which) {n} (do you have|do you offer|is best|should i take|are there|can i use|is it|do i need)
how (much|high|long|big|old|good) is (the|my|your|a) {n}
how much (is|are|does|do|for) (the|a|my|) {n} (cost|)
how (do i|can i|does one) (get|use|change|order|pay|find|cancel|check|return|apply for|activate|see|raise) (a|the|my|) {n}
how (does|do) (the|a|your|my) {n} work
how many {n} (do i have|are there|can i get|do you have|are left|do i get|can i have|)
how long (does|is|will|until) (the|a|my) {n} (take|valid|last|arrives|)
(where|when) (is|are|was) (the|my|your) {n}
(where|when) (do|can|will|should) i (get|use|find|see|pay|receive|pick up|check|change) (the|a|my) {n}
why (is|was|did) (the|my|a) {n} (so high|declined|not work|closed|blocked|cancelled|so expensive|)
(do|does|did|will|would) (you|it|i|they) (have|offer|need|charge|include|accept|cover|get|sell|pay|take|know) (a|the|any|my|) {n}
(is|are) there (a|any|an|) {n} (for|on|in|with|at|included|)
(is|are) (the|a|your|my|this|that) {n} (free|included|available|high|safe|open|valid|expensive|possible|refundable|working|enough|the same)
(can|could|may|should|must|do) i (get|have|use|change|order|see|cancel|pay|keep|buy|bring|check|return|raise|lower|increase|transfer|share|need|pay for|apply for) (a|the|my|another|more|) {n}
(can|could|will) you (tell me|explain|change|check|send me|give me|cancel|block|raise|book|find|open|close) (the|a|my|about the|about your|) {n}
(i want|i need|i have|i lost|i forgot|i changed|i got|i bought|i ordered|i received|i paid|i would like|i'd like) (a|an|the|my|another|two|some|) {n}
(i want|i need|i would like|i'd like) to (know|ask about|change|order|cancel|buy|check|get|use|pay|see|raise|increase|know about|apply for|return|book|report|find out|talk about) (the|a|my|your|) {n}
i (have|had) (a|an) (question|problem|issue|complaint) (about|with|regarding|on) (the|my|your|) {n}
(i'm|i am) (calling|asking|interested|looking) (about|for|in) (the|a|my|your|) {n}
(my|the|a|your|this|that|our) {n}
(my|the|this) {n} (is|was|has been|hasn't|has|does not|doesn't|didn't|isn't|wasn't|will be) (lost|stolen|declined|blocked|working|work|arrived|broken|expired|cancelled|wrong|missing|expire|gone|closed|late|too low|too high|full)
(somebody|someone) (stole|used|took|found) my {n}
tell me (about|more about) (the|your|my|) {n}
the {n} (please|is|of|for|and|on|in|at|was|will)
{n}
{n} (please|and|or|for|of|on|in|at|with)
(with|without|for|about|of|from|on|in|at|to|by|after|before|per|using) (the|my|a|your|) {n}
(send|show|give) me (the|a|my) {n}
(someone|they|you) (charged|sent|gave|told) me (a|the|my|about the) {n}
(any|another|a new|more|no|some|other|the new|the old|a different|an extra|the same|two|three) {n}
`

// verbFrames are sentences about a deed. {v} is a verb phrase.
const verbFrames = `
how (do|can|could|would|should|did|will) (i|you|we) {v}
how (long|much) (does it (take|cost)|will it (take|cost)|would it (take|cost)) to {v}
how (many times|often|soon|late|much) can i {v}
(can|could|may|should|must|do|will|would) (i|you|we|they) {v}
(can|could) you (please|help me) {v}
(can|could|may|do|should) i (still|also|even|already|please|have to|need to) {v}
(i want|i need|i have|i would like|i'd like|i tried|i am trying|i forgot|i wish|i plan|i decided|i used) to {v}
(i'm|i am) (trying|going|about|unable|not able|supposed|calling) to {v}
i (can't|cannot|could not|couldn't|don't want to|didn't|did not|just want to|must|will|should|may|might) {v}
is it (possible|free|safe|necessary|allowed|expensive|hard) to {v}
(where|when|why) (do|can|should|must|could|did) i {v}
what (happens|if|do i need|should i do|do i have to do|does it cost|is needed) (if i|to|when i|) {v}
(what happens|what|and|even|only) if i {v}
(help me|please|let me|i'll|i will|you|we|to|do i have to|do i need to|you can|the way to|it takes to) {v}
{v}
{v} (please|today|tomorrow|now|online|here|again|myself|abroad|by phone|over the phone|at home|from home|in the app|for me)
when (i|you|we) {v}
`

// expandNested writes out choices that hold choices, innermost first.
func expandNested(p string) []string {
	end := strings.IndexByte(p, ')')
	if end < 0 {
		return []string{strings.Join(strings.Fields(p), " ")}
	}
	open := strings.LastIndexByte(p[:end], '(')
	var out []string
	for c := range strings.SplitSeq(p[open+1:end], "|") {
		out = append(out, expandNested(p[:open]+c+p[end+1:])...)
	}
	return out
}
