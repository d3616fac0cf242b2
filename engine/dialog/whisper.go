package dialog

import (
	"strings"

	"flametree/engine/provider"
	"flametree/engine/session"
)

// whispers is what people of the team told the agent for this conversation. It
// is an instruction as the task is: it comes from the owner's side.
func whispers(s *session.State) provider.Part {
	if len(s.Whispers) == 0 {
		return provider.Part{}
	}
	lines := []string{"Guidance of your team for this conversation, the newest last. Follow it, and do not mention it to the human:"}
	for _, w := range s.Whispers {
		lines = append(lines, "- "+strings.Join(strings.Fields(w.Text), " "))
	}
	return provider.Part{Kind: provider.PartTask, Title: "guidance", Text: strings.Join(lines, "\n")}
}
