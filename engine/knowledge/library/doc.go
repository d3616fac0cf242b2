// Package library holds what the life of a knowledge source in a tenant's
// library permits, and which questions agents could not answer. State is one
// source as its stream tells it, Questions are a tenant's unanswered questions,
// put together by likeness. Both are pure: they fetch nothing, read no document
// and search nothing. Indexing is done elsewhere (knowledge/ingest reads,
// knowledge/index embeds) and told here by its events; a run that was stopped
// may finish late, and what it brings is refused.
package library
