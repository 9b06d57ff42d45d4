package difftest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	ours "github.com/memmap-go/memmap/compat/exp/mmap"
	original "golang.org/x/exp/mmap"
)

// readerAt is a ReaderAt of either package.
type readerAt interface {
	io.ReaderAt
	At(i int) byte
	Len() int
	Close() error
}

var openers = []func(name string) (readerAt, error){
	func(name string) (readerAt, error) { return original.Open(name) },
	func(name string) (readerAt, error) { return ours.Open(name) },
}

// TestReaderAt does the same with both packages and wants the same report.
func TestReaderAt(t *testing.T) {
	names := []string{"/dev/null", "/proc/self/cmdline", t.TempDir(), filepath.Join(t.TempDir(), "missing"), "/proc/self/mem"}
	for _, n := range []int{0, 1, page, 2*page + 5} {
		names = append(names, makeFile(t, n))
	}
	for _, name := range names {
		want, got := report(openers[0](name)), report(openers[1](name))
		if want != got {
			t.Errorf("%s: the original says\n\t%s\nours says\n\t%s", name, want, got)
		}
	}
	want, got := report(new(original.ReaderAt), nil), report(new(ours.ReaderAt), nil)
	if want != got {
		t.Errorf("zero value: the original says\n\t%s\nours says\n\t%s", want, got)
	}
}

// report does all that can be done with a reader, before Close and after.
func report(r readerAt, err error) string {
	if err != nil {
		return fmt.Sprintf("open: %s, os.IsNotExist %v", outcome(err), os.IsNotExist(err))
	}
	text := ""
	for range 2 {
		n := r.Len()
		text += fmt.Sprintf("length %d;", n)
		for _, off := range []int{-1, 0, 1, n - 1, n, n + 1} {
			for _, size := range []int{0, 1, 2 * page} {
				p := make([]byte, size)
				got, err := r.ReadAt(p, int64(off))
				text += fmt.Sprintf(" %d at %d: %d %s %d;", size, off, got, ending(err), p[:min(got, 3)])
			}
			text += fmt.Sprintf(" At(%d): %v;", off, at(r, off))
		}
		text += fmt.Sprintf(" close %s;", outcome(r.Close()))
	}
	return text
}

func ending(err error) string {
	switch err {
	case nil, io.EOF:
		return fmt.Sprint(err)
	}
	return "error"
}

// at returns the byte at i, or the runtime error that At panics with.
func at(r readerAt, i int) (got any) {
	defer func() {
		if p := recover(); p != nil {
			var e runtime.Error
			if err, ok := p.(error); !ok || !errors.As(err, &e) {
				got = "another panic"
				return
			}
			got = e.Error()
		}
	}()
	return r.At(i)
}
