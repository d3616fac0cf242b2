package wizard

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/agent"
	"flametree/engine/fault"
)

const token = "1234567890:AAEisSLYpWrb0q18rlpuj7yQbJcOoM1PuLQ"

func twinAnswers() Answers {
	return Answers{
		About: "Name: Anna Teacher\nWho I am: Lifestyle blogger and English teacher living in Hanoi.\nMy mission: I believe life doesn’t have to be perfect.",
		Behaviour: "You are my AI Twin — a digital assistant that represents me.\nYour main tasks:\n- Answer questions about everyday life in Vietnam\n\n" +
			"Communication style:\n- Speak in my voice: calm, warm\n- Use short sentences",
		Files: []string{"uploads/talk.mp4", "uploads/book.PDF", "notes.txt"}, Token: token,
	}
}

func salesAnswers() Answers {
	return Answers{
		Name: "Mia", About: "I provide professional wardrobe analysis.\nThe goal is to reduce unnecessary purchases.",
		Behaviour: "AI Agent tone of voice: Friendly, warm, and supportive. Without pressure\nGreeting language: English\nStarting phrase: “Hi! How can I help you with your wardrobe today?”",
		Files:     []string{"faq.pdf"},
		Results: "- For each conversation, the AI agent should collect: the human’s name, email, and the reason why the customer needs wardrobe analysis and advice.\n" +
			"- The collected details must be sent to the following email address: wardrobe@test.com.",
		Token: token,
	}
}

func build(t *testing.T, tpl Template, a Answers, site *Site, compose Compose) (*agent.Spec, Built) {
	t.Helper()
	b, err := Build(tpl, a, site, compose)
	require.NoError(t, err)
	s, warnings, err := agent.Parse([]byte(b.File))
	require.NoError(t, err, b.File)
	require.Empty(t, warnings)
	return s, b
}

func TestCreatorTwinFromTheDocumentsExample(t *testing.T) {
	s, b := build(t, CreatorTwin, twinAnswers(), nil, nil)
	require.Equal(t, "Anna Teacher (AI twin)", s.Name)
	require.Equal(t, agent.InboundText, s.Type)
	require.Contains(t, s.Identity, "AI twin of Anna Teacher")
	require.Equal(t, "You are my AI Twin — a digital assistant that represents me.\nYour main tasks:\n- Answer questions about everyday life in Vietnam", s.Task)
	require.Equal(t, "- Speak in my voice: calm, warm\n- Use short sentences\nSpeak English. If the human writes in another language, answer in that one.", s.SpeechStyle)
	require.Equal(t, "Hi! I am the AI twin of Anna Teacher. What would you like to talk about?", s.Welcome)
	require.Contains(t, s.Core, "living in Hanoi")
	require.Equal(t, []string{"uploads/book.PDF", "notes.txt"}, s.Files)
	require.Equal(t, []string{"uploads/talk.mp4"}, b.Media, "a film is no knowledge before it is transcribed")
	require.Equal(t, Channel{Kind: "telegram", Token: token}, b.Channel)
	require.NotContains(t, b.File, token)
	require.Empty(t, s.Results)
	require.Equal(t, "Conversation", s.Flow.Start())
}

// What is said in a recording goes the way of what is written.
func TestWordsOfARecordingAreKnowledge(t *testing.T) {
	a := twinAnswers()
	require.Equal(t, []string{"uploads/talk.mp4"}, a.Media())
	long := strings.Repeat("life in Hanoi is never dull ", 4000)
	a.Files = append(a.Files, "day.mp3")
	a.Heard = []Heard{{"uploads/talk.mp4", "0:00\nThe market: opens at \x00six.\n\n2:00\n- bring a bag"}, {"day.mp3", long}}
	s, b := build(t, CreatorTwin, a, nil, nil)
	require.Empty(t, b.Media)
	require.Equal(t, "talk.mp4", s.Texts[0].Title)
	require.Equal(t, "0:00\nThe market: opens at six.\n\n2:00\n- bring a bag", s.Texts[0].Text)
	var titles []string
	words := 0
	for _, x := range s.Texts[1:] {
		titles = append(titles, x.Title)
		words += len(strings.Fields(x.Text))
	}
	require.Equal(t, []string{"day.mp3", "day.mp3, part 2", "day.mp3, part 3"}, titles)
	require.Equal(t, len(strings.Fields(long)), words, "no word is lost at a cut")
	a.Heard[0].Text = " \n"
	_, b = build(t, CreatorTwin, a, nil, nil)
	require.Equal(t, []string{"uploads/talk.mp4"}, b.Media, "nothing was understood")
}

