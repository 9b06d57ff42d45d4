//go:build !unix

package sys

import (
	"errors"
	"io/fs"
)

// CanMap reports whether this system maps files and memory through this
// package. It doesn't here: package memmap then reads files instead.
const CanMap = false

func Map(_, _ uintptr, _ Prot, _ Flags, _ int, _ int64) (uintptr, error) {
	return 0, errors.ErrUnsupported
}
func Remap(_, _, _ uintptr, _ RemapFlags, _ uintptr) (uintptr, error) {
	return 0, errors.ErrUnsupported
}
func Unmap(_, _ uintptr) error                    { return errors.ErrUnsupported }
func Protect(_, _ uintptr, _ Prot) error          { return errors.ErrUnsupported }
func SyncRange(_, _ uintptr, _ SyncFlags) error   { return errors.ErrUnsupported }
func StartWriteback(int, int64, int64) error      { return errors.ErrUnsupported }
func Advise(_, _ uintptr, _ Advice) error         { return errors.ErrUnsupported }
func Lock(_, _ uintptr, _ bool) error             { return errors.ErrUnsupported }
func Unlock(_, _ uintptr) error                   { return errors.ErrUnsupported }
func Resident(_, _ uintptr, _ []byte) error       { return errors.ErrUnsupported }
func SeesResidency(fs.FileInfo) bool              { return false }
func InMemory(int) (bool, error)                  { return false, errors.ErrUnsupported }
func BlockSizeOf(int, fs.FileInfo) (int64, error) { return int64(PageSize), nil }
func MemoryFile(string, bool, int) (int, error)   { return -1, errors.ErrUnsupported }
func AddSeals(int, Seals) error                   { return errors.ErrUnsupported }
func Allocate(int, int64, int64) error            { return errors.ErrUnsupported }
func FreeBytes(int) (uint64, error)               { return 0, errors.ErrUnsupported }
func BlockSize(int) (int64, error)                { return int64(PageSize), nil }
func Duplicate(int) (int, error)                  { return -1, errors.ErrUnsupported }
func Access(int) (AccessMode, error)              { return 0, errors.ErrUnsupported }
func SetName(_, _ uintptr, _ string) error        { return errors.ErrUnsupported }
func LockLimit() (uint64, error)                  { return 0, errors.ErrUnsupported }
func AddressSpaceLimit() (uint64, error)          { return 0, errors.ErrUnsupported }
func DataLimit() (uint64, error)                  { return 0, errors.ErrUnsupported }
