// Package mmap is golang.org/x/exp/mmap on package memmap: the same exported API.
// Change the import path, and nothing else.
//
// What is better:
//
//   - A fault is an error. ReadAt of a file that was truncated, or on a disk that
//     is broken, says how many bytes were good, where it stopped, and why. With
//     the original the process dies.
//   - At has no error to return: it panics with the error, which names file,
//     offset and cause, and can be recovered.
//   - Close may be called while others read: they get an error for which
//     errors.Is(err, fs.ErrClosed) holds, or a panic with it from At.
//   - Errors name the file.
//
// What is the same: Open maps the whole file for reading, as long as it is then;
// an empty file, or a device without a length, is an empty reader; ReadAt beyond
// the end is an error and not io.EOF; At panics as indexing a slice does; closing
// twice is no error; a reader that was lost without Close is closed by the garbage
// collector some time later. That can't hurt, since no method hands out the
// memory.
//
// What costs more: opening and closing takes about twice as long, an open reader
// holds a file descriptor, and At takes some nanoseconds, since each call is
// guarded: to look at many bytes, read them with one ReadAt. Check with
//
//	go test -run none -bench . ./compat/exp/mmap
//	cd compat/difftest && go test -run none -bench Open .
//
// On Windows, where the original maps the file, this package reads it into
// memory: see the platforms in package memmap.
package mmap

import (
	"errors"
	"io"
	"os"
	"runtime"

	"github.com/memmap-go/memmap"
)

// ReaderAt reads a memory-mapped file. It may be used by many goroutines at once,
// and closed while they read.
type ReaderAt struct {
	m       *memmap.Mapping // nil in the zero value, which is a closed reader
	size    int64
	cleanup runtime.Cleanup
}

// Open maps the named file for reading. Errors of opening are those of os.Open.
func Open(filename string) (*ReaderAt, error) {
	m, err := memmap.Open(filename, nil)
	if err != nil {
		m, err = openEmpty(filename, err)
	}
	if err != nil {
		return nil, err
	}
	r := &ReaderAt{m: m, size: m.Len()}
	// There is nobody to tell what Close says.
	r.cleanup = runtime.AddCleanup(r, func(m *memmap.Mapping) { _ = m.Close() }, m)
	return r, nil
}

// openEmpty is for what can't be mapped. If it can be opened and has no length, as
// /dev/null, it is an empty reader all the same.
func openEmpty(filename string, mapErr error) (*memmap.Mapping, error) {
	f, err := os.Open(filename)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if info.Size() != 0 {
		return nil, mapErr
	}
	return memmap.Anonymous(0, &memmap.AnonConfig{Name: filename})
}

// Close closes the reader. Closing again does nothing.
func (r *ReaderAt) Close() error {
	if r.m == nil {
		return nil
	}
	r.cleanup.Stop()
	if err := r.m.Close(); !errors.Is(err, memmap.ErrClosed) {
		return err
	}
	return nil
}

// Len returns the length of the file when it was opened; 0 after Close.
func (r *ReaderAt) Len() int {
	if r.m == nil {
		return 0
	}
	return int(r.m.Len())
}

// At returns the byte at index i. It panics with a runtime error if there is no
// such byte, also after Close, and with a *memmap.Error if it can't be read.
func (r *ReaderAt) At(i int) byte {
	var b []byte
	if r.m != nil {
		b = r.m.Bytes()
	}
	_ = &b[i] // checks the index, and doesn't touch the byte
	var c [1]byte
	_, err := r.m.ReadAt(c[:], int64(i))
	runtime.KeepAlive(r)
	if err != nil {
		panic(err)
	}
	return c[0]
}

// ReadAt implements io.ReaderAt. Beyond the end of the file it fails with
// memmap.ErrRange; after Close, with memmap.ErrClosed.
func (r *ReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if r.m == nil {
		return 0, &memmap.Error{Op: "read", Off: off, Len: int64(len(p)), Err: memmap.ErrClosed}
	}
	n, err := r.m.ReadAt(p, off)
	runtime.KeepAlive(r)
	if err == io.EOF && off > r.size {
		err = &memmap.Error{Op: "read", Name: r.m.Name(), Off: off, Len: int64(len(p)), Err: memmap.ErrRange}
	}
	return n, err
}
