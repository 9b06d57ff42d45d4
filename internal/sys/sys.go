// Package sys holds every raw system call of the project, and is the only one
// that imports golang.org/x/sys or knows an operating system's numbers.
//
// Its functions are thin: addresses are plain uintptrs, nothing is checked or
// rounded, and an error is the errno itself. What an operating system lacks is
// an error for which errors.Is(err, errors.ErrUnsupported) holds. Callers in
// package memmap are therefore free of build tags.
package sys

import "os"

// PageSize is the size of a page in bytes.
var PageSize = os.Getpagesize()

// Prot is the protection of pages. The bits are those of all Unix systems.
type Prot int

const (
	ProtNone  Prot = 0
	ProtRead  Prot = 1
	ProtWrite Prot = 2
	ProtExec  Prot = 4
)

// Flags says how to map. Each system translates them to its own numbers.
type Flags uint

const (
	Shared         Flags = 1 << iota // stores reach the file and its other mappings
	Private                          // stores are copied on write
	Validated                        // with Shared: refuse flags that the file can't honour
	Droppable                        // private memory that the kernel may drop instead of swapping
	Anonymous                        // no file
	Fixed                            // at this address, in place of what is there
	FixedNoReplace                   // at this address, or not at all
	NoReserve                        // charge nothing against the commit limit
	Huge                             // huge pages; the size goes through HugeShift
	Sync                             // MAP_SYNC, on DAX file systems
	Low32                            // in the first 2 GiB of the address space
	GrowsDown                        // grow downwards on touch, as a stack does
)

// hugeShift is where the base-2 logarithm of the huge page size stands in
// Flags, as it does in the flags of mmap(2).
const hugeShift = 26

// HugeShift returns the Flags that ask for huge pages of 1<<log2 bytes.
func HugeShift(log2 int) Flags { return Huge | Flags(log2)<<hugeShift }

// Advice is a piece of advice about pages, for Advise.
type Advice int

const (
	AdviseNormal Advice = iota
	AdviseRandom
	AdviseSequential
	AdviseWillNeed
	AdviseDontNeed
	AdviseFree
	AdviseRemove
	AdviseDontFork
	AdviseDoFork
	AdviseMergeable
	AdviseUnmergeable
	AdviseHugePage
	AdviseNoHugePage
	AdviseDontDump
	AdviseDoDump
	AdviseCold
	AdvisePageOut
	AdvisePopulateRead
	AdvisePopulateWrite
	AdviseCollapse
	AdviseGuardInstall
	AdviseGuardRemove
)

// SyncFlags says how to write a mapping back.
type SyncFlags int

const (
	SyncWait       SyncFlags = 1 << iota // MS_SYNC
	SyncStart                            // MS_ASYNC
	SyncInvalidate                       // MS_INVALIDATE
)

// RemapFlags says how to move a mapping.
type RemapFlags int

const (
	RemapMayMove RemapFlags = 1 << iota
	RemapFixed
	RemapDontUnmap
)

// Seals forbid changes to a memory file for good.
type Seals uint

const (
	SealSeal Seals = 1 << iota
	SealShrink
	SealGrow
	SealWrite
	SealFutureWrite
)

// AccessMode is how a descriptor was opened.
type AccessMode int

const (
	ReadOnly AccessMode = iota
	WriteOnly
	ReadWrite
	PathOnly // O_PATH: neither
)
