package memmap_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/memmap-go/memmap"
)

// A file is read and written in memory, and made durable.
func Example() {
	name := tempFile("hello, world")
	defer os.Remove(name)

	m, err := memmap.Open(name, &memmap.FileConfig{Prot: memmap.Read | memmap.Write})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if _, err := m.WriteAt([]byte("HELLO"), 0); err != nil {
		log.Fatal(err)
	}
	if err := m.Sync(); err != nil {
		log.Fatal(err)
	}

	text, err := os.ReadFile(name)
	fmt.Printf("%s, %v", text, err)
	// Output: HELLO, world, <nil>
}

// A mapping that nothing is asked of is shared and read-only.
func ExampleOpen() {
	name := tempFile("some text")
	defer os.Remove(name)
	m, err := memmap.Open(name, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	text := make([]byte, 4)
	_, err = m.ReadAt(text, 5)
	fmt.Printf("%s %v\n", text, err)
	// Output: text <nil>
}

// The file may be closed; the mapping has a descriptor of its own.
func ExampleMap() {
	name := tempFile("still here")
	defer os.Remove(name)
	f, err := os.Open(name)
	check(err)
	m, err := memmap.Map(f, nil)
	check(err)
	defer m.Close()
	check(f.Close())

	fmt.Printf("%d bytes: %s\n", m.Len(), m.Bytes())
	// Output: 10 bytes: still here
}

// Any byte offset will do: alignment to pages is not the caller's business.
func ExampleMapRange() {
	name := tempFile("header|body|footer")
	defer os.Remove(name)
	f, err := os.Open(name)
	check(err)
	defer f.Close()

	m, err := memmap.MapRange(f, 7, 4, nil)
	check(err)
	defer m.Close()
	fmt.Printf("%s\n", m.Bytes())
	// Output: body
}

// Anonymous memory is zero at first, and given back by Close, not by the garbage
// collector.
func ExampleAnonymous() {
	m, err := memmap.Anonymous(64<<20, nil)
	check(err)
	defer m.Close()

	b := m.Bytes()
	b[1<<25] = 'x'
	fmt.Println(len(b), b[0], b[1<<25])
	// Output: 67108864 0 120
}

// Pages of a file can be shown in any order, and more than once.
func ExampleMapPages() {
	page := os.Getpagesize()
	name := tempFile(strings.Repeat("a", page) + strings.Repeat("b", page) + strings.Repeat("c", page))
	defer os.Remove(name)
	f, err := os.Open(name)
	check(err)
	defer f.Close()

	m, err := memmap.MapPages(f, []int64{2, 0, 2}, nil)
	check(err)
	defer m.Close()
	for b := range slices.Chunk(m.Bytes(), page) {
		fmt.Printf("%c", b[0])
	}
	// Output: cac
}

// A ring buffer in mirrored memory has no special case at its end.
func ExampleMirror() {
	n := os.Getpagesize()
	m, err := memmap.Mirror(int64(n), nil)
	check(err)
	defer m.Close()

	ring := m.Bytes()
	copy(ring[n-3:], "around the corner")
	fmt.Printf("%s\n", ring[:14])
	fmt.Printf("%s\n", ring[n-3:][:17])
	// Output:
	// und the corner
	// around the corner
}

// In a region, mappings lie side by side: here a header that is written anew, and
// the unchanged body of a file.
func ExampleReserve() {
	page := int64(os.Getpagesize())
	name := tempFile("body")
	defer os.Remove(name)
	body, err := os.Open(name)
	check(err)
	defer body.Close()

	r, err := memmap.Reserve(2 * page)
	check(err)
	defer r.Close()
	header, err := r.Anonymous(0, page, nil)
	check(err)
	_, err = r.MapRange(page, body, 0, 4, nil)
	check(err)
	_, err = header.WriteAt([]byte("header "), page-7)
	check(err)

	both := make([]byte, 11)
	_, err = r.ReadAt(both, page-7)
	fmt.Printf("%s, %v\n", both, err)
	// Output: header body, <nil>
}

// Code under Guard may use mapped memory like any other. If the file is cut short
// meanwhile, that is an error and no crash.
func ExampleGuard() {
	name := tempFile("soon to be gone")
	defer os.Remove(name)
	m, err := memmap.Open(name, nil)
	check(err)
	defer m.Close()

	sum := func() error {
		_, err := fmt.Printf("%08x\n", crc32.ChecksumIEEE(m.Bytes()))
		return err
	}
	check(memmap.Guard(sum, m))
	check(os.Truncate(name, 0))
	err = memmap.Guard(sum, m)
	fmt.Println(errors.Is(err, memmap.ErrTruncated))
	// Output:
	// 57c4c2fe
	// true
}

func ExampleLoad() {
	name := tempFile("\x01\x02\x03\x04")
	defer os.Remove(name)
	m, err := memmap.Open(name, nil)
	check(err)
	defer m.Close()

	// The offset need not be aligned.
	v, err := memmap.Load[[2]byte](m, 1)
	fmt.Println(v, err)
	_, err = memmap.Load[int64](m, 0)
	fmt.Println(errors.Is(err, memmap.ErrRange))
	// Output:
	// [2 3] <nil>
	// true
}

func ExampleStore() {
	m, err := memmap.Anonymous(64, nil)
	check(err)
	defer m.Close()

	type point struct{ X, Y float64 }
	check(memmap.Store(m, 16, point{1.5, -2}))
	p, err := memmap.Load[point](m, 16)
	fmt.Println(p, err)
	// Output: {1.5 -2} <nil>
}

// Atomic operations work on mapped memory, also between processes.
func ExamplePointer() {
	m, err := memmap.Anonymous(8, &memmap.AnonConfig{Shared: true})
	check(err)
	defer m.Close()

	counter, err := memmap.Pointer[atomic.Int64](m, 0)
	check(err)
	counter.Add(1)
	fmt.Println(counter.Add(1))
	// Output: 2
}

func ExampleSlice() {
	m, err := memmap.Anonymous(1<<20, nil)
	check(err)
	defer m.Close()

	samples, err := memmap.Slice[float32](m, 0, 1000)
	check(err)
	samples[999] = 0.5
	fmt.Println(len(samples), slices.Max(samples))
	// Output: 1000 0.5
}

// A mapping with room grows in place: slices into it stay valid.
func ExampleMapping_Grow() {
	name := tempFile("log:")
	defer os.Remove(name)
	m, err := memmap.Open(name, &memmap.FileConfig{Prot: memmap.Read | memmap.Write, MaxLen: 1 << 20})
	check(err)
	defer m.Close()

	start := m.Bytes()
	for _, line := range []string{" one", " two"} {
		end := m.Len()
		check(m.Grow(end + int64(len(line))))
		_, err := m.WriteAt([]byte(line), end)
		check(err)
	}
	text, err := os.ReadFile(name)
	fmt.Printf("%s, %s, %v\n", start, text, err)
	// Output: log:, log: one two, <nil>
}

// Remap makes a mapping longer even if it has to move for that. Nothing is copied.
func ExampleMapping_Remap() {
	m, err := memmap.Anonymous(1<<16, nil)
	check(err)
	defer m.Close()
	copy(m.Bytes(), "kept")

	check(m.Remap(64 << 20))
	fmt.Printf("%s %d\n", m.Bytes()[:4], m.Len()) // Bytes anew: it may have moved
	// Output: kept 67108864
}

// TakePages sets a snapshot aside, while the original goes on empty.
func ExampleMapping_TakePages() {
	m, err := memmap.Anonymous(1<<20, nil)
	check(err)
	defer m.Close()
	copy(m.Bytes(), "batch 1")

	full, err := m.TakePages()
	check(err)
	defer full.Close()
	copy(m.Bytes(), "next")
	fmt.Printf("%q %q\n", full.Bytes()[:8], m.Bytes()[:8])
	// Output: "batch 1\x00" "next\x00\x00\x00\x00"
}

// A second mapping of the same memory can be the one that may only be read.
func ExampleMapping_Alias() {
	m, err := memmap.Anonymous(4096, &memmap.AnonConfig{Shared: true})
	check(err)
	defer m.Close()
	reader, err := m.Alias()
	check(err)
	defer reader.Close()
	check(reader.Protect(0, reader.Len(), memmap.Read))

	copy(m.Bytes(), "news")
	fmt.Printf("%s\n", reader.Bytes()[:4])
	_, err = reader.WriteAt([]byte("fake"), 0)
	fmt.Println(errors.Is(err, memmap.ErrProtected))
	// Output:
	// news
	// true
}

// RemapPages turns two pages of a file around, in the mapping alone.
func ExampleMapping_RemapPages() {
	page := int64(os.Getpagesize())
	name := tempFile(strings.Repeat("1", int(page)) + strings.Repeat("2", int(page)))
	defer os.Remove(name)
	m, err := memmap.Open(name, nil)
	check(err)
	defer m.Close()

	check(m.RemapPages(0, page, page))
	check(m.RemapPages(page, page, 0))
	fmt.Printf("%s\n", m.Bytes()[page-3:page+3])
	// Output: 222111
}

// A part that was unmapped is a hole; the rest stays where it is.
func ExampleMapping_Unmap() {
	page := int64(os.Getpagesize())
	m, err := memmap.Anonymous(3*page, nil)
	check(err)
	defer m.Close()

	check(m.Unmap(page, page))
	_, err = m.ReadAt(make([]byte, 1), page)
	fmt.Println(errors.Is(err, memmap.ErrUnmapped))
	_, err = m.WriteAt([]byte("here"), 2*page)
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// Guard pages end a buffer: who runs over it faults at once.
func ExampleMapping_InstallGuard() {
	page := int64(os.Getpagesize())
	m, err := memmap.Anonymous(2*page, nil)
	check(err)
	defer m.Close()

	err = m.InstallGuard(page, page)
	if errors.Is(err, errors.ErrUnsupported) {
		err = m.Protect(page, page, memmap.None) // one area more, the same effect
	}
	check(err)
	n, err := m.WriteAt(make([]byte, 10), page-4)
	fmt.Println(n, errors.Is(err, memmap.ErrProtected))
	// Output: 4 true
}

// Prefault loads what will be needed soon, and gives up when that takes too long.
func ExampleMapping_Prefault() {
	name := tempFile(strings.Repeat("data", 1<<20))
	defer os.Remove(name)
	m, err := memmap.Open(name, nil)
	check(err)
	defer m.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	check(m.Prefault(ctx, 0, m.Len(), memmap.Read))
	resident, err := m.Resident(0, m.Len())
	fmt.Println(slices.Contains(resident, false), err)
	// Output: false <nil>
}

// Memory is handed to another process as a descriptor: through exec.Cmd's
// ExtraFiles, or over a Unix socket.
func ExampleMapping_File() {
	ours, err := memmap.Anonymous(4096, &memmap.AnonConfig{Shared: true, Name: "mailbox"})
	check(err)
	defer ours.Close()
	f, err := ours.File()
	check(err)
	defer f.Close()

	// What the other process does with it:
	theirs, err := memmap.Map(f, &memmap.FileConfig{Prot: memmap.Read | memmap.Write})
	check(err)
	defer theirs.Close()
	copy(theirs.Bytes(), "hello")

	fmt.Printf("%s\n", ours.Bytes()[:5])
	// Output: hello
}

// Every byte range can be synced, also one that isn't aligned to pages.
func ExampleMapping_SyncRange() {
	name := tempFile("balance: 0")
	defer os.Remove(name)
	m, err := memmap.Open(name, &memmap.FileConfig{Prot: memmap.Read | memmap.Write})
	check(err)
	defer m.Close()

	_, err = m.WriteAt([]byte("7"), 9)
	check(err)
	fmt.Println(m.SyncRange(9, 1, memmap.SyncWritten))
	// Output: <nil>
}

// Each field of a configuration is a request; its zero asks for nothing.
func ExampleFileConfig() {
	name := tempFile("template")
	defer os.Remove(name)
	m, err := memmap.Open(name, &memmap.FileConfig{
		Prot:     memmap.Read | memmap.Write,
		Private:  true, // stores stay in this process
		Populate: true, // and the pages are there before the first one
	})
	check(err)
	defer m.Close()
	copy(m.Bytes(), "TEMP")

	text, err := os.ReadFile(name)
	fmt.Printf("%s %s %v\n", m.Bytes(), text, err)
	// Output: TEMPlate template <nil>
}

func ExampleAnonConfig() {
	// A sparse table: 256 MiB of addresses, of which only touched pages cost
	// memory, and nothing is charged in advance.
	m, err := memmap.Anonymous(256<<20, &memmap.AnonConfig{NoReserve: true, Name: "table"})
	check(err)
	defer m.Close()

	check(memmap.Store(m, 1<<27, uint64(42)))
	v, err := memmap.Load[uint64](m, 1<<27)
	fmt.Println(v, err)
	// Output: 42 <nil>
}

// A file mapped into memory is a reader: whatever takes an io.ReaderAt takes it.
func ExampleMapping() {
	name := tempFile("\x00\x00\x00\x05hello")
	defer os.Remove(name)
	m, err := memmap.Open(name, nil)
	check(err)
	defer m.Close()

	var head [4]byte
	_, err = m.ReadAt(head[:], 0)
	check(err)
	body := make([]byte, binary.BigEndian.Uint32(head[:]))
	_, err = m.ReadAt(body, 4)
	fmt.Printf("%s %v\n", body, err)
	// Output: hello <nil>
}

// What lies in a region is replaced in one step; the old mapping is closed then.
func ExampleRegion() {
	page := int64(os.Getpagesize())
	r, err := memmap.Reserve(16 * page)
	check(err)
	defer r.Close()

	old, err := r.Anonymous(0, page, nil)
	check(err)
	_, err = r.Anonymous(0, page, nil)
	fmt.Println(errors.Is(err, memmap.ErrInUse))
	_, err = r.Anonymous(0, 2*page, &memmap.AnonConfig{Replace: true})
	fmt.Println(err, errors.Is(old.Close(), memmap.ErrClosed))
	// Output:
	// true
	// <nil> true
}

// Move brings a mapping to a chosen place, with what it holds.
func ExampleRegion_Move() {
	page := int64(os.Getpagesize())
	r, err := memmap.Reserve(4 * page)
	check(err)
	defer r.Close()
	m, err := memmap.Anonymous(page, nil)
	check(err)
	copy(m.Bytes(), "moved")

	m, err = r.Move(3*page, m)
	check(err)
	for at, placed := range r.Mappings() {
		fmt.Printf("page %d: %s\n", at/page, placed.Bytes()[:5])
	}
	// Output: page 3: moved
}

// Protect makes finished data read-only.
func ExampleProt() {
	m, err := memmap.Anonymous(4096, nil)
	check(err)
	defer m.Close()
	copy(m.Bytes(), "constant")

	check(m.Protect(0, m.Len(), memmap.Read))
	err = memmap.Store(m, 0, byte('k'))
	fmt.Println(memmap.Read|memmap.Write, errors.Is(err, memmap.ErrProtected))
	// Output: rw- true
}

// A secret should never be swapped out.
func ExampleLockMode() {
	secret, err := memmap.Anonymous(4096, &memmap.AnonConfig{Lock: memmap.LockNow})
	if err != nil {
		log.Fatal(err) // RLIMIT_MEMLOCK bounds what may be locked
	}
	defer secret.Close()

	copy(secret.Bytes(), "password")
	fmt.Println(secret.Len())
	// Output: 4096
}

// Huge pages come from a pool that the administrator fills. Where it is empty,
// ordinary pages do.
func ExampleHugePages() {
	m, err := memmap.Anonymous(4<<20, &memmap.AnonConfig{Huge: memmap.Huge2M})
	if err != nil {
		m, err = memmap.Anonymous(4<<20, nil)
	}
	check(err)
	defer m.Close()
	fmt.Println(m.Len())
	// Output: 4194304
}

func ExampleAdvice() {
	name := tempFile(strings.Repeat("scan me", 10000))
	defer os.Remove(name)
	m, err := memmap.Open(name, nil)
	check(err)
	defer m.Close()

	check(m.Advise(0, m.Len(), memmap.Sequential))
	fmt.Println(memmap.Sequential)
	// Output: sequential
}

// Discarding drops what memory holds, but keeps the memory.
func ExampleDiscarding() {
	m, err := memmap.Anonymous(1<<20, nil)
	check(err)
	defer m.Close()
	copy(m.Bytes(), "cache entry")

	check(m.Discard(0, m.Len(), memmap.DropPages))
	fmt.Println(m.Bytes()[0])
	// Output: 0
}

// The level says what a return without error means.
func ExampleSyncLevel() {
	name := tempFile("page")
	defer os.Remove(name)
	m, err := memmap.Open(name, &memmap.FileConfig{Prot: memmap.Read | memmap.Write})
	check(err)
	defer m.Close()

	for _, level := range []memmap.SyncLevel{memmap.SyncStarted, memmap.SyncWritten, memmap.SyncDurable} {
		fmt.Println(level, m.SyncRange(0, m.Len(), level))
	}
	// Output:
	// started <nil>
	// written <nil>
	// durable <nil>
}

// Sealed memory can't be cut short under its reader.
func ExampleSeals() {
	m, err := memmap.Anonymous(4096, &memmap.AnonConfig{Shared: true, Sealable: true})
	check(err)
	defer m.Close()

	check(m.Seal(memmap.SealShrink | memmap.SealGrow))
	err = m.Truncate(0)
	fmt.Println(errors.Is(err, fs.ErrPermission), m.Len())
	// Output: true 4096
}

// Before much memory is asked for, the system's policy can be.
func ExampleOvercommit() {
	policy, err := memmap.ReadOvercommit()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("1 MiB:", policy.Check(1<<20))
	if policy.Mode != memmap.OvercommitAlways {
		fmt.Println("all memory, twice:", policy.Check(2*(policy.Memory+policy.Swap)) != nil)
	}
}

func ExampleOvercommitMode() {
	fmt.Println(memmap.OvercommitHeuristic, memmap.OvercommitAlways, memmap.OvercommitNever)
	// Output: heuristic always never
}

// An Error says what failed where; errors.Is tells the cause.
func ExampleError() {
	m, err := memmap.Anonymous(4096, &memmap.AnonConfig{Name: "arena"})
	check(err)
	defer m.Close()

	_, err = m.WriteAt([]byte("too much"), 4090)
	var e *memmap.Error
	if errors.As(err, &e) {
		fmt.Println(e.Op, e.Name, e.Off, e.Len, errors.Is(err, memmap.ErrRange))
	}
	fmt.Println(err)
	// Output:
	// write arena 4090 8 true
	// memmap: write arena at 4090, 8 bytes: range lies outside the mapping
}

// check keeps the examples short.
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// tempFile writes a file for an example, which removes it, and returns its name.
func tempFile(text string) string {
	f, err := os.CreateTemp("", "example")
	check(err)
	_, err = f.WriteString(text)
	check(err)
	check(f.Close())
	return f.Name()
}
