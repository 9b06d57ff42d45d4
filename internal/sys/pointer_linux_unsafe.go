//go:build linux

package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Resident is mincore(2): bit 0 of vec[i] says whether page i is resident.
func Resident(addr, n uintptr, vec []byte) error {
	for {
		// Only here, in the arguments of the call itself, does a uintptr keep
		// what it points to alive and in its place.
		_, _, errno := unix.Syscall(unix.SYS_MINCORE, addr, n, uintptr(unsafe.Pointer(unsafe.SliceData(vec))))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

// SetName names an anonymous area: prctl(PR_SET_VMA_ANON_NAME).
func SetName(addr, n uintptr, name string) error {
	p, err := unix.BytePtrFromString(name)
	if err != nil {
		return err
	}
	_, _, errno := unix.Syscall6(unix.SYS_PRCTL, unix.PR_SET_VMA, unix.PR_SET_VMA_ANON_NAME,
		addr, n, uintptr(unsafe.Pointer(p)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}
