// Package test holds what proves flametree from outside: scenarios with foreign
// clients, crashes, torture messages, and the tools that run them.
//
//	suite      runs everything; `make test`, `make mutants`, `make fuzz`
//	sip        the RFC 4475 messages and sipp scenarios against the endpoint
//	chat call crash  the real program over real sockets, killed and restarted
//	model      the built-in model on agents it had not seen
//	scenario   golden transcripts through real actors
//	mutants    small breaks of promises, each with the test that must see it
//
// features.csv ties rows of the acceptance table to the tests that prove them;
// `make test` fails when such a test did not run and pass.
package test
