package builtin

import (
	"flametree/engine/provider"
	"fmt"
	"testing"
)

func TestDev(t *testing.T) {
	run := func(k *talk, ls ...string) {
		for _, l := range ls {
			out, c := k.hear(l)
			fmt.Printf("> %s\n< %s", l, out)
			if c != nil {
				fmt.Printf("  CALL %s %s", c.Name, c.Args)
			}
			fmt.Println()
		}
		r := k.request()
		r.Schema = []byte(`{"type":"object","properties":{"HumanFullName":{"type":"string"},"HumanEmail":{"type":"string"},"HumanPhoneNumber":{"type":"string"},"EventDate":{"type":"string"},"InterestInDebitCards":{"type":"string"},"ConversationStage":{"type":"string"},"Topic":{"type":"string"},"ConversationSummary":{"type":"string"}}}`)
		s, _ := collect(t, k.model, r)
		fmt.Println("   ", s)
		fmt.Println()
	}
	run(bank(t), "hello", "how much is the monthly fee of the premium card", "and for the basic one", "can you repeat that", "what is the daily limit of the premium card", "john smith", "what cards do you offer", "what is the difference between the basic and the premium card", "do you offer mortgages", "does it work with apple pay and how do i order one", "five five five one two three four five six", "thank you", "no thanks goodbye")
	run(hub(t), "yes please", "is it free", "what if I can't make it", "i'd like to register for time management", "my name is Anna Lopez", "anna dot lopez at gmail dot com", "555 123 4567", "next friday", "who are you", "are you a robot", "do you sell tickets for football games", "ok thanks", "bye")
	run(hub(t), "I want to speak to a human", "", "how long does an event take and where does it take place?", "what can you do", "how are you", "my card is broken", "ja guten tag")
	_ = provider.Message{}
}
