package event

// ConnectionCreated opens a connection to a channel: an account at a PBX or a
// provider.
type ConnectionCreated struct {
	Type string // sip
	Name string
}

// ConnectionSaved gives a connection its settings, all of them.
type ConnectionSaved struct {
	Revision    uint64 // 1, 2, …
	Name        string
	Description string
	Settings    []Pair        // what may be shown, by the channel's own names
	Secrets     []PrivatePair // passwords: write-only
}

// ConnectionStarted says that the connection is to be up.
type ConnectionStarted struct{}

// ConnectionStopped says that it is to be down.
type ConnectionStopped struct{ Reason string }

// ConnectionReported says how the connection stands with the other side, when
// that changes.
type ConnectionReported struct {
	State  string // connecting registered ready failed down
	Detail string // for people, with what to do next
	Code   uint32
}

// ConnectionAttached lets an agent use the connection; Inbound makes it the one
// that receives what comes in on the addresses named, or on all.
type ConnectionAttached struct {
	Agent   string
	Inbound bool
}

// ConnectionDetached takes it away again.
type ConnectionDetached struct{ Agent string }

// ConnectionRemoved ends the connection's stream.
type ConnectionRemoved struct{}

// Kind implements Event.
func (ConnectionCreated) Kind() Kind { return "connection.created.v1" }

// Kind implements Event.
func (ConnectionSaved) Kind() Kind { return "connection.saved.v1" }

// Kind implements Event.
func (ConnectionStarted) Kind() Kind { return "connection.started.v1" }

// Kind implements Event.
func (ConnectionStopped) Kind() Kind { return "connection.stopped.v1" }

// Kind implements Event.
func (ConnectionReported) Kind() Kind { return "connection.reported.v1" }

// Kind implements Event.
func (ConnectionAttached) Kind() Kind { return "connection.attached.v1" }

// Kind implements Event.
func (ConnectionDetached) Kind() Kind { return "connection.detached.v1" }

// Kind implements Event.
func (ConnectionRemoved) Kind() Kind { return "connection.removed.v1" }
