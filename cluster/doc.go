// Package cluster is the top floor: it wires the rooms below into a program.
//
//	config  the one table of settings, and the one reader of file and environment
//	member  membership and placement: protoactor with our provider and lookup
//	node    one process: data folder, journal, actors, telephony, front door, models, tools, library
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
// running: the cast is made without it and made again half a minute later.
package cluster
