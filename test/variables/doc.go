// Package variables proves of every documented variable of an agent that it has
// its default and that another value makes an answer, a delay or an event
// different. A variable without such a proof fails the test, and one that the
// program does not read is told by its name.
package variables
