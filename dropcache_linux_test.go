package memmap

import (
	"os"
	"syscall"
)

// dropCache has the kernel drop the clean pages of a file: POSIX_FADV_DONTNEED.
func dropCache(f *os.File) error {
	const dontNeed = 4
	if _, _, errno := syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
