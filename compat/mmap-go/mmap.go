package mmap

import (
	"fmt"
	"os"
	"syscall"

	"github.com/memmap-go/memmap"
)

// What a mapping is for.
const (
	// RDONLY maps the memory for reading. A store into it is a fault.
	RDONLY = 0

	// RDWR maps the memory for reading and writing. Stores reach the file.
	RDWR = 1 << iota

	// COPY maps the memory copy-on-write: stores stay in the mapping, and the
	// file is never changed. It includes writing.
	COPY

	// EXEC lets the memory be executed. It is added to one of the others.
	EXEC
)

const (
	// ANON maps memory that belongs to no file.
	ANON = 1 << iota
)

// MMap is mapped memory. It is raw: a fault in it, because the file was truncated
// or MMap was unmapped, ends the program, as with the original. A slice of it can
// be locked, unlocked and flushed too, but not unmapped.
type MMap []byte

// Map maps an entire file, as long as it is now. f may be closed afterwards. An
// empty file is an error (EINVAL), as with the original. With ANON there is no
// length to be had: use MapRegion.
func Map(f *os.File, prot, flags int) (MMap, error) {
	return MapRegion(f, -1, prot, flags, 0)
}

// MapRegion maps length bytes of a file from an offset, which must be a multiple
// of the page size. They may reach beyond the end of the file; pages wholly
// beyond it fault until the file grows. A negative length stands for that of the
// whole file. With ANON, f is ignored and length must be positive.
func MapRegion(f *os.File, length int, prot, flags int, offset int64) (MMap, error) {
	if page := int64(os.Getpagesize()); offset%page != 0 {
		return nil, refuse(f, offset, int64(length), "offset must be a multiple of the page size, %d", page)
	}
	var m *memmap.Mapping
	var err error
	if flags&ANON != 0 {
		m, err = mapAnonymous(int64(length), prot)
	} else {
		m, err = mapFile(f, offset, int64(length), prot)
	}
	if err != nil {
		return nil, err
	}
	b := m.Bytes()
	live.add(b, m)
	return b, nil
}

func mapFile(f *os.File, off, n int64, prot int) (*memmap.Mapping, error) {
	if n < 0 {
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		n = info.Size()
	}
	if n == 0 {
		return nil, refuse(f, off, n, "there is nothing to map")
	}
	return memmap.MapRange(f, off, n, &memmap.FileConfig{Prot: protection(prot), Private: prot&COPY != 0})
}

// mapAnonymous maps private memory. The original's is shared, but with nobody: a
// Go program can't fork, and there is no descriptor to hand on.
func mapAnonymous(n int64, prot int) (*memmap.Mapping, error) {
	if n <= 0 {
		return nil, refuse(nil, 0, n, "anonymous memory needs a length")
	}
	return memmap.Anonymous(n, &memmap.AnonConfig{Prot: protection(prot)})
}

func protection(prot int) memmap.Prot {
	p := memmap.Read
	if prot&(RDWR|COPY) != 0 {
		p |= memmap.Write
	}
	if prot&EXEC != 0 {
		p |= memmap.Exec
	}
	return p
}

// refuse is EINVAL, with what is wrong.
func refuse(f *os.File, off, n int64, format string, args ...any) error {
	name := ""
	if f != nil {
		name = f.Name()
	}
	return &memmap.Error{Op: "map", Name: name, Off: off, Len: n, Err: invalid(format, args...)}
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", syscall.EINVAL, fmt.Sprintf(format, args...))
}
