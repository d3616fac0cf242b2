// Package ws serves sockets: an agent's conversation, and plain text
// connections for rooms that speak a protocol of their own. It moves frames and
// keeps their order; what they mean is behind Sockets. It remembers nothing:
// what a lost socket missed is asked of the session again.
//
// # The agent's socket, for who writes a client
//
// It is GET /chatbot/{agent}/ws/{session} (RFC 6455), with the agent's token as
// Authorization: Bearer or as subprotocols "bearer, <token>", or with ?ticket=,
// which is good for one socket of one session. ?after= is the last seq the client
// has; without it the socket begins with what comes. A frame is one JSON object
// in a text message, of at most 64 kB and 50 a second; "type" says which.
//
// The conversation, in (In) and out (Frame):
//
//	in   message  client_id text   a line of the customer
//	in   typing, stop
//	in   ping                      answered by state
//	in   resume   last_seq         all after it comes again
//	out  message thought timeout close chunk state error
//	     seq role message_id client_id text options metadata code
//
// # Calls on the socket
//
// A browser calls the agent by WebRTC; what arranges the call goes as frames on
// the socket of any session of the agent, in no order with those above and
// without seq. "call" is the call's id, which the answer tells first.
//
//	in   call.servers                          asks which relays there are
//	out  call.servers    ice_servers           for RTCPeerConnection; [] = there is none
//	in   call.offer      sdp                   begins a call: sound alone, Opus, at most 16 kB
//	in   call.offer      call sdp              an ICE restart of a running call, from this or another socket of its session
//	out  call.answer     call session sdp      session is the call's own, not the socket's
//	in   call.candidate  call candidate        "" = no more; at most 512 bytes
//	out  call.candidate  call candidate mid mline
//	in   call.mute       call on               says that silence is meant; the client sends silence
//	in   call.digit      call digit ms         one of 0-9 * # A-D; ms 0 to 10000, 0 = 100
//	in   call.hangup     call
//	out  call.state      call state reason     ringing up reconnecting ended
//	out  call.caption    call turn role text final   what was said, role USER or AI; a later one of the same turn and role replaces it
//	out  call.error      call kind message     this frame alone was refused; without call where it named none
//
// The answer is the first frame of a call and state "ended" its last. Its reason
// is a word: hangup (by the page, or it was left), canceled (before it was up),
// failed (never a way between the two, or nobody came back), media_lost, or what
// the agent's side ended it for, such as completed or transferred.
//
// The kinds of call.error, and what a client does:
//
//	invalid      the frame is wrong as message says; nothing has changed
//	not found    no such call of this session runs: begin another
//	conflict     a call of this session runs, or an offer is being answered: name it in call, or wait
//	exhausted    the server or the agent is full, or the session has begun 10 calls within a minute: try later
//	unavailable  the agent is stopped, the server ends or takes no calls of browsers
//	denied, bug  show message
//
// A session has one call at a time. A call outlives a socket that was lost, for 15
// seconds; a further call.offer with its id, on a new socket of the same session,
// takes it over. A socket that the page closes (1000, 1001 or no code) hangs up.
// The credentials of a relay open connections for ten minutes, and end with the
// session's last socket and call: ask again with each call.
//
// The socket is closed with a code (Close…): 4401 denied, 4404 no such session,
// 4429 too many, 4503 not now, 1012 the server ends, 1013 too slow, 1000 the
// session has ended; while a call runs it stays open until that has ended, too.
package ws
