// Package google speaks to Google Cloud's Speech-to-Text v2 and Text-to-Speech
// over REST. It is one mapping from the contract to their JSON; it has no policy
// and does not speak gRPC: Google publishes streaming for gRPC
// only, so an utterance is recognised when it is over, there are no partials, and
// a clause is rendered whole.
//
// Published messages: cloud.google.com/speech-to-text/v2/docs/reference/rest
// (projects.locations.recognizers.recognize) and
// cloud.google.com/text-to-speech/docs/reference/rest (v1 and v1beta1
// text.synthesize), 2025, read in November 2026 in public copies. They were not
// compared with the vendor yet: Verified.
//
// What is made of them:
//   - Key gives an OAuth access token, which expires within an hour: it is asked
//     for with every request. Tokens has them for a service account. An API key is
//     taken too; Google publishes that both services take one, and asks for
//     accounts where more than a trial is meant.
//   - A mark stands before every word of a clause, and v1beta1 tells their times.
//     Voices named Chirp take no SSML: they have no times.
//   - LINEAR16 comes as WAV, whose header tells the rate.
//
// # Decisions
//
// 2026-11 REST, not gRPC. Context: the generated client of v2 with what it needs
// is 9 MB of source and another authentication. Cost: the caller waits for the
// recognition of the whole utterance; who wants better takes a vendor with a
// socket, or adds a StreamingRecognize written by hand here.
package google

// Verified is the day on which this package was last tested against the vendor
// itself.
const Verified = "never"
