// Package twiliotest is a Twilio of one's own for tests: it speaks the other end
// of Media Streams and ConversationRelay, plays what it is sent in real time and
// sends marks back when their sound was played; it serves the REST resources that
// are used and calls webhooks with the signature they carry. It is strict: a
// field, a frame or an order that is not published is an error. It is written
// from these pages as they stood on 2026-11-22 and was never compared with
// Twilio itself:
//
//   - www.twilio.com/docs/voice/media-streams/websocket-messages
//   - www.twilio.com/docs/voice/conversationrelay/websocket-messages
//   - www.twilio.com/docs/voice/twiml/connect/conversationrelay
//   - www.twilio.com/docs/voice/twiml/stream, …/twiml/dial, …/twiml/number
//   - www.twilio.com/docs/voice/api/call-resource, …/api/recording
//   - www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource
//   - www.twilio.com/docs/usage/security (X-Twilio-Signature)
//   - www.twilio.com/docs/global-infrastructure/understanding-twilio-regions
package twiliotest