func TestResultsGoWhereMailCanGo(t *testing.T) {
	a := salesAnswers()
	a.Results = "Collect the name. Send it to desk@mail.example."
	a.Behaviour = "Greeting language: Deutsch"
	s, _ := build(t, WebsiteSales, a, nil, nil)
	require.Equal(t, agent.Addresses{"desk@mail.example"}, s.Settings.ResultsEmailTo)
	require.Equal(t, "de", s.Settings.Language, "the mail is in the agent's language")
	a.Results = "Collect the name. Send it to desk@-mail-.example."
	s, b := build(t, WebsiteSales, a, nil, nil)
	require.Empty(t, s.Settings.ResultsEmailTo)
	require.Contains(t, strings.Join(b.Notes, "\n"), "the results cannot be sent to desk@-mail-.example")
}

func TestSalesAgentsFromTheDocumentsExamples(t *testing.T) {
	for _, tpl := range []Template{TelegramSales, WebsiteSales} {
		s, b := build(t, tpl, salesAnswers(), nil, nil)
		require.Equal(t, "Mia", s.Name)
		require.Equal(t, "Hi! How can I help you with your wardrobe today?", s.Welcome)
		require.Contains(t, s.SpeechStyle, "Friendly, warm, and supportive")
		require.Contains(t, s.SpeechStyle, "Speak English.")
		var names []string
		for _, f := range s.Results {
			names = append(names, f.Name)
		}
		require.Equal(t, []string{"HumanFullName", "HumanEmail", "Reason"}, names)
		require.Contains(t, s.Results[2].Description, "reason why the customer needs wardrobe analysis and advice")
		require.Equal(t, agent.Addresses{"wardrobe@test.com"}, s.Settings.ResultsEmailTo)
		require.Contains(t, s.Task, "ask for: full name, email, reason.")
		require.Equal(t, []string{"faq.pdf"}, s.Files)
		require.Equal(t, "SalesSupport", s.Flow.Start())
		if tpl == WebsiteSales {
			require.Equal(t, Channel{Kind: "web"}, b.Channel)
		} else {
			require.Equal(t, token, b.Channel.Token)
		}
	}
}

func TestAWebsiteStandsForTheDescription(t *testing.T) {
	a := salesAnswers()
	a.About = "https://wardrobe.example/en"
	s, b := build(t, WebsiteSales, a, nil, nil)
	require.Equal(t, []agent.Website{{URL: "https://wardrobe.example/en"}}, s.Websites)
	require.Contains(t, s.Core, "https://wardrobe.example/en", "the agent knows something at once")
	require.Contains(t, b.Notes, "the website https://wardrobe.example/en is read when the agent is created")

	s, _ = build(t, WebsiteSales, a, &Site{URL: a.About, Pages: []SitePage{{Title: "Wardrobe  studio", Text: "We look at\tyour clothes.\r\n\x07"}}}, nil)
	require.Equal(t, "Wardrobe studio\nWe look at your clothes.", s.Core)

	_, b = build(t, WebsiteSales, a, &Site{}, nil)
	require.Contains(t, b.Notes, "the website https://wardrobe.example/en has no text that could be read")

	a.About = "www.wardrobe.example"
	s, _ = build(t, WebsiteSales, a, nil, nil)
	require.Equal(t, "https://www.wardrobe.example", s.Websites[0].URL)
}

