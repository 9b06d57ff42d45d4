//go:build !plan9

package sys

import "syscall"

// The error numbers that package memmap speaks of.
const (
	EACCES    = syscall.EACCES
	EAGAIN    = syscall.EAGAIN
	EBADF     = syscall.EBADF
	EBUSY     = syscall.EBUSY
	EEXIST    = syscall.EEXIST
	EFAULT    = syscall.EFAULT
	EINVAL    = syscall.EINVAL
	EIO       = syscall.EIO
	ENODEV    = syscall.ENODEV
	ENOMEM    = syscall.ENOMEM
	ENOSPC    = syscall.ENOSPC
	ENOSYS    = syscall.ENOSYS
	EOVERFLOW = syscall.EOVERFLOW
	EPERM     = syscall.EPERM
	ESPIPE    = syscall.ESPIPE
)
