package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"flametree/engine/event"
)

// Kinds lists how each kind of actor is made.
func Kinds(d Deps, c CallDeps) map[event.StreamKind]Maker {
	return map[event.StreamKind]Maker{
		event.SessionStream: func(id ID, s Stay) actor.Actor { return NewSession(d, id, s) },
		event.CallStream:    func(id ID, s Stay) actor.Actor { return NewCall(c, id, s) },
		event.AgentStream:   func(id ID, s Stay) actor.Actor { return NewAgent(d, id, s) },
	}
}

// WithSources adds the sources of knowledge to kinds; x indexes them.
func WithSources(kinds map[event.StreamKind]Maker, d Deps, x Indexer) map[event.StreamKind]Maker {
	kinds[event.SourceStream] = func(id ID, s Stay) actor.Actor { return NewSource(d, x, id, s) }
	return kinds
}

// WithCatalogs adds the catalogues of tenants to kinds.
func WithCatalogs(kinds map[event.StreamKind]Maker, d Deps) map[event.StreamKind]Maker {
	kinds[event.CatalogStream] = func(id ID, s Stay) actor.Actor { return NewCatalog(d, id, s) }
	return kinds
}

// WithChannels adds the connections to channels; u keeps them up.
func WithChannels(kinds map[event.StreamKind]Maker, d Deps, u Uplink) map[event.StreamKind]Maker {
	kinds[event.ConnectionStream] = func(id ID, s Stay) actor.Actor { return NewChannel(d, u, id, s) }
	return kinds
}
