package memmap

import (
	"os"
	"sync"

	"github.com/memmap-go/memmap/internal/sys"
)

// anonymousName is what memory without a name is called in errors.
const anonymousName = "anonymous"

// orDefault returns the configuration with its zeros filled in.
func (c *FileConfig) orDefault() FileConfig {
	var full FileConfig
	if c != nil {
		full = *c
	}
	if full.Prot == 0 {
		full.Prot = Read
	}
	return full
}

func (c *AnonConfig) orDefault() AnonConfig {
	var full AnonConfig
	if c != nil {
		full = *c
	}
	if full.Prot == 0 {
		full.Prot = Read | Write
	}
	if full.Name == "" {
		full.Name = anonymousName
	}
	return full
}

// check reports a configuration that contradicts itself.
func (c *FileConfig) check(inRegion bool) error {
	switch {
	case c.MaxLen < 0:
		return invalid("MaxLen is negative")
	case c.Sync && c.Private:
		return invalid("Sync is for shared mappings")
	case c.MaxLen > 0 && inRegion:
		return invalid("MaxLen is not for a mapping in a Region: what follows it there is yours to place")
	}
	return checkCommon(c.Prot, c.Lock, c.Addr, c.Low32, c.Replace, inRegion)
}

func (c *AnonConfig) check(n int64, inRegion bool) error {
	switch {
	case n < 0:
		return ErrRange
	case n > maxLen-int64(Huge1G):
		return errTooLong
	case c.Sealable && !c.Shared:
		return invalid("Sealable is for shared memory")
	case c.Shared && (c.GrowsDown || c.Droppable):
		return invalid("GrowsDown and Droppable are for private memory")
	case c.GrowsDown && (inRegion || c.Addr != 0 || c.Low32 || c.Huge != 0 || c.Droppable):
		return invalid("GrowsDown can't be combined with a place, huge pages or Droppable")
	case c.GrowsDown && (c.Populate || c.Lock != Unlocked):
		return invalid("GrowsDown memory can't be populated or locked before it has grown")
	case c.GrowsDown && n > stackGap:
		return invalid("GrowsDown memory is at most %d bytes: no more is kept free for it", stackGap)
	case c.Droppable && c.Lock != Unlocked:
		return invalid("Droppable memory can't be locked")
	case c.Huge != NoHuge && c.Huge != DefaultHuge && (c.Huge < HugePages(sys.PageSize) || c.Huge&(c.Huge-1) != 0):
		return invalid("Huge is the size of a page, a power of two")
	}
	return checkCommon(c.Prot, c.Lock, c.Addr, c.Low32, c.Replace, inRegion)
}

func checkCommon(p Prot, lock LockMode, addr uintptr, low, replace, inRegion bool) error {
	switch {
	case !p.valid():
		return invalid("Prot %#x is no protection", uint8(p))
	case lock > LockOnFault:
		return invalid("LockMode %d is none", lock)
	case addr%uintptr(sys.PageSize) != 0:
		return withHint(errUnaligned, "Addr %#x", addr)
	case replace && !inRegion:
		return invalid("Replace is for placements in a Region")
	case (addr != 0 || low) && inRegion:
		return invalid("Addr and Low32 are not for placements in a Region")
	case addr != 0 && low:
		return invalid("Addr and Low32 exclude each other")
	}
	return nil
}

func (p Prot) valid() bool {
	return p == None || p != 0 && p&^(Read|Write|Exec) == 0
}

func sysProt(p Prot) sys.Prot { return sys.Prot(p & (Read | Write | Exec)) }

func (c *FileConfig) flags() sys.Flags {
	f := sys.Shared
	if c.Private {
		f = sys.Private
	}
	if c.NoReserve {
		f |= sys.NoReserve
	}
	if c.Sync {
		f |= sys.Sync | sys.Validated
	}
	return f
}

func (c *AnonConfig) flags(hugeLog2 int) sys.Flags {
	var f sys.Flags
	switch {
	case c.Shared:
		f = sys.Shared // of a memory file, which holds the huge pages
	case c.Droppable:
		f = sys.Droppable | sys.Anonymous
	default:
		f = sys.Private | sys.Anonymous
	}
	if c.NoReserve {
		f |= sys.NoReserve
	}
	if c.Huge != NoHuge && !c.Shared {
		f |= sys.HugeShift(hugeLog2)
	}
	if c.GrowsDown {
		f |= sys.GrowsDown
	}
	return f
}

// checkFileRange reports a range that no file can have.
func checkFileRange(off, n int64) error {
	switch {
	case off < 0 || n < 0:
		return ErrRange
	case n > maxLen:
		return errTooLong
	case off+n < 0 || off+n > 1<<63-1-int64(Huge1G):
		return errOffsetTooHigh
	}
	return nil
}

// checkFile reports a file that can't be mapped this way, and why; mmap(2) says
// the same in one errno, and says nothing for an empty mapping.
func checkFile(fd int, info os.FileInfo, c FileConfig) error {
	mode, err := sys.Access(fd)
	switch {
	case err != nil:
		return err
	case mode == sys.PathOnly:
		return sys.EBADF
	case mode == sys.WriteOnly:
		return errWriteOnly
	case mode == sys.ReadOnly && c.Prot&Write != 0 && !c.Private:
		return errNotReadWrite
	case !info.Mode().IsRegular() && info.Mode().Type()&os.ModeDevice == 0:
		return withHint(errNotMappable, "%s", info.Mode())
	}
	return nil
}

// descriptor returns a file's descriptor. File.Fd is not for this: it may change
// the file's mode.
func descriptor(f *os.File) (int, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return -1, pathCause(err)
	}
	fd := -1
	err = conn.Control(func(raw uintptr) { fd = int(raw) })
	return fd, pathCause(err)
}

// placement is where a new mapping goes: into an arena, if nothing else is said.
type placement struct {
	addr     uintptr
	low      bool
	slot     *slot
	populate bool
}

func (c *FileConfig) placement(at *slot) placement {
	return placement{addr: c.Addr, low: c.Low32, slot: at, populate: c.Populate}
}

func (c *AnonConfig) placement(at *slot) placement {
	return placement{addr: c.Addr, low: c.Low32, slot: at, populate: c.Populate}
}

func (p placement) mutex() *sync.Mutex {
	if p.slot != nil {
		return &p.slot.region.mu
	}
	return new(sync.Mutex)
}

func (p placement) home() home {
	if p.slot != nil {
		return p.slot.region
	}
	return addresses
}

// inArena reports whether a mapping goes where the arenas have room.
func (p placement) inArena() bool { return p.slot == nil && p.addr == 0 && !p.low }

// take returns n bytes of inaccessible memory to map over.
func (p placement) take(v *view, n uintptr) (span, error) {
	switch {
	case p.slot != nil:
		return p.slot.claim(v, n)
	case p.addr != 0:
		return addresses.takeAt(p.addr, n)
	case p.low:
		return takeLow(n)
	}
	return addresses.take(n, alignment(v.page, n))
}

// transparentHuge is the size of a transparent huge page on most systems.
const transparentHuge = 2 << 20

// alignment is that of the pages, or, for long mappings, one that lets the
// kernel use huge pages.
func alignment(page int64, n uintptr) uintptr {
	if n >= transparentHuge {
		return max(uintptr(page), transparentHuge)
	}
	return uintptr(page)
}
