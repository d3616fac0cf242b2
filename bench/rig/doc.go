// Package rig is what benches measure against: a real server in a process of
// its own, on a temporary data folder and the loopback, whose speech and
// language model are played by providers with known delays, and the means to
// start such processes, to speak with them, and to ask the kernel what they
// use. It measures no figure itself, and it takes nothing out of the server:
// journal, recording, voice detection and jitter buffer are the real ones.
package rig