func TestAMissingPhraseIsComposed(t *testing.T) {
	for behaviour, want := range map[string]string{
		"Friendly":                               "Hi! I am Mia. How can I help you?",
		"Friendly\nGreeting language: Deutsch":   "Hallo! Ich bin Mia. Wie kann ich Ihnen helfen?",
		"Greeting Language: Russian":             "Здравствуйте! Меня зовут Mia. Чем могу помочь?",
		"Greeting language: Klingon":             "Hi! I am Mia. How can I help you?",
		"Starting phrase: not sure":              "Hi! I am Mia. How can I help you?",
		"Starting Phrase: \"Hi: {x}\"":           "Hi: {x}",
		"Greeting language: Spanish, de México.": "¡Hola! Soy Mia. ¿En qué puedo ayudarle?",
	} {
		a := salesAnswers()
		a.Behaviour = behaviour
		s, _ := build(t, TelegramSales, a, nil, nil)
		require.Equal(t, want, s.Welcome, behaviour)
	}
	a := salesAnswers()
	a.Behaviour = "Greeting language: Klingon"
	s, _ := build(t, TelegramSales, a, nil, nil)
	require.Contains(t, s.SpeechStyle, "Speak Klingon.")
}

func TestAModelMayBetterAPhraseButNotSpoilIt(t *testing.T) {
	a := salesAnswers()
	a.Behaviour = "warm"
	var asked []Phrase
	s, _ := build(t, TelegramSales, a, nil, func(p Phrase) string {
		asked = append(asked, p)
		return "“Welcome! What may I do for you?”"
	})
	require.Equal(t, "Welcome! What may I do for you?", s.Welcome)
	require.Len(t, asked, 2)
	require.Equal(t, "greeting", asked[1].Kind)
	require.Equal(t, "Hi! I am Mia. How can I help you?", asked[1].Draft)
	for name, said := range map[string]string{"nothing": "", "too long": strings.Repeat("x", 601), "too many lines": "a\nb\nc\nd", "a template": "Hi {name}"} {
		s, _ = build(t, TelegramSales, a, nil, func(Phrase) string { return said })
		require.Equal(t, "Hi! I am Mia. How can I help you?", s.Welcome, name)
	}
}

func TestResultsFromFreeText(t *testing.T) {
	for text, want := range map[string][]string{
		"name, phone and email":                           {"HumanFullName", "HumanPhoneNumber", "HumanEmail"},
		"Please collect name; budget":                     {"HumanFullName", "Budget"},
		"Collect: full name, preferred date of the visit": {"HumanFullName", "PreferredDate"},
		"- name\n- phone number\n- the city":              {"HumanFullName", "HumanPhoneNumber", "City"},
		"collect name and phone and send them to a@b.co":  {"HumanFullName", "HumanPhoneNumber"},
		"": {"HumanEmail", "HumanFullName", "Topic", "ConversationSummary"},
		"Details must be sent to sales@x.example.":            {"HumanEmail", "HumanFullName", "Topic", "ConversationSummary"},
		"topic, summary, name, name":                          {"Topic", "ConversationSummary", "HumanFullName"},
		"company name":                                        {"Company"},
		"имя, телефон, 2nd choice":                            {"HumanFullName", "HumanPhoneNumber", "Field2ndChoice"},
		"name, " + strings.Repeat("very ", 30) + "long thing": {"HumanFullName"},
	} {
		a := salesAnswers()
		a.Results = text
		s, _ := build(t, TelegramSales, a, nil, nil)
		var names []string
		for _, f := range s.Results {
			names = append(names, f.Name)
		}
		require.Equal(t, want, names, text)
	}
	require.Equal(t, "a@b.co", readResults("collect name and phone and send them to a@b.co").email)
	require.Equal(t, "first@x.org", readResults("mail to <first@x.org> or second@x.org").email)
	require.Empty(t, readResults("meet me @home, or a@b").email)
}

