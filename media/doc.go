// Package media is the shelf of everything that touches sound and packets. It
// holds no code itself; each room below it is one idea:
//
//	pcm       frames of linear samples: level, gain with a ramp
//	g711      µ-law and A-law by table
//	g722      wide-band speech at 64 kbit/s, written from the recommendation
//	opus      libopus: FEC, concealment, DTX
//	codec     the list of the above behind one contract
//	noise     comfort noise (RFC 3389)
//	quality   the E-model: a mean opinion score from loss, delay and codec
//	resample  any rate to any other, a streaming polyphase filter
//	jitter    puts arriving packets back in order and in time
//	plc       invents the frames that never came
//	vad       says whether a frame is speech
//	dtmf      telephone events (RFC 4733), both ways
//	amd       whether a person or a machine answered, and when the beep is over
//	srtp      sealed packets: keys of SDES and DTLS
//	rtp       sockets, headers, latching, RTCP
//	pacer     one wheel for all calls: who sends at which millisecond
//	bridge    legs that hear each other, music on hold, listening
//	leg       one party of a call: all of the above behind actors.Leg
//	record    stereo recordings, sealed and spooled while the call runs
//	wav       reading and writing WAV
//
// The rooms from pcm to dtmf are machines without input or output: they take
// bytes, samples and `now`, and give the same. Only rtp, pacer, leg and record
// own sockets, goroutines and clocks.
//
// # Decisions
//
//   - Everything inside a leg is kept in the wire's own codec at 8 kHz and
//     expanded late. Reason: 6 s of input and 5 s of playout are 89 kB instead
//     of 178 kB, and a frame that is neither ducked nor recorded is never
//     decoded. Cost: a change of codec rewrites both rings once.
//   - A talk spurt does not wait for the call's slot. Its first packet leaves
//     at once, up to one frame (20 ms) early against the call's home slot, and
//     while the call is silent again the slot slides home by 2 ms a packet.
//     Sequence numbers and timestamps stay contiguous. Cost: one short gap at
//     the start of a spurt; the lead never exceeds one frame, so the other
//     end's buffer does not grow.
//   - After a pause of the whole process the missed packets are not sent; the
//     timestamp moves on by what was missed. Reason: packets that are late
//     are of no use to the other end, and a burst only fills its buffer.
//   - The sockets of all telephone calls are read by one thread for four cores,
//     which looks every two milliseconds, in place of two goroutines a call.
//     Reason: to wake somebody for each packet cost more than the packet; the
//     kernel's stamp still tells when it came. Threads of pacer and reader keep
//     their processors of Go's while they sleep, by calls that go past its
//     scheduler: giving them away a thousand times a second kept its monitor
//     awake. With 100 calls both saved a quarter of all processor time. Cost:
//     GOMAXPROCS must be raised by as many (node.Tune), and up to 2 ms.
//   - What is heard at arrival for the VAD is kept until it is due, so that Opus
//     is decoded once; only a gap makes a second decoder, primed with the packets
//     before it. Digital silence is encoded once. Cost: behind a gap another
//     decoder goes on, 44 dB near to the one that missed nothing.
package media
