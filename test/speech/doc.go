// Package speech calls a whole server over SIP and RTP whose agents hear and
// speak through vendors: local servers that are written from what the vendors
// publish and misbehave on command. A caller speaks in tones, a letter each, and
// reads the agent's tones off the sound that comes back, so that every word is
// judged on the audio. What befalls a vendor in the middle of a call is told by
// the sound, the journal and the metrics; none of them may tell a key.
package speech
