// Package ingest makes text of what customers upload: files are read by package
// parse, but never in this process. Parse starts our own program again as a
// child that has little memory, little processor time, no network and a folder
// that is removed afterwards; a file that breaks its reader breaks that child.
// It also takes questions with answers out of a document, and the sound out of a
// recording; what is said in it is package transcript's.
//
// It refuses to store, to index and to fetch: web pages are package crawl's,
// videos package video's, and both hand what they fetched to Parse.
//
// How a child is limited. Writable memory by RLIMIT_DATA (Linux counts private
// writable mappings, so what Go only reserves does not count), processor time
// by RLIMIT_CPU, files by RLIMIT_FSIZE and RLIMIT_NOFILE, no core. It starts in
// new user, network, IPC and process namespaces, without capabilities, and with
// an environment of its own. Where user namespaces are forbidden it starts
// without them, unless Options.Strict says to fail. Whatever it starts dies with
// it.
package ingest
