// Package lexis reads English: words, stems, sentences, which words carry
// meaning, which mean nearly the same, and what kind of fact a question wants.
// It knows everyday language only, never a topic, and it refuses to learn: a
// Lexicon is the same for every agent. Words of other languages pass through
// unstemmed and match as they are written.
package lexis
