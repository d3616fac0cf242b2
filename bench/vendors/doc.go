// Package vendors measures the connectors of speech, each against a server of
// its own that answers as the vendor publishes and as fast as such vendors do.
// The servers are another process: what a connector costs is counted here
// alone. It says nothing about the vendors, whose speed is theirs, nor about how
// well anything is understood.
package vendors
