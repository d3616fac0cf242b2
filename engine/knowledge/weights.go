package knowledge

// weights are the numbers by which a passage is judged. They were first chosen on
// the two agents in testdata, later by trying values on those and on the agents
// of test/model together, whose first scores stand in their files.
type weights struct {
	unseen      float64 // a word that stands nowhere, to the rarest possible one
	soft        float64 // an everyday word that stands nowhere, to a strange one
	thing       float64 // a name the knowledge writes with a capital: a product, a place
	softMost    float64 // an everyday word that stands nowhere, at most, to the mean of those that do
	floor       float64 // the commonest word, to the rarest possible one
	lightUnseen float64 // an everyday word that stands nowhere
	carried     float64 // all that is carried over from the turn before, to the question itself
	title       float64 // where a word stands, to the question of a FAQ or the sentence that answers
	heading     float64
	answer      float64
	apart       float64 // in another sentence of the passage
	fact        float64 // cost, covered by an amount
	noFact      float64 // factor for a passage without the kind of fact that is asked for
	prose       float64 // a sentence of a text, to the answer of a FAQ that fits as well
	back        float64 // how much a FAQ loses that asks about something else besides
	indirect    float64 // factor when no word matches but by a related one
	twice       float64 // what a word loses whose only match stands for another one already
	rest        float64 // what a text loses that only names, in its title, the thing asked about
	doubt       float64 // how much meaning must be covered before it counts half
}

func standard() weights {
	return weights{
		unseen: 1.1, soft: 0.19, softMost: 0.7, thing: 1.5, floor: 0.2, lightUnseen: 0.25, carried: 0.18,
		title: 0.97, heading: 0.9, answer: 0.8, apart: 0.4,
		fact: 0.85, noFact: 0.65, prose: 0.82, back: 0.19, indirect: 0.95, twice: 0.5, doubt: 0.55, rest: 0.8,
	}
}
