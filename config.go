package memmap

import "strings"

// Prot says what may be done with the pages of a mapping. The zero value means
// "not said": Read for a file, Read|Write for anonymous memory.
type Prot uint8

const (
	Read  Prot = 1 << iota // the pages can be read
	Write                  // the pages can be written; on most processors this includes reading
	Exec                   // the pages can be executed
	None                   // every access faults; stands alone
)

// String returns the protection in the manner of /proc/self/maps: "rw-".
func (p Prot) String() string {
	b := []byte("---")
	for i, bit := range []Prot{Read, Write, Exec} {
		if p&bit != 0 {
			b[i] = "rwx"[i]
		}
	}
	return string(b)
}

// LockMode says when pages are locked into memory.
type LockMode uint8

const (
	Unlocked    LockMode = iota
	LockNow              // load all pages and keep them: mlock(2)
	LockOnFault          // keep each page once it was touched: mlock2(2), Linux 4.4
)

// HugePages is the size of the pages that anonymous memory is made of, in
// bytes; a power of two that the processor knows.
type HugePages int64

const (
	NoHuge      HugePages = 0 // ordinary pages; transparent huge pages are asked for with Advise
	DefaultHuge HugePages = 1 // the size that the system calls its default
	Huge2M      HugePages = 2 << 20
	Huge1G      HugePages = 1 << 30
)

// FileConfig says how to map a file. Nil and the zero value mean: read-only,
// shared, the pages loaded when they are touched.
//
// Every field is required unless its comment calls it a hint: where the system
// can't do it, the call fails, with an error for which
// errors.Is(err, errors.ErrUnsupported) holds if the system lacks the feature.
type FileConfig struct {
	// Prot is what the pages may be used for; zero means Read. A shared
	// writable mapping needs a file opened for reading and writing (EACCES).
	Prot Prot

	// Private makes stores copy the page: they stay in this mapping, and the
	// file is never changed. It needs only a file opened for reading.
	Private bool

	// MaxLen reserves address space for a mapping that grows in place, up to
	// this many bytes, rounded up to whole pages: see Grow. Less than the length at the start means: no
	// room to grow.
	MaxLen int64

	// Sparse lets Grow, which alone looks at it, extend the file without allocating disk blocks. A
	// store into a page that the disk then can't back is a fault.
	Sparse bool

	// NoReserve charges a private writable mapping nothing against the
	// system's commit limit (MAP_NORESERVE, Linux); others aren't charged
	// anyway. Ignored by the kernel where overcommitting is forbidden
	// (mode 2): see Overcommit.
	NoReserve bool

	// Populate loads all pages before the call returns, and reports what
	// can't be loaded; a private writable mapping gets its copies too.
	Populate bool

	// Lock keeps the pages in memory. RLIMIT_MEMLOCK bounds it. MaxLen counts
	// in full, but what Grow adds is loaded when it is touched.
	Lock LockMode

	// NoYield has ReadAt, WriteAt, Load and Store touch pages at once. Without
	// it they look whether the pages are in memory, and if not, let other
	// goroutines run while the disk works; see the package documentation.
	NoYield bool

	// NoRaceShadow keeps guarded copies out of sight of the race detector, if
	// the program is built with it. It is for those who order their accesses
	// by what the detector doesn't see: atomics in the mapped memory itself,
	// other processes.
	NoRaceShadow bool

	// Sync maps a file on a DAX file system so that stores are durable once
	// the processor's caches are flushed (MAP_SYNC, Linux 4.15).
	Sync bool

	// Low32 places the mapping in the first 2 GiB of the address space
	// (MAP_32BIT, Linux on amd64).
	Low32 bool

	// Addr is where the first page of the mapping has to lie; a multiple of
	// the page size. It fails with ErrInUse if anything is mapped there
	// (MAP_FIXED_NOREPLACE, Linux 4.17); what was closed there stays for some
	// seconds. Zero: any address. To place mappings side by side, use a
	// Region.
	Addr uintptr

	// Replace lets a placement in a Region take the place of whole live
	// mappings, which then report ErrClosed. It is an error elsewhere.
	Replace bool
}

// AnonConfig says how to map anonymous memory. Nil and the zero value mean:
// private, readable and writable, zeros when first touched.
type AnonConfig struct {
	// Prot is what the pages may be used for; zero means Read|Write.
	Prot Prot

	// Shared makes memory that other processes can map too: File gives the
	// descriptor to hand on. It is a memory file (memfd_create(2)), so its
	// pages are charged when they are touched, not before.
	Shared bool

	// Sealable allows Seal. Shared memory only.
	Sealable bool

	// NoReserve, Populate, Lock, Low32, Addr, Replace and NoRaceShadow are
	// those of FileConfig.
	NoReserve    bool
	Populate     bool
	Lock         LockMode
	Low32        bool
	Addr         uintptr
	Replace      bool
	NoRaceShadow bool

	// Huge asks for huge pages from the system's pool (MAP_HUGETLB, Linux);
	// the length is rounded up to them. ENOMEM: the pool hasn't enough.
	Huge HugePages

	// GrowsDown makes memory like a stack (MAP_GROWSDOWN, Linux): only the
	// last page is mapped, and touching the one below the lowest mapped page
	// (or up to 1 MiB further down) extends the area, within RLIMIT_STACK.
	// The length is at most 1 MiB, which is what the kernel keeps free of
	// other mappings. Private memory only; it can't be resized or moved.
	GrowsDown bool

	// Droppable is memory that the kernel may empty at any time instead of
	// swapping it; it reads as zero then (MAP_DROPPABLE, Linux 6.11).
	Droppable bool

	// Name is shown in /proc/PID/maps. A hint for private memory: not every
	// kernel is built with it (PR_SET_VMA_ANON_NAME, Linux 5.17).
	Name string
}

// flagNames joins the names of the bits that are set.
func flagNames(bits uint, names []string) string {
	var set []string
	for i, name := range names {
		if bits&(1<<i) != 0 {
			set = append(set, name)
		}
	}
	return strings.Join(set, "|")
}
