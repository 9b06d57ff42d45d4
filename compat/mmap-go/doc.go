// Package mmap is github.com/edsrzf/mmap-go on package memmap: the same exported
// API, with safe closing, and errors that say what is wrong.
//
// # Moving in
//
// Either change the import path and run go mod tidy:
//
//	import "github.com/memmap-go/memmap/compat/mmap-go"
//
// Or change nothing but go.mod, with one line and go mod tidy. That also reaches
// the packages that others wrote:
//
//	replace github.com/edsrzf/mmap-go => github.com/memmap-go/memmap/compat/mmap-go v0.1.0
//
// With a checkout instead of a version, its main module has to be replaced too:
//
//	replace github.com/edsrzf/mmap-go => ../memmap/compat/mmap-go
//	replace github.com/memmap-go/memmap => ../memmap
//
// One build can have it one way only; the go command refuses a module that is used
// under two paths. The test TestRelease in compat/difftest builds programs in each
// of these ways.
//
// # What is better
//
// Once a slice is unmapped, its memory is inaccessible, and nothing else is mapped
// there for some seconds at least: a slice that was kept too long faults. With the
// original it reads and writes what was mapped next.
//
// Errors are *memmap.Error: they name the file, the range and the reason, and
// errors.Is finds the errno beneath. Comparing with == does not.
//
// Any part of a mapping can be flushed. Files too long for the address space of a
// 32-bit system are an error, and not cut. Unmap works at the system's limit of
// areas.
//
// What is not better: MMap is raw memory. A fault in it, because the file was
// truncated or the disk is full, still ends the program. For faults as errors,
// use package memmap itself; docs/migration.md shows the way.
//
// # What differs
//
//   - A mapping of a file holds a descriptor of it until Unmap. That counts against
//     RLIMIT_NOFILE; and fcntl(2) locks, which the process loses with the first
//     descriptor of the file that it closes, end with Unmap.
//   - Anonymous memory is private. The original's is shared, with children that C
//     code forks.
//   - The memory is not known to package golang.org/x/sys/unix: Munmap and Mremap of
//     that package refuse it. Madvise, Mprotect, Mlock and Msync work.
//   - A negative offset is EINVAL on all systems.
//   - Mapping and unmapping takes about three times as long; the memory itself is as
//     fast. Check: go test -run none -bench Map . in compat/difftest
//   - On Windows, Plan 9 and in WebAssembly, package memmap can only read files:
//     what isn't RDONLY is errors.ErrUnsupported. Stay with the original there.
//
// All else is the same, errors where the original has none among it: an empty file
// can't be mapped (EINVAL), Unmap of a part fails and sets the variable to nil.
// compat/difftest tries some thousand combinations with both.
//
// An MMap is found again by its address. If a slice is used so long after Unmap that
// its addresses are in use again, Lock, Unlock and Flush act on what is there now,
// and so does Unmap if it begins at the same address and is as long; as with the
// original.
//
// # Releasing
//
// The module has its own go.mod, so that a replace line can name it, and is released
// after the main module: require the main module's new version in it instead of
// v0.0.0, commit, and tag that commit compat/mmap-go/vX.Y.Z. The replace line in its
// go.mod is for work in this repository; the go command heeds it nowhere else. The
// module directive is its own path: the original's would work with replace, but not
// with a changed import path.
package mmap
