//go:build linux && (amd64 || arm64 || loong64 || mips64 || mips64le || ppc64 || ppc64le || riscv64)

package sys

import "golang.org/x/sys/unix"

func mmap(addr, n uintptr, prot, flags, fd int, off int64) (uintptr, error) {
	p, _, errno := unix.Syscall6(unix.SYS_MMAP, addr, n, uintptr(prot), uintptr(flags), uintptr(fd), uintptr(off))
	if errno != 0 {
		return 0, errno
	}
	return p, nil
}
