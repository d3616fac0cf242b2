package wizard

// Templates are the three forms, in the order of the menu.
func Templates() []Form { return []Form{twin(), sales(TelegramSales), sales(WebsiteSales)} }

func twin() Form {
	return Form{
		Template: CreatorTwin, Title: "Creator AI Twin",
		Description: "Speaks to your audience in a Telegram bot with your language, style and tone.",
		Pages: []Page{
			{
				Step: About, Title: "Tell us about yourself", Required: true,
				Help: "Replace the text in square brackets.",
				Example: "Name: [your name]\n" +
					"Who I am: [what you do and where you live]\n" +
					"My expertise: [what you know well]\n" +
					"Who I help: [your audience]\n" +
					"How I help: [what you give them]\n" +
					"My mission: [what you believe in]\n",
			},
			{
				Step: Behaviour, Title: "Define AI Twin behavior", Required: true,
				Help: "What the twin shall do, its language, its tone of voice, its limits.",
				Example: "You are my AI Twin and stand for me and what I know.\n" +
					"Your main tasks:\n" +
					"- Answer questions about my subjects\n" +
					"- Tell small stories rather than give general advice\n" +
					"Language: English\n" +
					"Communication style:\n" +
					"- Calm, warm, a little ironic\n" +
					"- Short sentences\n" +
					"- Say openly what lies outside my experience\n",
			},
			{
				Step: Knowledge, Title: "Build your knowledge base",
				Help:    "Up to 10 files: audio or video, PDF, text.",
				Accepts: []string{"pdf", "txt", "md", "mp4", "mov", "avi", "m4u", "wav", "mp3"},
			},
			telegram("Connect your Telegram Bot"),
			review(),
		},
	}
}

func sales(t Template) Form {
	f := Form{
		Template: t, Title: "Telegram AI Sales",
		Description: "Helps to sell your product in a Telegram bot.",
	}
	if t == WebsiteSales {
		f.Title, f.Description = "Website AI Sales", "Helps to sell your product on your website."
	}
	f.Pages = []Page{
		{Step: Name, Title: "Choose your AI agent's name", Required: true, Help: "The name your customers see.", Example: "Alice"},
		{
			Step: About, Title: "Information about your business", Required: true,
			Help:    "Describe your business, or give the address of your website.",
			Example: "I analyse wardrobes and help people to dress for their daily life: what to keep, what to leave, what is missing.",
		},
		{
			Step: Behaviour, Title: "Personalize Your AI Agent", Required: true,
			Help:    "Tone of voice, language of the greeting, starting phrase. Without a phrase one is composed.",
			Example: "AI Agent tone of voice: Friendly and calm, without pressure\nGreeting language: English\nStarting phrase: \"Hi! How can I help you today?\"",
		},
		{
			Step: Knowledge, Title: "AI Agent Knowledge Base",
			Help:    "Questions and answers or facts about your product, as PDF.",
			Accepts: []string{"pdf"},
		},
		{
			Step: Results, Title: "Conversation results",
			Help: "What to collect in each conversation, and the e-mail address it shall be sent to.",
			Example: "- For each conversation, the AI agent should collect: the human's name, email, and the reason for the request.\n" +
				"- The collected details must be sent to the following email address: name@example.com.",
		},
	}
	if t == TelegramSales {
		f.Pages = append(f.Pages, telegram("Telegram bot token"))
	}
	f.Pages = append(f.Pages, review())
	return f
}

func telegram(title string) Page {
	return Page{
		Step: Telegram, Title: title, Required: true,
		Help: "Open @BotFather in Telegram, send /newbot, follow it, and copy the token it gives.",
	}
}

func review() Page {
	return Page{Step: Review, Title: "Configuration review", Help: "Look at everything once more."}
}
