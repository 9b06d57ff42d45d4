//go:build linux && amd64

package sys

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// siginfo is siginfo_t of asm-generic/siginfo.h as far as a fault fills it, on 64-bit systems.
type siginfo struct {
	signo, errno, code, _ int32
	addr                  uintptr
	_                     [104]byte // the kernel writes 128 bytes
}

// TraceeSignal tells of the signal that stopped the tracee.
func TraceeSignal(pid int) (Signal, error) {
	var si siginfo
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GETSIGINFO, uintptr(pid), 0, uintptr(unsafe.Pointer(&si)), 0, 0)
	if errno != 0 {
		return Signal{}, errno
	}
	return Signal{Number: syscall.Signal(si.signo), Code: si.code, Addr: si.addr}, nil
}

// currentCPU returns the number of the CPU that runs the calling thread.
func currentCPU() (int, error) {
	var cpu uint32
	if _, _, errno := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0); errno != 0 {
		return 0, errno
	}
	return int(cpu), nil
}
