package sys

import "golang.org/x/sys/unix"

// The numbers of the system calls that a tracee is made to do.
const (
	SysPread64        = unix.SYS_PREAD64
	SysPwrite64       = unix.SYS_PWRITE64
	SysOpenat         = unix.SYS_OPENAT
	SysClose          = unix.SYS_CLOSE
	SysFstat          = unix.SYS_FSTAT
	SysFtruncate      = unix.SYS_FTRUNCATE
	SysFallocate      = unix.SYS_FALLOCATE
	SysFsync          = unix.SYS_FSYNC
	SysFcntl          = unix.SYS_FCNTL
	SysIoctl          = unix.SYS_IOCTL
	SysUtimensat      = unix.SYS_UTIMENSAT
	SysUnlinkat       = unix.SYS_UNLINKAT
	SysMkdirat        = unix.SYS_MKDIRAT
	SysUmask          = unix.SYS_UMASK
	SysMemfdCreate    = unix.SYS_MEMFD_CREATE
	SysPipe2          = unix.SYS_PIPE2
	SysMmap           = unix.SYS_MMAP
	SysMunmap         = unix.SYS_MUNMAP
	SysMprotect       = unix.SYS_MPROTECT
	SysMsync          = unix.SYS_MSYNC
	SysMremap         = unix.SYS_MREMAP
	SysMadvise        = unix.SYS_MADVISE
	SysMincore        = unix.SYS_MINCORE
	SysMlock          = unix.SYS_MLOCK
	SysMlock2         = unix.SYS_MLOCK2
	SysMunlock        = unix.SYS_MUNLOCK
	SysMlockall       = unix.SYS_MLOCKALL
	SysMunlockall     = unix.SYS_MUNLOCKALL
	SysRemapFilePages = unix.SYS_REMAP_FILE_PAGES
	SysMseal          = unix.SYS_MSEAL
	SysClone          = unix.SYS_CLONE
	SysExitGroup      = unix.SYS_EXIT_GROUP
	SysPrlimit64      = unix.SYS_PRLIMIT64
	SysCapset         = unix.SYS_CAPSET
)

// The arguments that those system calls take, beside the flags of FlagSet.
const (
	AtFdcwd           = unix.AT_FDCWD
	OpenCreate        = unix.O_CREAT | unix.O_EXCL | unix.O_RDWR
	OpenRead          = unix.O_RDONLY
	MemfdAllowSealing = unix.MFD_ALLOW_SEALING
	MapAnonymous      = unix.MAP_PRIVATE | unix.MAP_ANONYMOUS
	PunchHole         = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
	FcntlAddSeals     = unix.F_ADD_SEALS
	IoctlGetFlags     = unix.FS_IOC_GETFLAGS
	IoctlSetFlags     = unix.FS_IOC_SETFLAGS
	AppendFlag        = appendFlag
	CloneSibling      = unix.CLONE_PARENT | uintptr(unix.SIGCHLD) // a fork whose child is also ours to reap
	CapVersion        = unix.LINUX_CAPABILITY_VERSION_3
)

// StatSize, StatMtime and StatLen say where struct stat of fstat(2) has the size and the modification time (two words:
// seconds and nanoseconds), and how long it is.
const (
	StatSize  = 48
	StatMtime = 88
	StatLen   = 144
)

// A FlagSet gives the flags of one system call by the names that the conformance language has for them.
type FlagSet map[string]uint64

// OpenNames are the flags of open(2).
func OpenNames() FlagSet {
	return FlagSet{
		"rdonly": unix.O_RDONLY, "wronly": unix.O_WRONLY, "rdwr": unix.O_RDWR,
		"append": unix.O_APPEND, "path": unix.O_PATH, "directory": unix.O_DIRECTORY,
	}
}

// ProtNames are the protections of mmap(2) and mprotect(2).
func ProtNames() FlagSet {
	return FlagSet{
		"none": unix.PROT_NONE, "r": unix.PROT_READ, "w": unix.PROT_WRITE, "x": unix.PROT_EXEC,
		"growsdown": unix.PROT_GROWSDOWN, "growsup": unix.PROT_GROWSUP,
	}
}

