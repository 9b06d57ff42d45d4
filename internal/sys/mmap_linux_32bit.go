//go:build linux && (386 || arm || mips || mipsle)

package sys

import (
	"math"
	"syscall"

	"golang.org/x/sys/unix"
)

// mmap2 counts its offset in units of 4096 bytes, whatever the page size.
const mmap2Unit = 4096

func mmap(addr, n uintptr, prot, flags, fd int, off int64) (uintptr, error) {
	if off%mmap2Unit != 0 {
		return 0, syscall.EINVAL
	}
	if off < 0 || off/mmap2Unit > math.MaxUint32 {
		return 0, syscall.EOVERFLOW
	}
	p, _, errno := unix.Syscall6(unix.SYS_MMAP2, addr, n, uintptr(prot), uintptr(flags), uintptr(fd), uintptr(off/mmap2Unit))
	if errno != 0 {
		return 0, errno
	}
	return p, nil
}
