package main

import (
	"errors"
	"os"
	"sync"

	"github.com/dgraph-io/ristretto/v2/z"
	edsrzf "github.com/edsrzf/mmap-go"
	"golang.org/x/sys/unix"

	"github.com/memmap-go/memmap"
)

// Logs that one goroutine appends records to while others read what is there
// already.

const (
	recordSize = 64
	growStep   = 64 << 20 // how much ours grows by; the others begin with it, and double
)

type log interface {
	// append adds a record. It is called by one goroutine.
	append(rec []byte) error

	// read copies what stands at an offset. The range was appended before.
	read(p []byte, off int64) error

	close() error
}

// A maker makes a log in a new file, that will have at most limit bytes and grows
// by step, or from step on.
type maker func(name string, step, limit int64) (log, error)

// inPlace is ours: a mapping that grows in place, so that no one waits.
type inPlace struct {
	m               *memmap.Mapping
	end, room, step int64
	huge            bool // ask for transparent huge pages
}

func newInPlace(name string, step, limit int64) (log, error) {
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		return nil, err
	}
	m, err := memmap.Open(name, &memmap.FileConfig{Prot: memmap.Read | memmap.Write, MaxLen: limit})
	return &inPlace{m: m, step: step}, err
}

// stored is inPlace too, but stores into the bytes themselves, all in one Guard.
type stored struct {
	inPlace
	b []byte
}

func newStored(name string, step, limit int64) (log, error) {
	l, err := newInPlace(name, step, limit)
	return &stored{inPlace: *l.(*inPlace)}, err
}

func (l *stored) append(rec []byte) error {
	if l.end+int64(len(rec)) > l.room {
		if err := l.grow(); err != nil {
			return err
		}
		l.b = l.m.Bytes()
	}
	l.end += int64(copy(l.b[l.end:], rec))
	return nil
}

func (l *stored) guard(fn func() error) error { return memmap.Guard(fn, l.m) }

// newHuge is inPlace with transparent huge pages: fewer faults, but the kernel then
// writes back 2 MiB for each byte that is synced.
func newHuge(name string, step, limit int64) (log, error) {
	l, err := newInPlace(name, step, limit)
	if err == nil {
		l.(*inPlace).huge = true
	}
	return l, err
}

// newGrown is inPlace with all of it grown before anything is appended: the control
// for what growing costs.
func newGrown(name string, _, limit int64) (log, error) {
	l, err := newInPlace(name, limit, limit)
	if err != nil {
		return nil, err
	}
	return l, l.(*inPlace).grow()
}

func (l *inPlace) append(rec []byte) error {
	if l.end+int64(len(rec)) > l.room {
		if err := l.grow(); err != nil {
			return err
		}
	}
	_, err := l.m.WriteAt(rec, l.end)
	l.end += int64(len(rec))
	return err
}

func (l *inPlace) grow() error {
	l.room += l.step
	err := l.m.Grow(l.room)
	if err == nil && l.huge {
		err = l.m.Advise(l.room-l.step, l.step, memmap.HugePage)
	}
	return err
}

func (l *inPlace) read(p []byte, off int64) error {
	_, err := l.m.ReadAt(p, off)
	return err
}

func (l *inPlace) close() error { return l.m.Close() }

// remapped unmaps, and maps twice as much.
type remapped struct {
	mu  sync.RWMutex // held by readers, and to grow
	f   *os.File
	b   edsrzf.MMap
	end int
}

func newRemapped(name string, step, _ int64) (log, error) {
	f, err := newFile(name, step)
	if err != nil {
		return nil, err
	}
	b, err := edsrzf.Map(f, edsrzf.RDWR, 0)
	return &remapped{f: f, b: b}, err
}

func (l *remapped) append(rec []byte) error {
	if l.end+len(rec) > len(l.b) {
		if err := l.grow(); err != nil {
			return err
		}
	}
	l.end += copy(l.b[l.end:], rec)
	return nil
}

func (l *remapped) grow() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 2 * int64(len(l.b))
	if err := errors.Join(l.b.Unmap(), l.f.Truncate(n)); err != nil {
		return err
	}
	b, err := edsrzf.Map(l.f, edsrzf.RDWR, 0)
	l.b = b
	return err
}

func (l *remapped) read(p []byte, off int64) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	copy(p, l.b[off:])
	return nil
}

func (l *remapped) close() error { return errors.Join(l.b.Unmap(), l.f.Close()) }

// moved lets mremap(2) move the pages to where there is room for twice as much.
type moved struct {
	mu  sync.RWMutex // held by readers, and to grow
	f   *os.File
	b   []byte
	end int
}

func newMoved(name string, step, _ int64) (log, error) {
	f, err := newFile(name, step)
	if err != nil {
		return nil, err
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(step), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return &moved{f: f, b: b}, err
}

func (l *moved) append(rec []byte) error {
	if l.end+len(rec) > len(l.b) {
		if err := l.grow(); err != nil {
			return err
		}
	}
	l.end += copy(l.b[l.end:], rec)
	return nil
}

func (l *moved) grow() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 2 * len(l.b)
	if err := l.f.Truncate(int64(n)); err != nil {
		return err
	}
	b, err := unix.Mremap(l.b, n, unix.MREMAP_MAYMOVE)
	if err == nil {
		l.b = b
	}
	return err
}

func (l *moved) read(p []byte, off int64) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	copy(p, l.b[off:])
	return nil
}

func (l *moved) close() error { return errors.Join(unix.Munmap(l.b), l.f.Close()) }

// ristretto is its mapped file. It grows by itself, twice as large, and syncs
// what it had before that.
type ristretto struct {
	mu  sync.RWMutex // held by readers, and to grow
	f   *z.MmapFile
	end int
}

func newRistretto(name string, step, _ int64) (log, error) {
	f, err := z.OpenMmapFile(name, os.O_RDWR|os.O_CREATE, int(step))
	if err != z.NewFile {
		return nil, errors.Join(err, errors.New("not a new file"))
	}
	return &ristretto{f: f}, nil
}

// append uses the first four bytes for the length, as AllocateSlice does.
func (l *ristretto) append(rec []byte) error {
	n := len(rec) - 4
	if l.end+len(rec) > len(l.f.Data) {
		l.mu.Lock()
		defer l.mu.Unlock()
	}
	b, end, err := l.f.AllocateSlice(n, l.end)
	if err != nil {
		return err
	}
	copy(b, rec[4:])
	l.end = end
	return nil
}

func (l *ristretto) read(p []byte, off int64) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	copy(p, l.f.Data[off:])
	return nil
}

// close leaves out the syncing that ristretto's Close begins with: none of the
// others does it.
func (l *ristretto) close() error { return errors.Join(z.Munmap(l.f.Data), l.f.Fd.Close()) }

// newFile makes a file of n bytes, all of them a hole.
func newFile(name string, n int64) (*os.File, error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(n); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
