// Package policy is what happens around a model that may fail: retry, hedge,
// breaker, fallback, health. Each is a decorator over provider.Completer, written
// once for every vendor. It speaks no protocol, keeps no conversation and
// decides nothing about an answer's worth.
//
// One provider is put together like this, from the inside outwards, and
// providers are then put side by side:
//
//	c = health.Completer(vendor)
//	c = breaker.Completer(c)
//	c = policy.Hedge(c, policy.HedgeOptions{Budget: budget, …})
//	c = policy.Retry(c, policy.RetryOptions{Budget: budget, …})
//	m = policy.Fallback([]policy.Candidate{{Name: "main", Completer: c}, …}, …)
//
// Retries and hedges of one provider share one Budget, so that together they
// add a tenth to its load and no more, however bad it is. Nothing is asked again
// once a delta was passed on: a reply that breaks in the middle ends with its
// error, because half of it may have been spoken, and a call in it may be run.
//
// Embedders have Retry, Breaker and Health, and no Fallback: vectors of
// different models lie in different spaces.
//
// Time is that of package time; tests run in testing/synctest.
package policy
