// Package policy is what happens around a provider that may fail: retry, hedge,
// breaker, fallback, health, and the measuring of last words. Each is a decorator
// over a contract of package provider, written once for every vendor. It speaks no protocol, keeps no conversation and
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
// A recogniser and a voice are put together like this:
//
//	t = health.Transcriber(vendor)
//	t = breaker.Transcriber(t)
//	t = finals.Transcriber(t)
//	e = policy.Ears([]policy.Ear{{Name: "main", Transcriber: t}, …}, …)
//
//	y = breaker.Synthesizer(health.Synthesizer(vendor))
//	m = policy.Mouths([]policy.Mouth{{Name: "main", Synthesizer: y}, …}, …)
//
// They have no retry and no hedge: a stream that fails ends, and its owner opens
// the next, with the audio or the clauses that only it still has.
//
// Embedders have Retry, Breaker and Health, and no Fallback: vectors of
// different models lie in different spaces.
//
// Time is that of package time; tests run in testing/synctest.
package policy
