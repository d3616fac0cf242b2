// Package amd measures how well people and answering machines are told apart,
// and how long after the beep a message begins. It plays WAV files through µ-law
// and the jitter-free frames of a telephone into media/amd, as a call does, at
// once and not in real time. Without a folder it renders files of its own with
// espeak-ng and flite: voices, greetings, pauses and beeps drawn by a seed. They
// are synthetic: what real mailboxes do, a folder of recordings tells.
package amd
