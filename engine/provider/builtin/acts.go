package builtin

import (
	"regexp"
	"strings"
)

// The acts of everyday talk, as they read in a line's norm.
var (
	actBye     = regexp.MustCompile(`\b(good ?bye|bye( bye)?|see you( later| soon)?|(thats|that is|that was|that will be|that would be|thatll be) (all|it|everything)( for (now|today))?|nothing (else|more)|no (more|other|further) questions?|i have to (go|leave)|have a (nice|good|great|lovely) (day|one|evening|weekend|afternoon|night)|you can hang up|talk to you later|i( a)?m done|we( a)?re done|good ?night)\b`)
	actThanks  = regexp.MustCompile(`\b(thank(s| you)( so| very)?( much)?( again)?( for (your|the) (help|information|time|assistance))?|thx|cheers|much appreciated|i appreciate (it|that)|youve been (very )?helpful)\b`)
	actGreet   = regexp.MustCompile(`^((hi|hello|hey|greetings|good (morning|afternoon|evening|day))( there| again| everyone)?\b ?)+`)
	actRepeat  = regexp.MustCompile(`^(sorry |excuse me |pardon |please |could you |can you |would you |um |uh )*(repeat.{0,30}|say (that|it|this) again|say again|pardon( me)?|come again|what did you (just )?say|what was that|one more time|once (more|again)|i (didnt|did not|couldnt|could not|cant) (quite )?(hear|understand|catch|get) (you|that|it|what)\b.*|((sorry|excuse me) )?what|huh|sorry|pardon)( please)?( again)?( for me)?$|^.{0,40}\b(repeat|say) (that|it|this)( again)?\b.{0,30}$`)
	actWho     = regexp.MustCompile(`\b(who are you|what are you|whats your name|what is your name|who am i (talking|speaking) (to|with)|who is (this|speaking|there)|whos (this|there)|your name please|introduce yourself|are you (a |an )?((real |actual )?(person|human)|bot|robot|machine|real|ai|computer|chatbot|virtual))\b`)
	actRobot   = regexp.MustCompile(`\bare you (a |an )?((real |actual )?(person|human)|bot|robot|machine|real|ai|computer|chatbot|virtual)\b`)
	actCan     = regexp.MustCompile(`^(so |and )?(what (can|do) you (do|help)( me)?( with)?( for me)?|how can you help( me)?|what can i ask( you)?|help( me)?|i need( some)? help|can you help me)$`)
	actHuman   = regexp.MustCompile(`\b((speak|talk|connect|transfer|put|pass|get|need|want|have|chat|give|let)\b.{0,25}\b(human|(real|actual|live) person|a person|agent|operator|representative|colleague|manager|advisor|adviser|supervisor|someone real|somebody real|member of staff|employee)|(speak|talk) (to|with) (someone|somebody|a person|people)|^(operator|representative|human|agent|a human|real person)( please)?$)`)
	actWait    = regexp.MustCompile(`^(please )?(hold on|one (moment|second|minute)|just a (moment|second|minute)|wait( a (moment|second|minute))?|hang on)( please)?$`)
	actHow     = regexp.MustCompile(`^(hi |hello |hey )?(how are you( doing)?( today)?|hows it going|how do you do)$`)
	actYes     = regexp.MustCompile(`^(um |uh |oh |well |ah )*(yes|yeah|yep|yup|sure|ok(ay)?|of course|certainly|please do|please|go ahead|absolutely|right|correct|exactly|thats (right|correct|fine|ok|true)|that is (right|correct|fine|true)|(i do|i am|i would|it is|id (love|like) (to|that)|i would (love|like) (to|that))( please)?$|i agree|i confirm|confirmed|mhm|uh huh|definitely|al ?right|fine|sounds good|why not|gladly|perfect|great)\b`)
	actNo      = regexp.MustCompile(`^(um |uh |oh |well |ah )*(no|nope|nah|not (really|now|yet|today|at the moment|interested)|never mind|nothing|wrong|incorrect|thats (wrong|not)|that is (wrong|not)|i (dont|do not|am not|would not|wouldnt|rather not)|im not|id rather not|rather not|id prefer not|i prefer not|no need)\b`)
	actRefuse  = regexp.MustCompile(`\b(rather not|prefer not|dont want to|do not want to|not (tell|telling|give|giving|share|sharing)|none of your|skip( (that|it|this))?|why do you need|no (phone|email|e mail|name))\b`)
	actDunno   = regexp.MustCompile(`^(i (dont|do not) know|no idea|not sure|im not sure|i am not sure|i (dont|do not) (have|remember)\b.*|i forgot.*|dont know)$`)
	actWrong   = regexp.MustCompile(`\b(thats not what i (asked|meant|said)|not what i (asked|meant)|you (didnt|did not) answer|wrong answer|you dont understand|you do not understand)\b`)
	actWant    = regexp.MustCompile(`\b(i want|i need|i( woul)?d like|i wish|i( a)?m (looking|calling|trying|ready|here|interested|going)|i have to|i must|lets|let me|please|can i|could i|can you|could you|would like|sign me|book me|i (lost|had|got|have|was)|my .+ (is|was|has|got|were) )\b`)
	actAsk     = regexp.MustCompile(`^(so |and |but |well |ok |okay |then |also |um |uh |hi |hello |please |excuse me )*(how|what|whats|when|where|wheres|who|whos|whose|why|which|can|could|do|does|did|is|are|was|were|will|would|should|shall|may|must|am|has|have|isnt|arent|dont|doesnt|cant)\b`)
	actAskIn   = regexp.MustCompile(`\b(what|how|where|when|why|which|who) (should|shall|do|does|did|can|could|is|are|was|were|will|would|must|may|happens|happened|much|many|long|about|if|now)\b|\b(can|could|may|should|must|do|does|will|would|am|are|is) (i|we|you|she|he|they|my|it|there|this)\b|.{8} why$`)
	actAskSoft = regexp.MustCompile(`\b((tell|give|show) me|like to know|want to know|need to know|wonder(ing)?|curious|question (about|on|regarding)|explain|information (about|on)|any idea|let me know|what about|how about|know (if|whether|how|what|when|where))\b`)

	fillWords = regexp.MustCompile(`^(um|uh|er|erm|hmm|mm|ah|oh|well|so|okay|ok|yes|yeah|sure|right|actually|basically|please|hello|hi|hey|and|it is|its|its a|thats|that is|that would be|that will be|i think|maybe|of course|certainly|no problem)\b[ ,.:!-]*`)
)

// short reports whether a norm has at most n words.
func short(norm string, n int) bool { return strings.Count(norm, " ") < n }

// unheard reports whether nothing was understood: no letter, no digit.
func unheard(l line) bool {
	switch l.norm {
	case "", "um", "uh", "hmm", "mm", "unintelligible", "inaudible", "noise", "silence", "unk":
		return true
	}
	return false
}

// yes and no report agreement and its contrary; a question is neither.
func yes(l line) bool {
	return actYes.MatchString(l.norm) && !l.question && !actNo.MatchString(l.norm)
}
func no(l line) bool { return actNo.MatchString(l.norm) && !l.question }

// asks reports whether a sentence is a question.
func asks(s string) bool {
	n := normal(s)
	return strings.HasSuffix(strings.TrimSpace(s), "?") || actAsk.MatchString(n) || actAskSoft.MatchString(n) || actAskIn.MatchString(n)
}

// social takes greeting, thanks and goodbye out of a norm; what is left is
// about something.
func social(norm string) string {
	norm = actGreet.ReplaceAllString(norm, "")
	norm = actBye.ReplaceAllString(norm, " ")
	norm = actThanks.ReplaceAllString(norm, " ")
	return strings.Join(strings.Fields(norm), " ")
}
