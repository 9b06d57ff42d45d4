package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// appendFlag is FS_APPEND_FL of linux/fs.h, which x/sys doesn't name.
const appendFlag = 0x20

// SetAppendOnly sets or clears the file's append-only attribute, chattr(1) a.
func SetAppendOnly(f *os.File, on bool) error {
	fd := int(f.Fd())
	flags, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
	if err != nil {
		return err
	}
	flags &^= appendFlag
	if on {
		flags |= appendFlag
	}
	return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, int(flags))
}
