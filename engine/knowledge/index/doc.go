// Package index finds passages by their words and by their vectors together, in
// libraries of a hundred thousand passages that change while they are searched.
//
// A Shelf holds what one library source says, cut into passages and embedded
// once; it can be kept as a file. An Index searches any number of shelves.
// Agents with the same connected sources share an Index, Indexes share shelves.
//
// How a passage is found. knowledge.Index gives forty candidates by BM25. The
// vectors give forty more: of each a sketch of one bit a dimension is compared
// with the question first, and the best few hundred are compared in eight bits.
// The sketch is that of RaBitQ (Gao and Long, SIGMOD 2024): centred, turned at
// random, signs kept, lengths corrected. All candidates are then judged on the
// scale of knowledge.Index, on which questions that cannot be answered stand
// low; how far a likeness stands out from that of all other passages, in
// standard deviations, moves a passage up or down on it.
//
// It is an edge because it asks an Embedder and because changes and searches
// meet in it. It reads no file, starts no goroutine and refuses to decide what
// is connected to whom: that is the business of knowledge/library.
package index
