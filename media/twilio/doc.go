// Package twilio is one party of a call that comes through Twilio: Stream is a
// leg over the socket of Media Streams, whose sound is ours to recognise and to
// make; Relay is a leg over the socket of ConversationRelay, where Twilio
// recognises and speaks and only words travel. Both are given a text connection
// and open none; who may connect, what is dialled and what it costs is not
// decided here, and no request of HTTP is made.
//
// # What is published
//
// Written from these pages as they stood on 2026-11-22:
//
//   - www.twilio.com/docs/voice/media-streams/websocket-messages
//   - www.twilio.com/docs/voice/conversationrelay/websocket-messages
//   - www.twilio.com/docs/voice/twiml/connect/conversationrelay
//
// Never verified against Twilio itself.
//
// # Ahead of the ear
//
// Twilio plays what it is sent from a buffer of its own, as long as the buffer
// is. So that a reply can be taken back, at most lead of sound is sent ahead of
// the clock, and never more than window beyond the last place that Twilio has
// said was played. A mark stands behind every markEvery of sound: shorter than
// the lead, or on a road of 100 ms there and back the window would be shut while
// the buffer runs dry. What was heard is what marks have told, no more.
//
// # Decisions
//
// 2026-11-22 Pause clears Twilio's buffer as well: the caller who starts to
// speak is not talked over for another lead. Resume sends again from the place
// asked for; Flush clears once more, so that "clear" is the frame after a yield
// whatever happened before it.
//
// 2026-11-22 A mark that does not come back for stallAfter is the end of the
// call's media: to go on without would break the promise above.
package twilio
