package memmap

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/memmap-go/memmap/internal/sys"
)

// Error is the error of every operation on mappings: what was done, to which
// file or memory, at which bytes, and why it failed.
type Error struct {
	Op   string // the operation: "map", "read", "sync", …
	Name string // the file's name, or "anonymous", or the name that was given
	Off  int64  // the range in question, in bytes; for a fault, the first byte
	Len  int64  // that can't be accessed. Both 0 if no range is meant.
	Err  error  // the cause: a sentinel of this package, an errno, or both
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("memmap: " + e.Op)
	if e.Name != "" {
		b.WriteString(" " + e.Name)
	}
	if e.Off != 0 {
		fmt.Fprintf(&b, " at %d", e.Off)
	}
	if e.Len > 1 {
		fmt.Fprintf(&b, ", %d bytes", e.Len)
	}
	b.WriteString(": " + e.Err.Error())
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// The causes that callers tell apart with errors.Is. What each one also is, as
// an errno or an error of package fs, stands behind it.
var (
	ErrClosed    error = &sentinel{"mapping is closed", fs.ErrClosed}
	ErrRange     error = &sentinel{"range lies outside the mapping", sys.EINVAL}
	ErrInUse     error = &sentinel{"address range is in use", sys.EEXIST}
	ErrPrivate   error = &sentinel{"not for a private mapping: its stores never reach the file", sys.EINVAL}
	ErrProtected error = &sentinel{"protection forbids the access", sys.EACCES}

	// ErrFault is the cause of every fault that became an error. With it
	// stands the reason, as far as it was found: ErrClosed, ErrTruncated,
	// ErrProtected, ErrUnmapped, syscall.ENOSPC, syscall.EIO.
	ErrFault     error = &sentinel{"memory fault", nil}
	ErrTruncated error = &sentinel{"page lies beyond the end of the file", nil}
	ErrUnmapped  error = &sentinel{"page was unmapped", nil}

	// Under Guard two more reasons can come, of which the mapping is well:
	// what was touched is where the mapping was before Remap or Resize
	// (ErrMoved: take Bytes again), and what was touched is accessible by now
	// (ErrAgain: try again), since the file was truncated and extended, or the
	// pages were just moving.
	ErrMoved error = &sentinel{"mapping has left this place", nil}
	ErrAgain error = &sentinel{"page is accessible again", nil}

	errPartialPage   error = &sentinel{"range must cover whole pages", sys.EINVAL}
	errUnaligned     error = &sentinel{"not a multiple of the page size", sys.EINVAL}
	errGrowsDown     error = &sentinel{"GrowsDown memory can't be resized or moved", sys.EINVAL}
	errDevice        error = &sentinel{"a device can't be mapped a second time: it may show other memory", sys.EINVAL}
	errNoRoom        error = &sentinel{"address space behind the mapping is taken; Remap may move it", sys.ENOMEM}
	errUnknownCause  error = &sentinel{"cause unknown", nil}
	errNotReadWrite  error = &sentinel{"a shared writable mapping needs a file opened for reading and writing", sys.EACCES}
	errWriteOnly     error = &sentinel{"a mapping needs a file opened for reading, even to write to it", sys.EACCES}
	errNotMappable   error = &sentinel{"not a regular file or a device that can be mapped", sys.ENODEV}
	errTooLong       error = &sentinel{"longer than the address space", sys.ENOMEM}
	errOffsetTooHigh error = &sentinel{"offset is beyond what a file can have", sys.EOVERFLOW}
)

// sentinel is a cause with a text of its own that also is a broader error.
type sentinel struct {
	text string
	is   error
}

func (s *sentinel) Error() string { return s.text }
func (s *sentinel) Unwrap() error { return s.is }

// fault is ErrFault together with its reason.
type fault struct{ reason error }

func (f *fault) Error() string   { return ErrFault.Error() + ": " + f.reason.Error() }
func (f *fault) Unwrap() []error { return []error{ErrFault, f.reason} }

// hinted adds what to do about it to an errno.
type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string { return h.err.Error() + ": " + h.hint }
func (h *hinted) Unwrap() error { return h.err }

func withHint(err error, format string, args ...any) error {
	return &hinted{err, fmt.Sprintf(format, args...)}
}

// invalid is EINVAL with a reason, for configurations that contradict
// themselves.
func invalid(format string, args ...any) error {
	return withHint(sys.EINVAL, format, args...)
}

// unsupported is for what this system, or this kernel, doesn't have.
func unsupported(what string) error {
	return withHint(errors.ErrUnsupported, "%s", what)
}