// MmapNames are the flags of mmap(2).
func MmapNames() FlagSet {
	return FlagSet{
		"shared": unix.MAP_SHARED, "private": unix.MAP_PRIVATE, "shared_validate": unix.MAP_SHARED_VALIDATE,
		"anon": unix.MAP_ANONYMOUS, "fixed": unix.MAP_FIXED, "fixed_noreplace": unix.MAP_FIXED_NOREPLACE,
		"noreserve": unix.MAP_NORESERVE, "populate": unix.MAP_POPULATE, "nonblock": unix.MAP_NONBLOCK,
		"locked": unix.MAP_LOCKED, "growsdown": unix.MAP_GROWSDOWN, "stack": unix.MAP_STACK,
		"hugetlb": unix.MAP_HUGETLB, "huge_2m": unix.MAP_HUGE_2MB, "huge_1g": unix.MAP_HUGE_1GB,
		"sync": unix.MAP_SYNC, "32bit": unix.MAP_32BIT, "droppable": unix.MAP_DROPPABLE,
		"denywrite": unix.MAP_DENYWRITE, "executable": unix.MAP_EXECUTABLE,
	}
}

// MsyncNames are the flags of msync(2).
func MsyncNames() FlagSet {
	return FlagSet{"sync": unix.MS_SYNC, "async": unix.MS_ASYNC, "invalidate": unix.MS_INVALIDATE}
}

// MremapNames are the flags of mremap(2).
func MremapNames() FlagSet {
	return FlagSet{
		"maymove": unix.MREMAP_MAYMOVE, "fixed": unix.MREMAP_FIXED, "dontunmap": unix.MREMAP_DONTUNMAP,
	}
}

// AdviceNames are the values of madvise(2).
func AdviceNames() FlagSet {
	return FlagSet{
		"normal": unix.MADV_NORMAL, "random": unix.MADV_RANDOM, "sequential": unix.MADV_SEQUENTIAL,
		"willneed": unix.MADV_WILLNEED, "dontneed": unix.MADV_DONTNEED, "free": unix.MADV_FREE,
		"remove": unix.MADV_REMOVE, "dontfork": unix.MADV_DONTFORK, "dofork": unix.MADV_DOFORK,
		"mergeable": unix.MADV_MERGEABLE, "unmergeable": unix.MADV_UNMERGEABLE,
		"hugepage": unix.MADV_HUGEPAGE, "nohugepage": unix.MADV_NOHUGEPAGE,
		"dontdump": unix.MADV_DONTDUMP, "dodump": unix.MADV_DODUMP,
		"wipeonfork": unix.MADV_WIPEONFORK, "keeponfork": unix.MADV_KEEPONFORK,
		"cold": unix.MADV_COLD, "pageout": unix.MADV_PAGEOUT,
		"populate_read": unix.MADV_POPULATE_READ, "populate_write": unix.MADV_POPULATE_WRITE,
		"dontneed_locked": unix.MADV_DONTNEED_LOCKED, "collapse": unix.MADV_COLLAPSE,
		"guard_install": unix.MADV_GUARD_INSTALL, "guard_remove": unix.MADV_GUARD_REMOVE,
	}
}

// Mlock2Names are the flags of mlock2(2).
func Mlock2Names() FlagSet { return FlagSet{"onfault": unix.MLOCK_ONFAULT} }

// MlockallNames are the flags of mlockall(2).
func MlockallNames() FlagSet {
	return FlagSet{"current": unix.MCL_CURRENT, "future": unix.MCL_FUTURE, "onfault": unix.MCL_ONFAULT}
}

// RemapNames are the flags of remap_file_pages(2).
func RemapNames() FlagSet { return FlagSet{"nonblock": unix.MAP_NONBLOCK} }

// SealNames are the seals of a memfd, fcntl(2).
func SealNames() FlagSet {
	return FlagSet{
		"seal": unix.F_SEAL_SEAL, "shrink": unix.F_SEAL_SHRINK, "grow": unix.F_SEAL_GROW,
		"write": unix.F_SEAL_WRITE, "future_write": unix.F_SEAL_FUTURE_WRITE,
	}
}

// LimitNames are the resources of setrlimit(2).
func LimitNames() FlagSet {
	return FlagSet{
		"as": unix.RLIMIT_AS, "data": unix.RLIMIT_DATA, "memlock": unix.RLIMIT_MEMLOCK,
		"stack": unix.RLIMIT_STACK, "fsize": unix.RLIMIT_FSIZE,
	}
}
