// Package cluster is the top floor: it wires the rooms below into a program.
//
//	config  the one table of settings, and the one reader of file and environment
//	member  membership and placement: protoactor with our provider and lookup
//	node    one process: data folder, journal, actors, telephony, front door, models, tools, library
//	exchange  connections joined to SIP: registrations, the dial plan, calls placed and counted
//	twilio  the same for Twilio: REST, webhooks, calls over its sockets
//	script  dialogues with expectations, played against an agent; the terminal chat
//	cmd     the command line
//
// Nothing here decides about a conversation. Nobody below imports it.
//
// # Decisions
//
// 2026-11-22 A cluster of one. The provider opens no socket and asks nobody;
// placement is our registry's. Everything that may move is written so that it
// can: an actor holds no truth, the journal's epoch decides between two.
//
// 2026-11-22 Every command asks a running server over DIR/admin.sock first and
// opens the store itself only when nobody answers; verify and replay read a
// checkpoint, which the command removes.
//
// 2026-11-22 demo.json is written before the agents of files are made: after a
// crash in between, the next start makes the same agents with the same tokens.
//
// 2026-11-22 A revision pins what its file names by path (tool groups, OpenAPI
// documents, catalogues, files) as blobs: a session keeps the code it began with,
// also across a crash. The command that saves must run where the files are.
//
// 2026-11-22 A server of tools that does not answer does not keep its agent from
// running: the cast is made without it. It is tried again, and running sessions
// have its tools from their next turn on.
//
// 2026-11-22 What is open for a revision (interpreters, servers of tools) is
// lent to sessions and closed on the last return, not by a timer.
//
// 2026-11-22 The list of shared files of tool groups stands in
// DIR/resources/TENANT.json. Cost: no history of it; what uses a file pins its
// content.
package cluster
