package mmap

import (
	"errors"

	"github.com/memmap-go/memmap"
)

// Lock loads the memory and keeps it from being swapped out. RLIMIT_MEMLOCK
// bounds what an ordinary user may lock.
func (m MMap) Lock() error {
	if len(m) == 0 {
		return nil
	}
	mapping, off, err := live.find("lock", m)
	if err != nil {
		return err
	}
	return mapping.Lock(off, int64(len(m)), memmap.LockNow)
}

// Unlock lets the memory be swapped out again. On Linux, unlocking what isn't
// locked is no error.
func (m MMap) Unlock() error {
	if len(m) == 0 {
		return nil
	}
	mapping, off, err := live.find("unlock", m)
	if err != nil {
		return err
	}
	return mapping.Unlock(off, int64(len(m)))
}

// Flush writes what was stored in the memory to the disk, and waits for it:
// msync(MS_SYNC), as the original does. Any part can be flushed; the original
// wants one that begins at a page. Of a COPY or anonymous mapping nothing is
// written, and that is no error.
func (m MMap) Flush() error {
	mapping, off, err := live.find("sync", m)
	if err != nil {
		return err
	}
	err = mapping.SyncRange(off, int64(len(m)), memmap.SyncWritten)
	if errors.Is(err, memmap.ErrPrivate) {
		return nil
	}
	return err
}

// Unmap ends the mapping and sets m to nil, also if it fails. Nothing is flushed,
// and nothing is lost: stores are in the page cache (see Flush). Other slices of
// the memory fault from then on, and for some seconds at least nothing else is
// mapped there.
//
// Only the slice that Map returned can be unmapped, once, through whatever
// variable. A part of it, another slice, and one that was unmapped are errors
// (EINVAL), and no mapping is touched.
func (m *MMap) Unmap() error {
	b := *m
	*m = nil
	mapping, err := live.remove(b)
	if err != nil {
		return err
	}
	return mapping.Close()
}
