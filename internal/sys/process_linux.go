package sys

import (
	"errors"
	"fmt"
	"math"
	"syscall"

	"golang.org/x/sys/unix"
)

// What a process does to itself, and what package syscall has no name for.

const (
	// OpenPath is O_PATH of open(2).
	OpenPath = unix.O_PATH

	// PunchHoleMode is the mode of fallocate(2) that frees blocks and keeps the file's size.
	PunchHoleMode = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
)

// NoLimit is RLIM_INFINITY.
const NoLimit uint64 = math.MaxUint64

// SetSoftLimit sets a soft limit of this process by its name in getrlimit(2), in small letters and without the
// prefix, and leaves the hard one.
func SetSoftLimit(name string, soft uint64) error {
	which, ok := map[string]int{
		"as": unix.RLIMIT_AS, "data": unix.RLIMIT_DATA, "memlock": unix.RLIMIT_MEMLOCK,
		"stack": unix.RLIMIT_STACK, "fsize": unix.RLIMIT_FSIZE,
	}[name]
	if !ok {
		return fmt.Errorf("no limit %s", name)
	}
	var r unix.Rlimit
	if err := unix.Getrlimit(which, &r); err != nil {
		return err
	}
	r.Cur = soft
	return unix.Setrlimit(which, &r)
}

// BecomeNobody makes all threads of this process those of the user and group 65534, without other groups. The kernel takes
// the capabilities away with the last change, and lets the process look at its own files in /proc only
// if it says so.
func BecomeNobody() error {
	const nobody = 65534
	return errors.Join(
		syscall.Setgroups(nil),
		syscall.Setresgid(nobody, nobody, nobody),
		syscall.Setresuid(nobody, nobody, nobody),
		unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0),
	)
}
