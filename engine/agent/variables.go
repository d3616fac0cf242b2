package agent

import (
	"slices"

	"flametree/engine/turn"
)

// Variable is a documented variable and who reads it.
type Variable struct {
	Setting
	On string // "agent", "call", or a channel: "email account", "email channel", …
}

// Variables is every documented variable (spec 5, D2, D7, D26, D28, D31), each
// once: first those of an agent, then those of its calls, then those of
// channels, which stand on the connection and not in an agent file.
func Variables() []Variable {
	var out []Variable
	for _, s := range Table() {
		out = append(out, Variable{s, "agent"})
	}
	for _, t := range turn.Timers() {
		if !slices.ContainsFunc(out, func(v Variable) bool { return v.Key == t.Env }) {
			out = append(out, Variable{Setting{t.Env, "call", t.Default, t.Meaning}, "call"})
		}
	}
	return append(out, channelVariables()...)
}

func channelVariables() []Variable {
	of := func(on string, rows ...Setting) []Variable {
		out := make([]Variable, len(rows))
		for i, s := range rows {
			out[i] = Variable{s, on}
		}
		return out
	}
	return slices.Concat(
		of("the email account",
			Setting{"EMAIL_NAME", "text", "", "Display names of the sender, between commas for several addresses."},
			Setting{"IMAP_MAILBOX", "text", "INBOX", "The folder that is read."},
			Setting{"SMTP_ATTEMPTS", "int", "5", "How often sending is tried."},
			Setting{"SMTP_DELAY", "seconds", "5", "Between two attempts."},
			Setting{"FULL_EMAIL_ADDRESS", "text", "", "The sender as a whole, name and address, in place of EMAIL_NAME."},
			Setting{"FROM_TEMPLATE", "text", "{} <{}>", "How name and address make the sender."},
			Setting{"MESSAGE_CONTENT_TYPE", "text/plain|text/html", "text/plain", "Form of the mails."},
			Setting{"EMAIL_SENDER_CHECK", "warn|off|reject", "warn", "What to do with a mail whose sender SPF, DKIM and DMARC do not confirm."},
		),
		of("the email channel",
			Setting{"CHECK_INTERVAL", "seconds", "15", "Between two looks into the inbox."},
			Setting{"EMAIL_RETRY_LIMIT", "int", "3", "Attempts of the client before it gives up."},
			Setting{"EMAIL_MAX_ATTACHMENT_BYTES", "int", "10485760", "Largest attachment that is taken. 0: any."},
		),
		of("the Facebook channel",
			Setting{"FB_REGISTRATION_DELAY", "seconds", "5.0", "Between two attempts to register the webhook."},
			Setting{"FB_REGISTRATION_COUNT", "int", "20", "How often that is tried."},
		),
		of("the WhatsApp channel",
			Setting{"WA_REGISTRATION_DELAY", "seconds", "5.0", "Between two attempts to register the webhook."},
			Setting{"WA_REGISTRATION_COUNT", "int", "20", "How often that is tried."},
			Setting{"LOG_WEBHOOK_MESSAGES", "bool", "False", "Keep webhook messages as they came."},
			Setting{"WEBHOOK_MESSAGES_LOGS_DIR", "text", "", "Where they are kept."},
		),
		of("the WhatsApp or Telegram channel",
			Setting{"SHOW_VOICE_TRANSCRIPTION", "bool", "True", "Answer a voice note with its transcript first."},
		),
		of("the Telegram channel",
			Setting{"TELEGRAM_SHOW_KEYBOARD_REPLY", "bool", "True", "Show buttons: clear, thoughts, stop."},
			Setting{"TELEGRAM_ACCEPT_DOCUMENTS", "bool", "False", "Take documents; otherwise they are declined politely."},
		),
		of("the Infobip channel",
			Setting{"INFOBIP_SHORT_DOMAIN", "text", "go.flm3.com", "Short domain of tracked links."},
		),
		of("the Bird channel",
			Setting{"BIRD_TEMPLATE_LOCALE", "text", "", "Locale of templates."},
			Setting{"BIRD_SESSION_TIMEOUT", "seconds", "86400", "A session ends without a word for so long."},
			Setting{"IS_OUTBOUND_ONLY", "bool", "false", "Messages go out only."},
			Setting{"BIRD_OUTBOUND_SESSION_IS_ENDED_MESSAGE", "text", "This conversation has ended.", "Said when an outbound session ends."},
			Setting{"BIRD_CRON_SUBSCRIPTION_RENEWAL", "text", "0 0 * * *", "When the webhook is renewed."},
			Setting{"BIRD_SENDER_NAME", "text", "AI Agent", "The sender that is shown."},
			Setting{"BIRD_WEBHOOK_ADDRESS", "text", "", "Callback address."},
			Setting{"FLAMETREE_CALLBACK_URL", "text", "", "Callback address where BIRD_WEBHOOK_ADDRESS is empty."},
			Setting{"FLAMETREE_CALLBACK_PORT", "int", "", "Its port."},
		),
	)
}
