// Package twilio calls the real server as Twilio does: signed webhooks, a socket
// with sound in real time, the REST API of a local Twilio. It is no test of
// Twilio itself.
package twilio
