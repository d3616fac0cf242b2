// Package test holds what proves flametree from outside: scenarios with foreign
// clients, crashes, torture messages, and the tools that run them.
//
//	suite      runs everything; `make test`, `make mutants`, `make fuzz`
//	sip        the RFC 4475 messages against the endpoint and a whole server, sipp scenarios
//	chat call crash  the real program over real sockets, killed and restarted
//	model      the built-in model on agents it had not seen
//	tutorials  the agents of the user's document and their dialogues, with real Python tools
//	agents     revisions, export, connectors, MCP, OpenAPI by commands on the real program
//	attacks canary variables  150 attacks, secrets that must appear nowhere, every documented variable
//	knowledge  the library: files, sites, indexing, unanswered questions
//	catalog mail recording callsee drain  catalogues, result mail, recordings, what operators see, ending
//	telephony  real calls with bad roads, bad callers, transfers; matrix every feature by foreign clients
//	scenario   golden transcripts through real actors
//	mutants    small breaks of promises, each with the test that must see it
//
// features.csv ties rows of the acceptance table to the tests that prove them;
// `make test` fails when such a test did not run and pass.
package test
