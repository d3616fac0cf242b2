// Package canary puts marked values wherever an agent is trusted with a secret,
// lets everything go wrong that can, and then looks for the marks in all that
// leaves the program: requests to models, logs, traces, answers, exports, the
// journal as it is shown, metrics and the files of the data folder. Its test
// proves nothing about secrets that nobody gave to the agent.
package canary
