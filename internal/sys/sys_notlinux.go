//go:build !linux

package sys

import (
	"errors"
	"io/fs"
)

// What only Linux has, or is asked for on Linux alone. Files have no huge pages here.

func Remap(_, _, _ uintptr, _ RemapFlags, _ uintptr) (uintptr, error) {
	return 0, errors.ErrUnsupported
}
func Resident(_, _ uintptr, _ []byte) error       { return errors.ErrUnsupported }
func SeesResidency(fs.FileInfo) bool              { return false }
func InMemory(int) (bool, error)                  { return false, errors.ErrUnsupported }
func BlockSizeOf(int, fs.FileInfo) (int64, error) { return int64(PageSize), nil }
func BlockSize(int) (int64, error)                { return int64(PageSize), nil }
func MemoryFile(string, bool, int) (int, error)   { return -1, errors.ErrUnsupported }
func AddSeals(int, Seals) error                   { return errors.ErrUnsupported }
func Allocate(int, int64, int64) error            { return errors.ErrUnsupported }
func FreeBytes(int) (uint64, error)               { return 0, errors.ErrUnsupported }
func SetName(_, _ uintptr, _ string) error        { return errors.ErrUnsupported }
func LockLimit() (uint64, error)                  { return 0, errors.ErrUnsupported }
func AddressSpaceLimit() (uint64, error)          { return 0, errors.ErrUnsupported }
func DataLimit() (uint64, error)                  { return 0, errors.ErrUnsupported }
