//go:build !unix

package sys

import "errors"

// CanMap reports whether this system maps files and memory through this
// package. It doesn't here: package memmap then reads files instead.
const CanMap = false

func Map(_, _ uintptr, _ Prot, _ Flags, _ int, _ int64) (uintptr, error) {
	return 0, errors.ErrUnsupported
}
func Unmap(_, _ uintptr) error                  { return errors.ErrUnsupported }
func Protect(_, _ uintptr, _ Prot) error        { return errors.ErrUnsupported }
func SyncRange(_, _ uintptr, _ SyncFlags) error { return errors.ErrUnsupported }
func StartWriteback(int, int64, int64) error    { return errors.ErrUnsupported }
func Advise(_, _ uintptr, _ Advice) error       { return errors.ErrUnsupported }
func Lock(_, _ uintptr, _ bool) error           { return errors.ErrUnsupported }
func Unlock(_, _ uintptr) error                 { return errors.ErrUnsupported }
func Duplicate(int) (int, error)                { return -1, errors.ErrUnsupported }
func Access(int) (AccessMode, error)            { return 0, errors.ErrUnsupported }
