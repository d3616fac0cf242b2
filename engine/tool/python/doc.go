// Package python runs customers' tools and skills, which are Python, in real
// CPython behind a wall: bubblewrap takes away files, network and processes, a
// seccomp list of what is allowed takes away the rest of the kernel, and limits
// bound memory, descriptors and time. An interpreter belongs to one tenant and
// one version of one group; what leaves it leaves through the host, in frames.
//
// It refuses to run Python in any other way. Until SelfTest has tried to get
// out of a real sandbox and failed, and where bubblewrap or user namespaces are
// missing, every call fails as "sandbox_unavailable" and no interpreter starts.
// It does not judge whether a call may happen, it repeats none, and the
// network is reached only through the function it is given for that.
//
// A Bundle is what a customer uploads; Parse makes a Group of it; Pool.Open
// makes a tool.Runner of the Group.
package python
