package sys

import "syscall"

// The errors that package memmap speaks of. Plan 9 has texts instead of numbers.
const (
	EACCES    = syscall.ErrorString("permission denied")
	EAGAIN    = syscall.ErrorString("resource temporarily unavailable")
	EBADF     = syscall.ErrorString("bad file descriptor")
	EBUSY     = syscall.ErrorString("device or resource busy")
	EEXIST    = syscall.ErrorString("file exists")
	EFAULT    = syscall.ErrorString("bad address")
	EINVAL    = syscall.ErrorString("bad arg in system call")
	EIO       = syscall.ErrorString("i/o error")
	ENODEV    = syscall.ErrorString("no such device")
	ENOMEM    = syscall.ErrorString("cannot allocate memory")
	ENOSPC    = syscall.ErrorString("no space left on device")
	ENOSYS    = syscall.ErrorString("function not implemented")
	EOVERFLOW = syscall.ErrorString("value too large for defined data type")
	EPERM     = syscall.ErrorString("operation not permitted")
	ESPIPE    = syscall.ErrorString("illegal seek")
)
