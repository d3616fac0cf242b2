package python

import "golang.org/x/sys/unix"

const machine = unix.AUDIT_ARCH_AARCH64

// machineAllowed are the calls that have another name on this machine.
func machineAllowed() []uint32 {
	return []uint32{unix.SYS_FSTATAT, unix.SYS_RENAMEAT}
}
