package workflow

import (
	"slices"

	"flametree/engine/workflow/located"
)

// SystemTools are the tools every agent has without a tool group (spec 4, D4,
// D7, D9, D13). ForwardSpeech is another name of SendChatMessage.
func SystemTools() []string {
	return []string{
		"SendChatMessage", "FinishSession", "SearchTool", "ProvideOptionButtons", "SuggestChatMessage",
		"TriggerKBSearch", "ReportUnansweredQuestion", "SearchInKnowledgeBase", "NoKBAnswer", "SingleSearchFAQ",
		"TransferToHuman", "TransferCall", "SendDigits", "PauseRecording", "ResumeRecording", "SearchProducts", "GetProduct", "SendWidgetEvent", "ForwardSpeech",
		"ReadResult",
	}
}

// reference is a name that something outside the workflow must know, and its
// place in the file.
type reference struct {
	kind      refKind
	name      string
	line, col int
}

type refKind uint8

const (
	refTool refKind = iota
	refSkill
	refResult
)

// Check names every tool that is neither a system tool nor one of tools, which
// are those of the agent's groups, MCP servers and OpenAPI documents. Places
// are those of the file that the workflow stands in. An empty answer is good.
func (f *Flow) Check(tools []string) []Warning {
	return f.missing(refTool, slices.Concat(SystemTools(), tools),
		"there is no tool %q: neither a system tool nor one of this agent's tool groups, MCP servers and OpenAPI documents%s")
}

// CheckSkills names every skill that is none of skills.
func (f *Flow) CheckSkills(skills []string) []Warning {
	return f.missing(refSkill, skills, "there is no skill %q in this agent's tool groups%s")
}

// CheckResults names every conversation result that a condition asks about
// though it is none of results: such a comparison is always false.
func (f *Flow) CheckResults(results []string) []Warning {
	return f.missing(refResult, results, "the condition asks about results.%s, which is no conversation result of this agent%s")
}

func (f *Flow) missing(kind refKind, known []string, format string) []Warning {
	if f == nil {
		return nil
	}
	r := located.NewReport("workflow")
	for _, ref := range f.refs {
		if ref.kind == kind && !slices.Contains(known, ref.name) {
			r.Warn(located.Node{Line: ref.line, Col: ref.col}, format, ref.name, located.Suggest(ref.name, known))
		}
	}
	return r.Warnings()
}
