// Package webrtc holds tests of calls from browsers against a whole server: how
// they are set up by UDP, TCP and a relay, what is heard, how they end, and what
// a page may not send. The pages are peers of pion's (media/webrtc/page); those
// of a real browser are in test/browser.
package webrtc
