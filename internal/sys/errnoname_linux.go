package sys

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrnoName returns the error number's name in errno(3), as "ENOMEM". Of the two names of one number it
// takes the one that manual pages of mmap(2) and its relatives use.
func ErrnoName(e syscall.Errno) string {
	if e == unix.EOPNOTSUPP {
		return "EOPNOTSUPP"
	}
	return unix.ErrnoName(e)
}
