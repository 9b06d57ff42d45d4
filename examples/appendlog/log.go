// Package appendlog is an append-only log of records in one file, the way a
// storage engine would use a mapping: it grows in place while others read, a
// record is either whole or not there, and what Sync has returned for survives
// the process, and a power failure.
//
// The file begins with a header, and the records follow each other:
//
//	header   "memlog01", then the length of the log that is known to be durable
//	record   length of the payload, CRC-32C of length and payload, payload
//	record   …
//	zeros    room to grow
//
// All numbers are little-endian. Zeros are no record: the checksum of a record
// without payload isn't zero.
//
// # After a crash
//
// The log ends before the first record that isn't whole: whose checksum is wrong,
// or which the end of the file cuts off. Such a record was never synced, unless it
// lies in the part that the header calls durable; then the disk has lost
// something, and Open fails rather than cut it away. What stands behind the end of
// the log is removed before anything is appended, so that no part of it can be
// taken for a record later.
package appendlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/memmap-go/memmap"
)

const (
	magic      = "memlog01"
	durableAt  = 8  // where in the file the durable length stands
	firstAt    = 16 // where the first record stands
	headLen    = 8  // of a record: length and checksum
	maxPayload = 1 << 30
	step       = 1 << 20 // the file grows by multiples of it
)

// What callers tell apart with errors.Is.
var (
	ErrCorrupt = errors.New("record is corrupt") // in the part that was synced
	ErrFull    = errors.New("log is full")       // as long as Open allows
	ErrNotLog  = errors.New("file is not a log") // and was left as it is

	errUnfinished = errors.New("appending was interrupted")
)

// Log is an append-only log. It may be used by many goroutines at once, but only by
// one process. No method that reads waits for one that writes.
type Log struct {
	m      *memmap.Mapping
	maxLen int64

	// end is where the next record will stand. What lies before it is whole and
	// never changes; so whoever loads end may read up to there.
	end atomic.Int64

	syncing sync.Mutex // held by whoever syncs; taken before mu
	mu      sync.Mutex // held by whoever changes the log
	durable int64      // what the header says; guarded by mu
	err     error      // why nothing can be appended any more; guarded by mu
}

// Open opens a log, or creates it if there is no file, and recovers it. It can grow
// to maxLen bytes: that costs address space, but no memory and no disk.
func Open(name string, maxLen int64) (*Log, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the mapping has a descriptor of its own
	m, err := memmap.Map(f, &memmap.FileConfig{Prot: memmap.Read | memmap.Write, MaxLen: maxLen})
	if err != nil {
		return nil, err
	}
	l := &Log{m: m, maxLen: maxLen}
	if err := l.recover(); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return l, nil
}

// recover finds the end of the log and removes what stands behind it. What is left
// is then made durable: it will be read, and whoever has read it may rely on it.
func (l *Log) recover() error {
	if err := l.create(); err != nil {
		return err
	}
	durable, err := memmap.Load[[8]byte](l.m, durableAt)
	if err != nil {
		return err
	}
	l.durable = int64(binary.LittleEndian.Uint64(durable[:]))
	if l.durable == 0 {
		if err := syncDir(filepath.Dir(l.m.Name())); err != nil {
			return err
		}
	}
	end, err := l.findEnd()
	if err != nil {
		return err
	}
	if end < l.durable {
		return l.corrupt(end)
	}
	if err := l.m.Truncate(end); err != nil {
		return err
	}
	l.end.Store(end)
	return l.Sync()
}

// create writes the header of a new log. A file that holds something else is left
// alone.
func (l *Log) create() error {
	head := make([]byte, min(l.m.Len(), firstAt))
	if _, err := l.m.ReadAt(head, 0); err != nil {
		return err
	}
	switch {
	case bytes.HasPrefix(head, []byte(magic)) && len(head) == firstAt:
		return nil
	case l.m.Len() > firstAt || !bytes.Equal(head, make([]byte, len(head))):
		return fmt.Errorf("%s: %w", l.m.Name(), ErrNotLog)
	}
	if err := l.m.Grow(firstAt); err != nil {
		return err
	}
	_, err := l.m.WriteAt([]byte(magic), 0)
	return err
}

// syncDir makes the name of a new file durable. Syncing the file doesn't.
func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// findEnd returns where the first record stands that isn't whole.
func (l *Log) findEnd() (int64, error) {
	end := int64(firstAt)
	err := memmap.Guard(func() error {
		for b := l.m.Bytes(); ; {
			rec, ok := decode(b[end:])
			if !ok {
				return nil
			}
			end += headLen + int64(len(rec))
		}
	}, l.m)
	return end, err
}

