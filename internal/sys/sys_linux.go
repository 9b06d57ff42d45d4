package sys

import (
	"errors"
	"io/fs"
	"math"
	"syscall"

	"golang.org/x/sys/unix"
)

// CanMap reports whether this system maps files and memory through this
// package.
const CanMap = true

var flagBits = []struct {
	flag Flags
	bits int
}{
	{Shared, unix.MAP_SHARED},
	{Private, unix.MAP_PRIVATE},
	{Validated, unix.MAP_SHARED_VALIDATE},
	{Droppable, unix.MAP_DROPPABLE},
	{Anonymous, unix.MAP_ANONYMOUS},
	{Fixed, unix.MAP_FIXED},
	{FixedNoReplace, unix.MAP_FIXED_NOREPLACE},
	{NoReserve, unix.MAP_NORESERVE},
	{Huge, unix.MAP_HUGETLB},
	{Sync, unix.MAP_SYNC},
	{GrowsDown, unix.MAP_GROWSDOWN},
	{Low32, map32Bit},
}

func mmapFlags(f Flags) (int, error) {
	if f&Low32 != 0 && map32Bit == 0 {
		return 0, errors.ErrUnsupported
	}
	bits := int(f >> hugeShift << hugeShift)
	for _, b := range flagBits {
		if f&b.flag != 0 {
			bits |= b.bits
		}
	}
	return bits, nil
}

// Map is mmap(2).
func Map(addr, n uintptr, prot Prot, flags Flags, fd int, off int64) (uintptr, error) {
	bits, err := mmapFlags(flags)
	if err != nil {
		return 0, err
	}
	return mmap(addr, n, int(prot), bits, fd, off)
}

// Unmap is munmap(2).
func Unmap(addr, n uintptr) error {
	return call(unix.SYS_MUNMAP, addr, n, 0)
}

// Protect is mprotect(2).
func Protect(addr, n uintptr, prot Prot) error {
	return call(unix.SYS_MPROTECT, addr, n, uintptr(prot))
}

// SyncRange is msync(2).
func SyncRange(addr, n uintptr, how SyncFlags) error {
	var bits uintptr
	if how&SyncWait != 0 {
		bits |= unix.MS_SYNC
	}
	if how&SyncStart != 0 {
		bits |= unix.MS_ASYNC
	}
	if how&SyncInvalidate != 0 {
		bits |= unix.MS_INVALIDATE
	}
	return call(unix.SYS_MSYNC, addr, n, bits)
}

// StartWriteback starts writing the dirty pages of a part of a file, without
// waiting: sync_file_range(2). msync(MS_ASYNC) no longer does this (since
// Linux 2.6.19 it does nothing).
func StartWriteback(fd int, off, n int64) error {
	return retry(func() error { return unix.SyncFileRange(fd, off, n, unix.SYNC_FILE_RANGE_WRITE) })
}

var adviceBits = [...]uintptr{
	AdviseNormal:        unix.MADV_NORMAL,
	AdviseRandom:        unix.MADV_RANDOM,
	AdviseSequential:    unix.MADV_SEQUENTIAL,
	AdviseWillNeed:      unix.MADV_WILLNEED,
	AdviseDontNeed:      unix.MADV_DONTNEED,
	AdviseFree:          unix.MADV_FREE,
	AdviseRemove:        unix.MADV_REMOVE,
	AdviseDontFork:      unix.MADV_DONTFORK,
	AdviseDoFork:        unix.MADV_DOFORK,
	AdviseMergeable:     unix.MADV_MERGEABLE,
	AdviseUnmergeable:   unix.MADV_UNMERGEABLE,
	AdviseHugePage:      unix.MADV_HUGEPAGE,
	AdviseNoHugePage:    unix.MADV_NOHUGEPAGE,
	AdviseDontDump:      unix.MADV_DONTDUMP,
	AdviseDoDump:        unix.MADV_DODUMP,
	AdviseCold:          unix.MADV_COLD,
	AdvisePageOut:       unix.MADV_PAGEOUT,
	AdvisePopulateRead:  unix.MADV_POPULATE_READ,
	AdvisePopulateWrite: unix.MADV_POPULATE_WRITE,
	AdviseCollapse:      unix.MADV_COLLAPSE,
	// include/uapi/asm-generic/mman-common.h, Linux 6.13.
	AdviseGuardInstall: 102,
	AdviseGuardRemove:  103,
}

// Advise is madvise(2).
func Advise(addr, n uintptr, a Advice) error {
	return retry(func() error { return call(unix.SYS_MADVISE, addr, n, adviceBits[a]) })
}

// Remap is mremap(2). newAddr counts only with RemapFixed.
func Remap(old, oldLen, newLen uintptr, flags RemapFlags, newAddr uintptr) (uintptr, error) {
	var bits uintptr
	if flags&RemapMayMove != 0 {
		bits |= unix.MREMAP_MAYMOVE
	}
	if flags&RemapFixed != 0 {
		bits |= unix.MREMAP_FIXED
	}
	if flags&RemapDontUnmap != 0 {
		bits |= unix.MREMAP_DONTUNMAP
	}
	addr, _, errno := unix.Syscall6(unix.SYS_MREMAP, old, oldLen, newLen, bits, newAddr, 0)
	if errno != 0 {
		return 0, errno
	}
	return addr, nil
}

