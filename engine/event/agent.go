package event

// TenantCreated opens a tenant's stream.
type TenantCreated struct {
	Name     string
	Timezone string // IANA
}

// AgentCreated opens an agent's stream.
type AgentCreated struct {
	Name      string
	Alias     string // second SIP user name, unique in the installation while it lasts
	TokenHash []byte // SHA-256 of the API token
}

// AgentSaved makes a revision: the agent's file, whole.
type AgentSaved struct {
	Revision uint64  // 1, 2, …
	File     Private // YAML as it was given; it may hold secrets, so it is sealed with the agent's own key
	// Pins are the blobs of what the file names and the revision is to keep:
	// "group/NAME", "document/NAME" to sha256.
	Pins []Pair
}

// AgentPublished makes a revision the one that new sessions take.
type AgentPublished struct{ Revision uint64 }

// AgentStarted says that the agent answers.
type AgentStarted struct{}

// AgentStopped says that the agent does not answer; Reason is for people.
type AgentStopped struct{ Reason string }

// Kind implements Event.
func (TenantCreated) Kind() Kind { return "tenant.created.v1" }

// Kind implements Event.
func (AgentCreated) Kind() Kind { return "agent.created.v1" }

// Kind implements Event.
func (AgentSaved) Kind() Kind { return "agent.saved.v1" }

// Kind implements Event.
func (AgentPublished) Kind() Kind { return "agent.published.v1" }

// Kind implements Event.
func (AgentStarted) Kind() Kind { return "agent.started.v1" }

// Kind implements Event.
func (AgentStopped) Kind() Kind { return "agent.stopped.v1" }
