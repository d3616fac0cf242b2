package rig

import (
	"fmt"
	"strings"
	"time"
)

// Script is how the played providers behave. Its delays are known to whoever
// measures, who takes them off again.
type Script struct {
	Final      time.Duration `json:"final"`       // from Finalize to the recogniser's last words
	FirstToken time.Duration `json:"first_token"` // from the request to the model's first words, a whole clause
	Token      time.Duration `json:"token"`       // between later words of the model
	FirstByte  time.Duration `json:"first_byte"`  // from a clause to its first audio
	Reply      string        `json:"reply"`       // what the model says to anything
}

// WordTime is how long a word lasts, in both directions.
const WordTime = 300 * time.Millisecond

// Reply makes a reply of a number of words, at least nine, in clauses.
func Reply(words int) string {
	text := []string{"Here is what I found.", "The answer has"}
	for n := 8; n < words-1; n++ {
		text = append(text, "many")
	}
	return strings.Join(append(text, "words."), " ")
}

// Spoken is how long the reply lasts when it is spoken.
func (s Script) Spoken() time.Duration {
	return time.Duration(len(strings.Fields(s.Reply))) * WordTime
}

// Greeting is what the agent says first.
const Greeting = "Hello and welcome."

// Alias is the agent's SIP user.
const Alias = "bench"

// Agent writes the agent's file. Variables of its environment come in the order
// given, as KEY, value, KEY, value.
func Agent(kind string, env ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `name: Bench agent
alias: %s
type: %s
identity: You answer questions about the post.
speech_style: Short sentences.
task: Answer every question.
welcome_message: %s
knowledge:
  core: The post office is open on every day of the week.
  faqs:
    - question: When is the post office open?
      answer: It is open from nine to five on every day of the week.
    - question: How long does a letter take?
      answer: A letter takes two days within the country, and a week abroad.
    - question: What does a parcel cost?
      answer: A small parcel costs five, a large one ten.
models:
  llm: fake
  stt: fake
  tts: fake
`, Alias, kind, Greeting)
	// The fakes stand for vendors, to whom the line is given as it is.
	b.WriteString("env:\n  VOICE_NOISE_SUPPRESSION: \"off\"\n")
	for i := 0; i+1 < len(env); i += 2 {
		fmt.Fprintf(&b, "  %s: %q\n", env[i], env[i+1])
	}
	return b.String()
}
