// Package connection is one connection to a channel as its journal tells it: an
// account at a PBX or a provider, whether it is to be up, how it stands, and
// which agents use it. It is pure: dialling in is somebody else's business, and
// it comes back as a report.
//
// A connection has at most one agent that receives what comes in (spec D32);
// any number may use it outbound.
package connection
