//go:build unix && !linux

package sys

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// CanMap reports whether this system maps files and memory through this
// package.
const CanMap = true

func mmapFlags(f Flags) (int, error) {
	bits := 0
	for flag, bit := range map[Flags]int{
		Shared: unix.MAP_SHARED, Private: unix.MAP_PRIVATE, Anonymous: unix.MAP_ANON, Fixed: unix.MAP_FIXED,
		// Address space that isn't charged is the rule here: the flag
		// changes nothing, or doesn't exist any more.
		NoReserve: 0,
	} {
		if f&flag != 0 {
			bits |= bit
			f &^= flag
		}
	}
	if f != 0 {
		return 0, errors.ErrUnsupported
	}
	return bits, nil
}

// Map is mmap(2).
func Map(addr, n uintptr, prot Prot, flags Flags, fd int, off int64) (uintptr, error) {
	bits, err := mmapFlags(flags)
	if err != nil {
		return 0, err
	}
	p, err := unix.MmapPtr(fd, off, pointer(addr), n, int(prot), bits)
	return uintptr(p), err
}

// Unmap is munmap(2).
func Unmap(addr, n uintptr) error { return unix.MunmapPtr(pointer(addr), n) }

// Protect is mprotect(2).
func Protect(addr, n uintptr, prot Prot) error { return unix.Mprotect(bytes(addr, n), int(prot)) }

// SyncRange is msync(2).
func SyncRange(addr, n uintptr, how SyncFlags) error {
	bits := 0
	if how&SyncWait != 0 {
		bits |= unix.MS_SYNC
	}
	if how&SyncStart != 0 {
		bits |= unix.MS_ASYNC
	}
	if how&SyncInvalidate != 0 {
		bits |= unix.MS_INVALIDATE
	}
	return unix.Msync(bytes(addr, n), bits)
}

// StartWriteback has nothing to add to MS_ASYNC here.
func StartWriteback(int, int64, int64) error { return nil }

// Advise is madvise(2), with the advice that POSIX and all these systems know.
func Advise(addr, n uintptr, a Advice) error {
	bits, ok := map[Advice]int{
		AdviseNormal: unix.MADV_NORMAL, AdviseRandom: unix.MADV_RANDOM, AdviseSequential: unix.MADV_SEQUENTIAL,
		AdviseWillNeed: unix.MADV_WILLNEED,
	}[a]
	if !ok {
		return errors.ErrUnsupported
	}
	return unix.Madvise(bytes(addr, n), bits)
}

// Lock is mlock(2); locking on fault is Linux's own.
func Lock(addr, n uintptr, onFault bool) error {
	if onFault {
		return errors.ErrUnsupported
	}
	return unix.Mlock(bytes(addr, n))
}

// Unlock is munlock(2).
func Unlock(addr, n uintptr) error { return unix.Munlock(bytes(addr, n)) }

// Duplicate returns another descriptor of the same open file, closed on exec.
func Duplicate(fd int) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	dup, err := unix.Dup(fd)
	if err == nil {
		unix.CloseOnExec(dup)
	}
	return dup, err
}

// Access returns how a descriptor was opened.
func Access(fd int) (AccessMode, error) {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return AccessMode(flags & unix.O_ACCMODE), err
}
