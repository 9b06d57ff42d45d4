package library

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/memmap-go/memmap"
	"github.com/memmap-go/memmap/conformance"
	"github.com/memmap-go/memmap/internal/sys"
)

// result is r, or the error number that an error of the library wraps. In names stands what the system call says
// where the library gives a reason instead of an error number.
func result(r conformance.Result, err error, names reasons) (conformance.Result, error) {
	if err == nil {
		return r, nil
	}
	var refused *refusal
	if errors.As(err, &refused) {
		return conformance.Result{}, err
	}
	for _, n := range names {
		if errors.Is(err, n.reason) {
			return conformance.Errno(n.errno), nil
		}
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return conformance.Errno(sys.ErrnoName(errno)), nil
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return conformance.Result{}, refuse("not on this system: %v", err)
	}
	return conformance.Result{}, fmt.Errorf("an error without an error number: %w", err)
}

// done is result for a step that gives nothing.
func done(err error, names reasons) (conformance.Result, error) {
	return result(conformance.OK(), err, names)
}

// reasons are the error numbers of one system call, by the reasons that the library has for them.
type reasons []struct {
	reason error
	errno  string
}

var (
	// forRange is what mprotect, msync, mlock, madvise and mincore say of addresses where nothing is mapped.
	forRange = reasons{{memmap.ErrClosed, "ENOMEM"}, {memmap.ErrUnmapped, "ENOMEM"}}

	// forPopulate is what MADV_POPULATE_READ and MADV_POPULATE_WRITE say of pages that can't be had.
	forPopulate = reasons{
		{memmap.ErrClosed, "ENOMEM"}, {memmap.ErrUnmapped, "ENOMEM"},
		{memmap.ErrTruncated, "EFAULT"}, {memmap.ErrProtected, "EINVAL"},
	}

	// forRemap is what mremap says of addresses where nothing is mapped.
	forRemap = reasons{{memmap.ErrClosed, "EFAULT"}, {memmap.ErrUnmapped, "EFAULT"}}

	// forRemapPages is what remap_file_pages says of them.
	forRemapPages = reasons{{memmap.ErrClosed, "EINVAL"}, {memmap.ErrUnmapped, "EINVAL"}}

	// forMap is what mmap says of a file that was closed.
	forMap = reasons{{fs.ErrClosed, "EBADF"}}
)

// noReasons is for operations that always give an error number.
var noReasons reasons