func TestEveryStepSaysWhatItsAnswerLacks(t *testing.T) {
	for name, c := range map[string]struct {
		template Template
		change   func(*Answers)
		step     Step
		want     string
	}{
		"no name":            {TelegramSales, func(a *Answers) { a.Name = " " }, Name, "name: this is required: Choose your AI agent's name"},
		"name of two lines":  {TelegramSales, func(a *Answers) { a.Name = "a\nb" }, Name, "name: a name has one line"},
		"no business":        {WebsiteSales, func(a *Answers) { a.About = "" }, About, "about: this is required: Information about your business"},
		"brackets left":      {CreatorTwin, func(a *Answers) { a.About = "Name: [your name]" }, About, "about: replace the text in square brackets: [your name]"},
		"no behaviour":       {CreatorTwin, func(a *Answers) { a.Behaviour = "" }, Behaviour, "behaviour: this is required: Define AI Twin behavior"},
		"too long":           {CreatorTwin, func(a *Answers) { a.Behaviour = strings.Repeat("ä", MaxAnswer+1) }, Behaviour, "behaviour: 20001 characters, 20000 are allowed"},
		"not a text":         {CreatorTwin, func(a *Answers) { a.Behaviour = "\xff" }, Behaviour, "behaviour: this is not UTF-8 text"},
		"no token":           {TelegramSales, func(a *Answers) { a.Token = "" }, Telegram, "telegram: this is required: Telegram bot token"},
		"wrong token":        {TelegramSales, func(a *Answers) { a.Token = "hunter2" }, Telegram, "telegram: this is no bot token: it looks like 1234567890:AA… and comes from @BotFather"},
		"film for a website": {WebsiteSales, func(a *Answers) { a.Files = []string{"x/film.mp4"} }, Knowledge, `knowledge: the file "film.mp4" cannot be taken: allowed are pdf`},
		"the same twice":     {CreatorTwin, func(a *Answers) { a.Files = []string{"a.pdf", "a.pdf"} }, Knowledge, `knowledge: the file "a.pdf" is there twice`},
		"eleven files": {CreatorTwin, func(a *Answers) {
			a.Files = strings.Split("a.pdf b.pdf c.pdf d.pdf e.pdf f.pdf g.pdf h.pdf i.pdf j.pdf k.pdf", " ")
		}, Knowledge, "knowledge: 11 files, 10 are allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			a := salesAnswers()
			if c.template == CreatorTwin {
				a = twinAnswers()
			}
			f, err := Find(c.template)
			require.NoError(t, err)
			require.NoError(t, f.Validate(a))
			c.change(&a)
			require.EqualError(t, f.Check(c.step, a), c.want)
			_, err = Build(c.template, a, nil, nil)
			require.EqualError(t, err, c.want)
			require.ErrorIs(t, err, fault.Invalid)
		})
	}
	f, err := Find(CreatorTwin)
	require.NoError(t, err)
	require.ErrorIs(t, f.Check(Results, Answers{}), fault.NotFound)
	_, err = Find("other")
	require.ErrorIs(t, err, fault.NotFound)
	require.NoError(t, f.Check(Review, Answers{}))
	require.Len(t, strings.Split(f.Validate(Answers{}).Error(), "\n"), 3, "all faults at once")
}

func TestFormsAreThoseOfTheDocument(t *testing.T) {
	steps := map[Template]string{}
	for _, f := range Templates() {
		var names []string
		for _, p := range f.Pages {
			require.NotEmpty(t, p.Title)
			require.NotEmpty(t, p.Help)
			names = append(names, string(p.Step))
		}
		steps[f.Template] = strings.Join(names, " ")
	}
	require.Equal(t, map[Template]string{
		CreatorTwin:   "about behaviour knowledge telegram review",
		TelegramSales: "name about behaviour knowledge results telegram review",
		WebsiteSales:  "name about behaviour knowledge results review",
	}, steps)
}

// Whatever people write, either they are told what to change or an agent comes
// out that is read without a warning.
func TestAnyAnswersMakeAnAgentOrAFault(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-zA-Z :,\-#"'\n@.{}\[\]|>&*!%]{0,200}`), rapid.SampledFrom([]string{
			salesAnswers().About, salesAnswers().Behaviour, salesAnswers().Results, "https://x.example", "true", "~", "- a\n\tb", "yes: no\n# c", " leading\n  lines",
		}))
		a := Answers{Name: text.Draw(t, "name"), About: text.Draw(t, "about"), Behaviour: text.Draw(t, "behaviour"), Results: text.Draw(t, "results"), Token: token}
		tpl := rapid.SampledFrom([]Template{CreatorTwin, TelegramSales, WebsiteSales}).Draw(t, "template")
		var site *Site
		if rapid.Bool().Draw(t, "crawled") {
			site = &Site{Pages: []SitePage{{Title: text.Draw(t, "title"), Text: text.Draw(t, "text")}}}
		}
		b, err := Build(tpl, a, site, nil)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("%v\n%#v", err, a)
			}
			return
		}
		if _, w, err := agent.Parse([]byte(b.File)); err != nil || len(w) > 0 {
			t.Fatalf("%v %v", err, w)
		}
	})
}