// Append adds a record and returns where it stands. It is there for readers at
// once, and durable after the next Sync. If there is no room for it, on the disk or
// within maxLen, the log stays as it is. After any other error nothing can be
// appended until the log is opened again.
func (l *Log) Append(rec []byte) (off int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return 0, l.err
	}
	if len(rec) > maxPayload {
		return 0, fmt.Errorf("%s: a record of %d bytes is too long", l.m.Name(), len(rec))
	}
	off = l.end.Load()
	next := off + headLen + int64(len(rec))
	if err := l.growTo(next); err != nil {
		return 0, err
	}
	b := l.m.Bytes()[off:next]
	l.err = errUnfinished // stands if it is rec that can't be read: then encode panics
	l.err = memmap.Guard(func() error {
		encode(b, rec)
		return nil
	}, l.m)
	if l.err != nil {
		return 0, l.err
	}
	l.end.Store(next)
	return off, nil
}

// growTo makes the file n bytes long at least. Disk blocks are allocated for it, no
// address changes, and no reader notices.
func (l *Log) growTo(n int64) error {
	switch {
	case n > l.maxLen:
		return fmt.Errorf("%s: %w: %d bytes, and no more than %d", l.m.Name(), ErrFull, n, l.maxLen)
	case n <= l.m.Len():
		return nil
	}
	steps := (n + step - 1) / step * step
	return l.m.Grow(min(steps, l.maxLen))
}

// Sync makes durable what has been appended before the call. Others may append
// meanwhile. If it fails, what the disk holds is unknown, and syncing again would
// not tell: nothing can be appended until the log is opened again.
func (l *Log) Sync() error {
	// One at a time: the system reports an error of the disk once, and whoever
	// syncs after that must hear of it.
	l.syncing.Lock()
	defer l.syncing.Unlock()
	if err := l.failure(); err != nil {
		return err
	}
	end := l.end.Load()
	err := l.m.Sync()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		err = l.setDurable(end)
	}
	if err != nil && l.err == nil {
		l.err = err
	}
	return err
}

func (l *Log) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// setDurable notes in the header how much is durable. The note itself reaches the
// disk with the next Sync; it may lag behind, since it only lets Open tell what
// was lost from what was never finished. mu is held.
func (l *Log) setDurable(end int64) error {
	if end <= l.durable {
		return nil
	}
	l.durable = end
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(end))
	return memmap.Store(l.m, durableAt, b)
}

// Read returns the record that stands at off. It is the memory of the log itself:
// it must not be changed, stays valid however the log grows, and is inaccessible
// after Close. Should the file be truncated by somebody, reading it faults: use
// Guard where that can happen.
func (l *Log) Read(off int64) ([]byte, error) {
	end := l.end.Load()
	b := l.m.Bytes() // after end: it is at least as long
	switch {
	case b == nil:
		return nil, fmt.Errorf("%s: %w", l.m.Name(), memmap.ErrClosed)
	case off < firstAt || off >= end:
		return nil, fmt.Errorf("%s: no record at %d: %w", l.m.Name(), off, memmap.ErrRange)
	}
	var rec []byte
	err := memmap.Guard(func() error {
		var ok bool
		if rec, ok = decode(b[off:end]); !ok {
			return l.corrupt(off)
		}
		return nil
	}, l.m)
	if err != nil {
		return nil, err
	}
	return rec, nil
}

// All ranges over the records from the first to the last, those that are appended
// meanwhile among them. They are as Read returns them. An error is the last that it
// yields.
func (l *Log) All() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for off := int64(firstAt); off < l.end.Load(); {
			rec, err := l.Read(off)
			if !yield(rec, err) || err != nil {
				return
			}
			off += headLen + int64(len(rec))
		}
	}
}

// Guard runs fn, and turns a fault in the memory of records into an error.
func (l *Log) Guard(fn func() error) error { return memmap.Guard(fn, l.m) }

// Close closes the log. It doesn't sync. Closing again reports memmap.ErrClosed.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = fmt.Errorf("%s: %w", l.m.Name(), memmap.ErrClosed)
	}
	return l.m.Close()
}

func (l *Log) corrupt(off int64) error {
	return fmt.Errorf("%s at %d: %w", l.m.Name(), off, ErrCorrupt)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode writes a record into b, which is as long as it needs.
func encode(b, payload []byte) {
	binary.LittleEndian.PutUint32(b, uint32(len(payload)))
	copy(b[headLen:], payload)
	binary.LittleEndian.PutUint32(b[4:], checksum(b[:4], b[headLen:]))
}

// decode returns the payload of the record that b begins with, if it is whole.
func decode(b []byte) (payload []byte, ok bool) {
	if len(b) < headLen {
		return nil, false
	}
	n := int64(binary.LittleEndian.Uint32(b))
	if n > maxPayload || n > int64(len(b)-headLen) {
		return nil, false
	}
	payload = b[headLen : headLen+n : headLen+n]
	return payload, binary.LittleEndian.Uint32(b[4:]) == checksum(b[:4], payload)
}

func checksum(length, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(length, castagnoli), castagnoli, payload)
}
