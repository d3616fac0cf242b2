// Package python measures customers' tools in their sandbox: a call of a warm
// interpreter through the pool, one after the other and eight beside each other,
// the start of a group, how late after its deadline a runaway is dead, and the
// memory of many interpreters. It runs no model and no conversation.
package python
