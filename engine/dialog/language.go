package dialog

import (
	"cmp"
	"encoding/json"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/session"
)

// LanguageOf is the language of a conversation now (BCP 47): what it was set to,
// else what its agent begins in, "" = English.
func LanguageOf(s *session.State, r *agent.Revision) string {
	return cmp.Or(s.Born.Language, r.Settings.Language)
}

// multilingual reports whether the agent has another language to go on in.
func multilingual(_ *session.State, r *agent.Revision) bool { return len(r.Spec.Languages) > 1 }

// toLanguages is the schema of SwitchLanguage: nothing else can be named.
func toLanguages(r *agent.Revision) json.RawMessage {
	tags, err := json.Marshal(r.Spec.Languages)
	if err != nil {
		panic("dialog: languages are always JSON: " + err.Error())
	}
	return schemaOf(`{"language":{"type":"string","enum":`+string(tags)+`}}`, `["language"]`)
}

// switchLanguage has the conversation go on in another language. unable has
// looked whether the agent speaks it.
func (d *decision) switchLanguage(wish string) string {
	tag, _ := d.rev.Spec.Speaks(wish)
	if tag == LanguageOf(&d.State, d.rev) {
		return "The conversation is held in " + tag + " already."
	}
	d.tell(event.SessionUpdated{Language: &tag})
	return "Go on in " + tag + "."
}

// Switched is the language that a conversation changed to with events; ok is
// false when it did not.
func Switched(events []event.Event) (tag string, ok bool) {
	for _, e := range events {
		if u, is := e.(event.SessionUpdated); is && u.Language != nil {
			tag, ok = *u.Language, true
		}
	}
	return tag, ok
}
