// Package memmap maps files and memory into the address space of a Go program,
// and takes away what makes that dangerous there: crashes, stale slices, lost
// data.
//
// For most uses, [Open] a file, use [Mapping.ReadAt] and [Mapping.WriteAt], make
// it durable with [Mapping.Sync], and [Mapping.Close] it:
//
//	m, err := memmap.Open("data", &memmap.FileConfig{Prot: memmap.Read | memmap.Write})
//
// # Kinds
//
// A mapping shows a part of a file, or memory that belongs to none (anonymous).
// Stores into it are seen by all who map or read the file (shared), or stay in
// this mapping (private): then a page is copied before the first store into it.
//
//	           file                                             anonymous
//	private    Open(name, &FileConfig{Private: true, Prot: …})  Anonymous(n, nil)
//	shared     Open(name, nil)                                  Anonymous(n, &AnonConfig{Shared: true})
//
// [MapRange] maps any part of a file, from any byte on. [Reserve] gives address
// space in which mappings are placed side by side. [MapPages] shows pages of a
// file in any order, [Mirror] the same memory twice in a row, for ring buffers.
//
// # Faults
//
// Touching a mapped page can fail: the file was truncated, the disk is full or
// broken, the mapping was closed, the page protected. The processor reports a
// fault, the kernel sends a signal, and a Go program dies of it.
//
// Access comes in two sorts. Guarded access turns a fault into an error that
// says which byte it was and why: ReadAt, WriteAt, [Load], [Store], and any code
// that runs under [Guard]. Raw access is the memory itself: [Mapping.Bytes],
// [Pointer], [Slice]; a fault in it is a crash, unless it happens under Guard.
// A guarded copy costs a few nanoseconds more than a raw one; for many small
// accesses, put one Guard around them all.
//
// Guard can do what the Go runtime can. Copying, indexing, appending, conversion
// to strings, sorting, checksums, and map lookups recover. Sending mapped memory
// on a channel, storing into a map by a key that lies there, and C code don't;
// goroutines started inside are not covered. docs/guard.md has the whole list,
// with a test for each line.
//
// # Cold pages
//
// In a page fault a goroutine keeps its processor for as long as the disk takes:
// with GOMAXPROCS faults in flight the whole program stands still. Guarded copies
// (ReadAt, WriteAt, Load, Store, [Mapping.Scan]) look first whether the pages of
// a file are known to be in memory. If not, the kernel starts to read them, other
// goroutines run, and only then the copy waits. Who reads one page after the
// other is read ahead for, unless the advice is [Random]. On a single processor
// that is busy, a read of a cold page may therefore wait for a time slice of the
// scheduler, which is longer than the disk takes: FileConfig.NoYield switches it
// off. Raw access, and anonymous memory that was swapped out, wait in the fault.
//
// # Lifetime
//
// Close ends a mapping; the garbage collector never does, since it can't know
// about slices into mapped memory. A closed range becomes inaccessible in one
// step, and its addresses stay unused for some seconds: a slice that was kept too
// long faults, it doesn't read another file's bytes. Close may be called while
// others read: guarded access then reports [ErrClosed].
//
// In a [Region] it is the program that decides what comes where a mapping was, and
// when; a raw slice kept there sees what was placed next. Guarded copies don't,
// there too.
//
// All addresses come from large inaccessible reservations of the package's own.
// They cost no memory, but show in the process's virtual size.
//
// # Growth
//
// A mapping with FileConfig.MaxLen grows in place ([Mapping.Grow]): no address
// changes, no reader waits. Disk blocks are allocated first, so that a full disk
// is an error there. [Mapping.Resize] and [Mapping.Remap] change the mapping
// alone, as mremap(2) does.
//
// # Durability
//
// A store into a shared mapping is in the page cache at once, and survives the
// program, but not a power failure. [Mapping.Sync] makes it durable; for parts
// and weaker promises there is [Mapping.SyncRange], with the meaning of each
// [SyncLevel] by system.
//
// # Errors
//
// Every error is an [*Error], except io.EOF from ReadAt. It names the operation,
// the file, and the range, and works with errors.Is for the sentinels of this
// package and for the errno beneath. What the system, or this kernel, doesn't
// have is errors.ErrUnsupported. A hint may be ignored by the kernel; everything
// else is done or reported.
//
// # Platforms
//
// Linux is what this package is made for and tested on (amd64; other
// processors are compiled only). The other Unix systems are compiled, but not
// tested: mapping, protection, syncing, and guarded access use calls that they
// have; the rest is errors.ErrUnsupported. On Windows, Plan 9, and in
// WebAssembly, a read-only mapping is a copy of the file in ordinary memory, and
// everything else is errors.ErrUnsupported.
package memmap
