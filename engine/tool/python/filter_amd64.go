package python

import "golang.org/x/sys/unix"

const machine = unix.AUDIT_ARCH_X86_64

// machineAllowed are the older calls that only this machine has and glibc still
// uses here.
func machineAllowed() []uint32 {
	return []uint32{
		unix.SYS_OPEN, unix.SYS_STAT, unix.SYS_LSTAT, unix.SYS_NEWFSTATAT, unix.SYS_ACCESS, unix.SYS_READLINK,
		unix.SYS_MKDIR, unix.SYS_RMDIR, unix.SYS_UNLINK, unix.SYS_RENAME, unix.SYS_RENAMEAT,
		unix.SYS_DUP2, unix.SYS_PIPE, unix.SYS_POLL, unix.SYS_SELECT, unix.SYS_EPOLL_WAIT,
		unix.SYS_TIME, unix.SYS_GETRLIMIT, unix.SYS_GETPGRP, unix.SYS_ARCH_PRCTL,
	}
}
