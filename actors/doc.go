// Package actors joins the engine to the journal and to the outside. One file
// is one actor; what an actor may decide is in engine. It owns the ports
// through which edges (media, gateway) are given in, and never imports them.
package actors
