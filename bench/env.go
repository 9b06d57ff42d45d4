package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/memmap-go/memmap"
)

// env is where and how the works are done.
type env struct {
	dir      string // where files are made
	quick    bool   // everything small: to see that it runs, not how fast
	rounds   int
	progress io.Writer

	told  time.Time        // when tell wrote something
	files map[int64]string // those of dataFile, by size
	undo  []func() error   // what cleanUp calls
}

// tell shows what is being done, on one line, ten times a second at most: writing
// is work too.
func (e *env) tell(format string, args ...any) {
	if time.Since(e.told) > 100*time.Millisecond {
		fmt.Fprintf(e.progress, "\r\x1b[K"+format, args...)
		e.told = time.Now()
	}
}

// size chooses how much of a work is done.
func (e *env) size(full, quick int64) int64 {
	if e.quick {
		return quick
	}
	return full
}

// after has a function called when the work is done, the last one first.
func (e *env) after(fn func() error) { e.undo = append(e.undo, fn) }

func (e *env) cleanUp() error {
	var errs []error
	for _, fn := range slices.Backward(e.undo) {
		errs = append(errs, fn())
	}
	e.undo = nil
	return errors.Join(errs...)
}

// dataFile returns a file of n random bytes, on the disk: its blocks are written,
// not holes. Works share it, and don't write to it.
func (e *env) dataFile(n int64) (string, error) {
	if name, ok := e.files[n]; ok {
		return name, nil
	}
	name := filepath.Join(e.dir, "data-"+strconv.FormatInt(n, 10))
	f, err := os.Create(name)
	if err != nil {
		return "", err
	}
	if e.files == nil {
		e.files = map[int64]string{}
	}
	e.files[n] = name
	w := bufio.NewWriterSize(f, 1<<20)
	if _, err := io.CopyN(w, rand.NewChaCha8([32]byte{}), n); err != nil {
		return "", errors.Join(err, f.Close())
	}
	return name, errors.Join(w.Flush(), f.Sync(), f.Close())
}

// evict takes a file's pages out of the page cache, and sees to it that they are
// gone. Nobody may have them mapped.
func evict(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return err
	}
	// Pages that were used just now sit in a processor's own list, where the
	// first call may miss them.
	for range 10 {
		if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
			return err
		}
		left, err := residentPages(name)
		if err != nil || left == 0 {
			return err
		}
	}
	return unavailable{"pages can't be taken out of the page cache on this file system"}
}

// load does the opposite.
func load(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, struct{ io.Reader }{bufio.NewReaderSize(f, 1<<20)})
	return errors.Join(err, f.Close())
}

// residentPages counts the pages of a file that are in the page cache.
func residentPages(name string) (n int, err error) {
	m, err := memmap.Open(name, nil)
	if err != nil {
		return 0, err
	}
	resident, err := m.Resident(0, m.Len())
	for _, r := range resident {
		if r {
			n++
		}
	}
	return n, errors.Join(err, m.Close())
}
