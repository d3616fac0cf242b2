package python

import (
	"encoding/binary"
	"encoding/hex"
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// What a seccomp program returns (linux/seccomp.h).
const (
	retAllow = unix.SECCOMP_RET_ALLOW
	retDeny  = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	retNone  = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	retKill  = unix.SECCOMP_RET_KILL_PROCESS
)

// Offsets into struct seccomp_data (linux/seccomp.h). Arguments are 64 bits
// wide; every machine that filter_*.go names is little-endian.
const (
	offNumber = 0
	offArch   = 4
	offArg0   = 16
	offArg1   = 24
)

// allowed is what an interpreter needs of the kernel, on every machine: files
// that are open to it, memory, threads, waiting, clocks. Not here: sockets,
// processes, namespaces, keys, tracing, mounts, rings, programs for the kernel,
// memory files.
func allowed() []uint32 {
	return append(machineAllowed(),
		unix.SYS_READ, unix.SYS_WRITE, unix.SYS_READV, unix.SYS_WRITEV, unix.SYS_PREAD64, unix.SYS_PWRITE64,
		unix.SYS_CLOSE, unix.SYS_CLOSE_RANGE, unix.SYS_FSTAT, unix.SYS_STATX, unix.SYS_FSTATFS, unix.SYS_STATFS,
		unix.SYS_LSEEK, unix.SYS_OPENAT, unix.SYS_FACCESSAT, unix.SYS_FACCESSAT2, unix.SYS_READLINKAT,
		unix.SYS_GETDENTS64, unix.SYS_GETCWD, unix.SYS_CHDIR, unix.SYS_MKDIRAT, unix.SYS_UNLINKAT,
		unix.SYS_RENAMEAT2, unix.SYS_FTRUNCATE, unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_FALLOCATE,
		unix.SYS_FADVISE64, unix.SYS_FLOCK, unix.SYS_UMASK, unix.SYS_FCNTL, unix.SYS_DUP, unix.SYS_DUP3, unix.SYS_PIPE2,
		unix.SYS_SENDFILE, unix.SYS_COPY_FILE_RANGE,
		unix.SYS_MMAP, unix.SYS_MPROTECT, unix.SYS_MUNMAP, unix.SYS_MREMAP, unix.SYS_MADVISE, unix.SYS_BRK,
		unix.SYS_MEMBARRIER, unix.SYS_RSEQ, unix.SYS_FUTEX, unix.SYS_SET_TID_ADDRESS, unix.SYS_SET_ROBUST_LIST, unix.SYS_GET_ROBUST_LIST,
		unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK, unix.SYS_TGKILL, unix.SYS_RESTART_SYSCALL,
		unix.SYS_PPOLL, unix.SYS_PSELECT6, unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EVENTFD2,
		unix.SYS_CLOCK_GETTIME, unix.SYS_CLOCK_GETRES, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_NANOSLEEP, unix.SYS_GETTIMEOFDAY,
		unix.SYS_TIMES, unix.SYS_GETRUSAGE, unix.SYS_SYSINFO, unix.SYS_UNAME, unix.SYS_GETRANDOM,
		unix.SYS_PRLIMIT64, unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY,
		unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_GETPPID, unix.SYS_GETUID, unix.SYS_GETEUID, unix.SYS_GETGID, unix.SYS_GETEGID,
		unix.SYS_GETRESUID, unix.SYS_GETRESGID, unix.SYS_GETGROUPS,
		// asyncio wakes itself over a pair of local sockets; it cannot make one that leads elsewhere.
		unix.SYS_SENDTO, unix.SYS_RECVFROM, unix.SYS_GETSOCKNAME, unix.SYS_GETPEERNAME, unix.SYS_GETSOCKOPT, unix.SYS_SETSOCKOPT, unix.SYS_SHUTDOWN,
		unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
		unix.SYS_EXECVE, // of the interpreter itself; the second filter takes it away
	)
}

// firstFilter is what bubblewrap installs before it executes the interpreter.
func firstFilter() []byte {
	p := []bpf.Instruction{
		bpf.LoadAbsolute{Off: offArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: machine, SkipTrue: 1},
		bpf.RetConstant{Val: retKill},
		bpf.LoadAbsolute{Off: offNumber, Size: 4},
		// The x32 calls of amd64 have this bit and would pass by other numbers.
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: 1 << 30, SkipTrue: 1},
		bpf.RetConstant{Val: retKill},
	}
	p = append(p, when(unix.SYS_CLONE3, bpf.RetConstant{Val: retNone})...) // its flags are out of sight; glibc then uses clone
	p = append(p, when(unix.SYS_CLONE, flagged(offArg0, unix.CLONE_THREAD)...)...)
	p = append(p, when(unix.SYS_SOCKETPAIR, oneOf(offArg0, unix.AF_UNIX)...)...)
	p = append(p, when(unix.SYS_PRCTL, oneOf(offArg0, unix.PR_SET_SECCOMP)...)...)
	p = append(p, when(unix.SYS_IOCTL, oneOf(offArg1, unix.TCGETS, unix.TIOCINQ, fionbio, fioclex, fionclex)...)...)
	numbers := allowed()
	slices.Sort(numbers)
	for _, n := range slices.Compact(numbers) {
		p = append(p, when(n, bpf.RetConstant{Val: retAllow})...)
	}
	return assemble(append(p, bpf.RetConstant{Val: retDeny}))
}

// secondFilter is what the interpreter puts on itself before it sees a
// customer's line: nothing is executed any more and no filter is added.
func secondFilter() string {
	p := []bpf.Instruction{bpf.LoadAbsolute{Off: offNumber, Size: 4}}
	for _, n := range []uint32{unix.SYS_EXECVE, unix.SYS_EXECVEAT, unix.SYS_PRCTL, unix.SYS_SECCOMP} {
		p = append(p, when(n, bpf.RetConstant{Val: retDeny})...)
	}
	return hex.EncodeToString(assemble(append(p, bpf.RetConstant{Val: retAllow})))
}

// Requests that change only how a descriptor of one's own behaves (asm-generic/ioctls.h).
const (
	fionbio  = 0x5421
	fionclex = 0x5450
	fioclex  = 0x5451
)

// when runs then, which must return, if the call has the number.
func when(number uint32, then ...bpf.Instruction) []bpf.Instruction {
	return append([]bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: number, SkipTrue: uint8(len(then))}}, then...)
}

// oneOf allows a call whose argument is one of the values.
func oneOf(arg uint32, values ...uint32) []bpf.Instruction {
	p := []bpf.Instruction{bpf.LoadAbsolute{Off: arg, Size: 4}}
	for _, v := range values {
		p = append(p, when(v, bpf.RetConstant{Val: retAllow})...)
	}
	return append(p, bpf.RetConstant{Val: retDeny})
}

// flagged allows a call whose argument has the flag.
func flagged(arg, flag uint32) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: arg, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: flag, SkipTrue: 1},
		bpf.RetConstant{Val: retDeny},
		bpf.RetConstant{Val: retAllow},
	}
}

// assemble writes a program as an array of struct sock_filter (linux/filter.h).
func assemble(p []bpf.Instruction) []byte {
	raw, err := bpf.Assemble(p)
	if err != nil {
		panic("python: the filter is a constant and does not assemble: " + err.Error())
	}
	var b []byte
	for _, i := range raw {
		b = binary.LittleEndian.AppendUint16(b, i.Op)
		b = append(b, i.Jt, i.Jf)
		b = binary.LittleEndian.AppendUint32(b, i.K)
	}
	return b
}
