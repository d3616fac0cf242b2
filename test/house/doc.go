// Package house runs the real program for the scenario tests: it builds it,
// starts it on a folder and free ports of its own, speaks to it as its clients
// do and ends it by its process id. It knows how to ask and refuses to know
// what the right answer is: that is what the tests are for.
package house
