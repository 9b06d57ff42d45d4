package memmap

import (
	"errors"
	"os"
	"runtime"
	"syscall"
)

// dropCache has the kernel drop the clean pages of a file: posix_fadvise(2) with
// POSIX_FADV_DONTNEED, which has a number and an order of arguments by processor.
func dropCache(f *os.File) error {
	const dontNeed = 4
	var errno syscall.Errno
	switch runtime.GOARCH {
	case "amd64":
		_, _, errno = syscall.Syscall6(221, f.Fd(), 0, 0, dontNeed, 0, 0)
	case "arm64":
		_, _, errno = syscall.Syscall6(223, f.Fd(), 0, 0, dontNeed, 0, 0)
	case "386": // offsets are two words
		_, _, errno = syscall.Syscall6(250, f.Fd(), 0, 0, 0, dontNeed, 0)
	case "arm":
		_, _, errno = syscall.Syscall6(270, f.Fd(), dontNeed, 0, 0, 0, 0)
	default:
		return errors.ErrUnsupported
	}
	if errno != 0 {
		return errno
	}
	return nil
}