// Lock is mlock(2), and mlock2(2) where onFault is asked for.
func Lock(addr, n uintptr, onFault bool) error {
	if onFault {
		return call(unix.SYS_MLOCK2, addr, n, unix.MLOCK_ONFAULT)
	}
	return call(unix.SYS_MLOCK, addr, n, 0)
}

// Unlock is munlock(2).
func Unlock(addr, n uintptr) error {
	return call(unix.SYS_MUNLOCK, addr, n, 0)
}

// MemoryFile is memfd_create(2): a file that lives in memory. A huge page size
// other than 0 is given as its base-2 logarithm.
func MemoryFile(name string, sealable bool, hugeLog2 int) (int, error) {
	flags := unix.MFD_CLOEXEC
	if sealable {
		flags |= unix.MFD_ALLOW_SEALING
	}
	if hugeLog2 != 0 {
		flags |= unix.MFD_HUGETLB | hugeLog2<<hugeShift
	}
	return unix.MemfdCreate(name, flags)
}

// AddSeals is fcntl(F_ADD_SEALS).
func AddSeals(fd int, seals Seals) error {
	bits := 0
	for seal, bit := range map[Seals]int{
		SealSeal: unix.F_SEAL_SEAL, SealShrink: unix.F_SEAL_SHRINK, SealGrow: unix.F_SEAL_GROW,
		SealWrite: unix.F_SEAL_WRITE, SealFutureWrite: unix.F_SEAL_FUTURE_WRITE,
	} {
		if seals&seal != 0 {
			bits |= bit
		}
	}
	_, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, bits)
	return err
}

// Allocate gives the file its blocks in a range, without changing its size.
func Allocate(fd int, off, n int64) error {
	return retry(func() error { return unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, off, n) })
}

// FreeBytes returns what the file's file system has left for us. That of memory
// files has no size, and so no bound.
func FreeBytes(fd int) (uint64, error) {
	var st unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(fd, &st) }); err != nil {
		return 0, err
	}
	if st.Blocks == 0 {
		return math.MaxInt64, nil
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// InMemory reports whether the file's file system keeps its files in memory.
func InMemory(fd int) (bool, error) {
	var st unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(fd, &st) }); err != nil {
		return false, err
	}
	switch uint32(st.Type) {
	case unix.TMPFS_MAGIC, unix.RAMFS_MAGIC, unix.HUGETLBFS_MAGIC:
		return true, nil
	}
	return false, nil
}

// BlockSize returns the file system's page: huge pages on hugetlbfs.
func BlockSize(fd int) (int64, error) {
	var st unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(fd, &st) }); err != nil {
		return 0, err
	}
	if uint32(st.Type) == unix.HUGETLBFS_MAGIC {
		return int64(st.Bsize), nil
	}
	return int64(PageSize), nil
}

// SeesResidency reports whether Resident tells us the truth about a file: of files
// that we neither own nor may write, it calls every page resident
// (can_do_mincore in mm/mincore.c).
func SeesResidency(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	me := unix.Geteuid()
	return ok && (me == 0 || int(st.Uid) == me)
}

// BlockSizeOf is BlockSize for a file that was looked at: if it is best read in
// blocks no larger than a page, it isn't made of huge ones.
func BlockSizeOf(fd int, info fs.FileInfo) (int64, error) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int64(st.Blksize) <= int64(PageSize) {
		return int64(PageSize), nil
	}
	return BlockSize(fd)
}

// Duplicate returns another descriptor of the same open file, closed on exec.
func Duplicate(fd int) (int, error) {
	return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
}

// Access returns how a descriptor was opened.
func Access(fd int) (AccessMode, error) {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	switch {
	case err != nil:
		return 0, err
	case flags&unix.O_PATH != 0:
		return PathOnly, nil
	}
	return AccessMode(flags & unix.O_ACCMODE), nil
}

// LockLimit returns RLIMIT_MEMLOCK in bytes.
func LockLimit() (uint64, error) { return limit(unix.RLIMIT_MEMLOCK) }

// AddressSpaceLimit returns RLIMIT_AS in bytes.
func AddressSpaceLimit() (uint64, error) { return limit(unix.RLIMIT_AS) }

// DataLimit returns RLIMIT_DATA in bytes.
func DataLimit() (uint64, error) { return limit(unix.RLIMIT_DATA) }

func limit(which int) (uint64, error) {
	var r unix.Rlimit
	err := unix.Getrlimit(which, &r)
	return r.Cur, err
}

func call(nr, a, b, c uintptr) error {
	if _, _, errno := unix.Syscall(nr, a, b, c); errno != 0 {
		return errno
	}
	return nil
}

// retry runs a call that a signal may interrupt. The runtime's own preemption
// signals restart most calls by themselves, but not all.
func retry(fn func() error) error {
	for {
		if err := fn(); err != syscall.EINTR {
			return err
		}
	}
}
