// Package retrieval measures how well and how fast passages are found in a large
// library: a generated one of many domains, whose questions are known to be
// answered by one passage each, and others that nothing answers. The same seed
// writes the same library, so that figures of different days compare.
package retrieval
