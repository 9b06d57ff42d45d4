package mmap

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/memmap-go/memmap"
)

var page = os.Getpagesize()

// makeFile makes a file of n bytes and returns its name and its content.
func makeFile(t testing.TB, n int) (string, []byte) {
	t.Helper()
	content := make([]byte, n)
	for i := range content {
		content[i] = byte(i ^ i>>8)
	}
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name, content
}

// mustOpen opens a file until the test ends.
func mustOpen(t testing.TB, name string) *ReaderAt {
	t.Helper()
	r, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// panicOf returns what At panics with.
func panicOf(r *ReaderAt, i int) (err error) {
	defer func() { err, _ = recover().(error) }()
	r.At(i)
	return nil
}

func TestOpen(t *testing.T) {
	for _, n := range []int{0, 1, 100, page, 3*page + 7} {
		name, want := makeFile(t, n)
		r := mustOpen(t, name)
		if r.Len() != n {
			t.Errorf("got length %d, want %d", r.Len(), n)
		}
		if err := iotest.TestReader(io.NewSectionReader(r, 0, int64(n)), want); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		for i := range want {
			if r.At(i) != want[i] {
				t.Fatalf("byte %d is %#x, want %#x", i, r.At(i), want[i])
			}
		}
	}
}

// TestReadAt reads at the edges of a file of 100 bytes.
func TestReadAt(t *testing.T) {
	name, _ := makeFile(t, 100)
	r := mustOpen(t, name)
	tests := []struct {
		off  int64
		p, n int
		err  error
	}{
		{0, 100, 100, nil},
		{0, 101, 100, io.EOF},
		{99, 1, 1, nil},
		{100, 0, 0, nil},
		{100, 1, 0, io.EOF},
		{101, 0, 0, memmap.ErrRange},
		{101, 1, 0, memmap.ErrRange},
		{-1, 1, 0, memmap.ErrRange},
		{1<<63 - 1, 1, 0, memmap.ErrRange},
	}
	for _, tt := range tests {
		n, err := r.ReadAt(make([]byte, tt.p), tt.off)
		if n != tt.n || !errors.Is(err, tt.err) || tt.err == io.EOF && err != io.EOF {
			t.Errorf("%d bytes at %d: got %d, %v; want %d, %v", tt.p, tt.off, n, err, tt.n, tt.err)
		}
	}
}

func TestAtOutOfRange(t *testing.T) {
	name, _ := makeFile(t, 3)
	r := mustOpen(t, name)
	for _, i := range []int{-1, 3, 1 << 30} {
		if err, ok := panicOf(r, i).(runtime.Error); !ok || !strings.Contains(err.Error(), "index out of range") {
			t.Errorf("At(%d): got panic %v", i, err)
		}
	}
}

func TestClose(t *testing.T) {
	for _, n := range []int{0, 100} {
		name, _ := makeFile(t, n)
		r := mustOpen(t, name)
		for range 2 {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
		wantClosed(t, r)
	}
	wantClosed(t, new(ReaderAt))
	if err := new(ReaderAt).Close(); err != nil {
		t.Error(err)
	}
}

func wantClosed(t *testing.T, r *ReaderAt) {
	t.Helper()
	if n, err := r.ReadAt(make([]byte, 1), 0); n != 0 || !errors.Is(err, fs.ErrClosed) {
		t.Errorf("ReadAt after Close: got %d, %v", n, err)
	}
	if r.Len() != 0 {
		t.Errorf("got length %d after Close", r.Len())
	}
	if err, ok := panicOf(r, 0).(runtime.Error); !ok {
		t.Errorf("At after Close: got panic %v", err)
	}
}

// TestOpenErrors wants errors of package os as they are: os.IsNotExist, which is
// older than wrapping, looks no deeper.
func TestOpenErrors(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "missing"))
	if !os.IsNotExist(err) {
		t.Errorf("got error %v (%T)", err, err)
	}
	if r, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: got %v, error %v", r, err)
	}
}

// TestDevice opens what programs pass for no file at all.
func TestDevice(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Linux only")
	}
	r := mustOpen(t, os.DevNull)
	if n, err := r.ReadAt(make([]byte, 1), 0); r.Len() != 0 || n != 0 || err != io.EOF {
		t.Errorf("got %d bytes of %d, %v", n, r.Len(), err)
	}
}

// TestTruncated cuts the file to one page and a half.
func TestTruncated(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Linux only")
	}
	name, want := makeFile(t, 4*page)
	r := mustOpen(t, name)
	if err := os.Truncate(name, int64(page+page/2)); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 4*page)
	n, err := r.ReadAt(p, 0)
	if n != 2*page || !bytes.Equal(p[:page], want[:page]) {
		t.Errorf("got %d bytes, want the %d of two pages", n, 2*page)
	}
	wantTruncated(t, err, name)
	wantTruncated(t, panicOf(r, 2*page), name)
	if r.Len() != 4*page || r.At(page) != want[page] {
		t.Error("what remains is not as it was")
	}
}

func wantTruncated(t *testing.T, err error, name string) {
	t.Helper()
	e := new(memmap.Error)
	if !errors.As(err, &e) || !errors.Is(err, memmap.ErrTruncated) || e.Name != name || e.Off != int64(2*page) {
		t.Errorf("got %v, want ErrTruncated of %s at %d", err, name, 2*page)
	}
}

// TestCloseBesideReaders closes while others read. They get all bytes or an error.
func TestCloseBesideReaders(t *testing.T) {
	name, want := makeFile(t, 4*page)
	for range 50 {
		r := mustOpen(t, name)
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				p := make([]byte, len(want))
				for {
					_, err := r.ReadAt(p, 0)
					switch {
					case errors.Is(err, fs.ErrClosed):
						return
					case err != nil || !bytes.Equal(p, want):
						t.Errorf("got wrong bytes, or error %v", err)
						return
					}
				}
			})
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		readers.Wait()
	}
}

// TestLost loses readers, and waits until the garbage collector has closed them.
func TestLost(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Linux only")
	}
	name, _ := makeFile(t, page)
	for range 100 {
		if _, err := Open(name); err != nil {
			t.Fatal(err)
		}
	}
	var left int
	for range 200 {
		runtime.GC()
		if left = mappings(t, name); left == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d of 100 lost readers are still mapped", left)
}

// mappings counts the areas of this process that show a file.
func mappings(t *testing.T, name string) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(maps, []byte(name+"\n"))
}

// TestKept makes sure that a reader in use is never closed.
func TestKept(t *testing.T) {
	name, want := makeFile(t, 16*page)
	done := make(chan bool)
	go func() {
		defer close(done)
		for range 20 {
			runtime.GC()
		}
	}()
	p := make([]byte, len(want))
	for {
		r, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.ReadAt(p, 0); err != nil { // the last use of r
			t.Fatal(err)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

func BenchmarkAt(b *testing.B) {
	name, _ := makeFile(b, page)
	r := mustOpen(b, name)
	i := 0
	for b.Loop() {
		r.At(i % page)
		i++
	}
}

func BenchmarkReadAt(b *testing.B) {
	name, _ := makeFile(b, page)
	r := mustOpen(b, name)
	p := make([]byte, 64)
	for b.Loop() {
		if _, err := r.ReadAt(p, 0); err != nil {
			b.Fatal(err)
		}
	}
}
