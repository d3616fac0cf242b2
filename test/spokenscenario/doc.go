// Package spokenscenario plays conversations by voice as their authors would: by
// flametree scenario run, with real SIP, RTP and recognition on both sides. It
// tests the player as much as the agents: what is wrong must be told, by the
// sound that came back, and what cannot be looked at must never pass.
package spokenscenario
