// Package tutorials holds the agents of the product's documentation as files
// that anybody could have written, and dialogues with them. Its tests play the
// dialogues against a running node over the Chat API; a twin of each dialogue
// with one wrong expectation must fail, with its step named.
package tutorials
