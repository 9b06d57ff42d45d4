package memmap

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/memmap-go/memmap/internal/sys"
)

// SyncLevel says what SyncRange waits for. Each level includes those below it.
// SyncInvalidate can be added to any.
//
//	level          Linux                            other Unix     macOS
//	SyncDurable    msync(MS_SYNC), fsync            the same       msync, F_FULLFSYNC
//	SyncWritten    msync(MS_SYNC)                   the same       the same
//	SyncStarted    sync_file_range, msync(MS_ASYNC) msync(MS_ASYNC) msync(MS_ASYNC)
//
// Linux is tested; the other columns are what the code asks of systems that it is
// only compiled for.
type SyncLevel uint8

const (
	// SyncDurable: the stores survive a power failure, and so does the size
	// of the file. A new file also needs its directory synced.
	SyncDurable SyncLevel = iota

	// SyncWritten: the pages were written. On Linux this is fdatasync of the
	// range, which makes the bytes durable, but not, say, the times.
	SyncWritten

	// SyncStarted: writing has begun, nothing is promised. An error of the
	// disk is reported by a later Sync.
	SyncStarted

	// SyncInvalidate asks for other mappings of the file to be brought up to
	// date. Where the page cache is shared by all, as on Linux, they always
	// are; it then only reports locked pages, with EBUSY.
	SyncInvalidate SyncLevel = 1 << 7
)

func (l SyncLevel) String() string {
	names := []string{"durable", "written", "started"}
	level := l &^ SyncInvalidate
	if int(level) >= len(names) {
		return fmt.Sprintf("SyncLevel(%d)", uint8(l))
	}
	if l&SyncInvalidate != 0 {
		return names[level] + "|invalidate"
	}
	return names[level]
}

// Sync makes all stores into a shared mapping durable. See SyncDurable. A private
// mapping is an error (ErrPrivate), since its stores never reach the file. In a
// part that was unmapped there is nothing to write: it reports ErrUnmapped after
// it has written the rest.
//
// An error of the disk is reported once, to one of the callers who sync the
// file: after it, what the disk holds is unknown.
func (m *Mapping) Sync() error {
	return m.sync("sync", 0, wholeLen, SyncDurable)
}

// wholeLen stands for the length that the mapping has when it is looked at.
const wholeLen = -1

// SyncRange does the same for the pages that hold the range [off, off+n), which
// need not be aligned, up to the given level.
//
// Source: msync(2), mm/msync.c; sync_file_range(2).
func (m *Mapping) SyncRange(off, n int64, level SyncLevel) error {
	if n < 0 {
		return m.fail("sync", off, n, ErrRange)
	}
	return m.sync("sync", off, n, level)
}

// sync takes no lock: writing may take long, and Close must not wait for it.
func (m *Mapping) sync(op string, off, n int64, level SyncLevel) error {
	for {
		v, err := m.syncView(off, n, level)
		switch now := m.now.Load(); {
		case now == nil && (err == nil || errors.Is(err, fs.ErrClosed)):
			// What was asked to be written may have been the inaccessible
			// memory that took its place.
			err = ErrClosed
		case err == nil && now.pages.addr != v.pages.addr:
			continue // the same, after a move
		}
		if err != nil {
			return m.fail(op, off, max(n, 0), err)
		}
		return nil
	}
}

// syncView syncs what is mapped at the moment, and returns it.
func (m *Mapping) syncView(off, n int64, level SyncLevel) (*view, error) {
	v, err := m.view()
	if err != nil {
		return nil, err
	}
	if n == wholeLen {
		n = int64(len(v.data))
	}
	lo, hi, err := v.pagesOf(off, n)
	switch {
	case err != nil:
		return nil, err
	case m.flags&sys.Shared == 0:
		return nil, ErrPrivate
	case level&^SyncInvalidate > SyncStarted:
		return nil, invalid("no such level: %v", level)
	}
	return v, m.writeBack(v, lo, hi, level)
}

func (m *Mapping) writeBack(v *view, lo, hi int64, level SyncLevel) error {
	var how sys.SyncFlags
	if level&SyncInvalidate != 0 {
		how = sys.SyncInvalidate
		level &^= SyncInvalidate
	}
	if level == SyncStarted {
		how |= sys.SyncStart
	} else {
		how |= sys.SyncWait
	}
	err := v.each(lo, hi, func(r run, p span) error {
		if level == SyncStarted {
			if err := m.startWriteback(r); err != nil {
				return err
			}
		}
		return sys.SyncRange(p.addr, p.n, how)
	})
	if level == SyncDurable && (err == nil || err == ErrUnmapped) {
		err = joined(pathCause(m.file.Sync()), err)
	}
	return err
}

// startWriteback asks the file, since MS_ASYNC asks for nothing any more. It
// goes through the file's own lock, for Close may come in between.
func (m *Mapping) startWriteback(r run) error {
	conn, err := m.file.SyscallConn()
	if err != nil {
		return pathCause(err)
	}
	var started error
	err = conn.Control(func(fd uintptr) { started = sys.StartWriteback(int(fd), r.fileOff, r.n) })
	switch {
	case err != nil:
		return fs.ErrClosed // there is no other reason, but Control has its own word for it
	case started == sys.ESPIPE:
		return nil // a device: nothing to start
	}
	return started
}
