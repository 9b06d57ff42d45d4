package mmap

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/memmap-go/memmap"
)

// needMappings skips a test on systems where package memmap only reads files.
func needMappings(t *testing.T) {
	t.Helper()
	switch runtime.GOOS {
	case "windows", "plan9", "js", "wasip1":
		t.Skip("this system has no mappings")
	}
}

var page = os.Getpagesize()

// makeFile makes a file of n bytes, each its offset in pages plus 1, and opens it.
func makeFile(t *testing.T, n, flag int) *os.File {
	t.Helper()
	content := make([]byte, n)
	for i := range content {
		content[i] = byte(i/page + 1)
	}
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, flag, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return f
}

// mustMap takes the results of Map or MapRegion. The test unmaps what it gets.
func mustMap(t *testing.T) func(MMap, error) MMap {
	return func(m MMap, err error) MMap {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantInvalid checks that an error is EINVAL, and that its text says why.
func wantInvalid(t *testing.T, err error, text string) {
	t.Helper()
	var e *memmap.Error
	if !errors.As(err, &e) || !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), text) {
		t.Errorf("got error %v, want EINVAL with %q", err, text)
	}
}

// faults reports whether a read of m[i] is a fault.
func faults(m []byte, i int) (yes bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if _, isFault := recover().(interface{ Addr() uintptr }); isFault {
			yes = true
		}
	}()
	touched = m[i]
	return false
}

var touched byte // keeps the compiler from leaving out a read

func contents(t *testing.T, f *os.File) []byte {
	t.Helper()
	b, err := os.ReadFile(f.Name())
	must(t, err)
	return b
}

func TestReadOnly(t *testing.T) {
	f := makeFile(t, 2*page+3, os.O_RDONLY)
	m := mustMap(t)(Map(f, RDONLY, 0))
	if !bytes.Equal(m, contents(t, f)) || cap(m) != len(m) {
		t.Errorf("got %d bytes, capacity %d, or other bytes than the file", len(m), cap(m))
	}
	must(t, m.Unmap())
	if m != nil {
		t.Error("m is not nil after Unmap")
	}
}

// TestStores stores one byte into each kind of mapping, and looks for it in the
// file.
func TestStores(t *testing.T) {
	needMappings(t)
	tests := []struct {
		name        string
		prot, flag  int
		inFile, bad bool
	}{
		{"RDWR", RDWR, os.O_RDWR, true, false},
		{"COPY", COPY, os.O_RDWR, false, false},
		{"COPY of a read-only file", COPY, os.O_RDONLY, false, false},
		{"COPY comes before RDWR", COPY | RDWR, os.O_RDWR, false, false},
		{"RDWR of a read-only file", RDWR, os.O_RDONLY, false, true},
		{"of a write-only file", RDONLY, os.O_WRONLY, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := makeFile(t, page, tt.flag)
			m, err := Map(f, tt.prot, 0)
			if tt.bad {
				if !errors.Is(err, syscall.EACCES) || m != nil {
					t.Errorf("got %d bytes and error %v, want EACCES", len(m), err)
				}
				return
			}
			must(t, err)
			m[9] = 'X'
			must(t, m.Flush())
			if got := contents(t, f)[9] == 'X'; got != tt.inFile {
				t.Errorf("store in the file: %v, want %v", got, tt.inFile)
			}
			must(t, m.Unmap())
		})
	}
}

// TestMapRegion maps parts of a file of three and a half pages.
func TestMapRegion(t *testing.T) {
	needMappings(t)
	size := 3*page + page/2
	tests := []struct {
		off    int64
		length int
		want   int    // length of the mapping
		bad    string // what the error says
	}{
		{0, page, page, ""},
		{int64(page), page, page, ""},
		{int64(2 * page), 10, 10, ""},
		{0, -1, size, ""},
		{int64(page), -1, size, ""}, // the length of the file, not what is left of it
		{0, 10 * page, 10 * page, ""},
		{1, page, 0, "multiple of the page size"},
		{int64(page / 2), -1, 0, "multiple of the page size"},
		{-int64(page), page, 0, "outside"},
		{0, 0, 0, "nothing to map"},
	}
	for _, tt := range tests {
		f := makeFile(t, size, os.O_RDONLY)
		m, err := MapRegion(f, tt.length, RDONLY, 0, tt.off)
		if tt.bad != "" {
			wantInvalid(t, err, tt.bad)
			continue
		}
		must(t, err)
		if len(m) != tt.want || m[0] != byte(int(tt.off)/page+1) {
			t.Errorf("%d bytes at %d: got %d bytes that begin with %d", tt.length, tt.off, len(m), m[0])
		}
		must(t, m.Unmap())
	}
}

func TestMapNothing(t *testing.T) {
	_, err := Map(makeFile(t, 0, os.O_RDWR), RDWR, 0)
	wantInvalid(t, err, "nothing to map")
	closed := makeFile(t, 1, os.O_RDWR)
	must(t, closed.Close())
	for _, f := range []*os.File{nil, closed} {
		for _, n := range []int{-1, page} {
			if m, err := MapRegion(f, n, RDONLY, 0, 0); err == nil {
				t.Errorf("mapped %d bytes of file %v", len(m), f)
			}
		}
	}
}

func TestAnonymous(t *testing.T) {
	needMappings(t)
	for _, prot := range []int{RDWR, COPY, RDWR | EXEC} {
		m := mustMap(t)(MapRegion(nil, 3*page, prot, ANON, 0))
		if !bytes.Equal(m, make([]byte, 3*page)) {
			t.Error("anonymous memory is not zero")
		}
		for i := range m {
			m[i] = 0x55
		}
		must(t, m.Flush())
		must(t, m.Unmap())
	}
	for _, n := range []int{0, -1} {
		_, err := MapRegion(nil, n, RDWR, ANON, 0)
		wantInvalid(t, err, "needs a length")
	}
	_, err := Map(nil, RDWR, ANON)
	wantInvalid(t, err, "needs a length")
}

// TestParts locks and flushes slices of a mapping that begin and end anywhere. The
// original can flush only what begins at a page.
func TestParts(t *testing.T) {
	needMappings(t)
	f := makeFile(t, 4*page, os.O_RDWR)
	m := mustMap(t)(Map(f, RDWR, 0))
	for _, part := range []MMap{m, m[:1], m[page:], m[page+3 : 2*page+5], m[7:9:11], m[4*page-1:]} {
		must(t, part.Flush())
		must(t, part.Lock())
		must(t, part.Unlock())
		must(t, part.Unlock())
	}
	must(t, m.Unmap())
}

// TestUnmapWrongly tries to unmap what isn't the slice that Map returned.
func TestUnmapWrongly(t *testing.T) {
	needMappings(t)
	f := makeFile(t, 2*page, os.O_RDWR)
	m := mustMap(t)(Map(f, RDWR, 0))
	again := m
	for _, part := range []MMap{m[:page], m[page:], m[:1:1], m[1:]} {
		before := len(part)
		err := part.Unmap()
		wantInvalid(t, err, "stay mapped")
		if e := new(memmap.Error); errors.As(err, &e) && (e.Name != f.Name() || e.Len != int64(before)) {
			t.Errorf("got %+v, want the file's name and %d bytes", e, before)
		}
		if part != nil {
			t.Error("the variable is not nil")
		}
	}
	for _, b := range []MMap{make(MMap, page), m[3:3], {}, nil} {
		if err := b.Unmap(); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("got error %v, want EINVAL", err)
		}
	}
	m[page] = 'x' // still there
	must(t, m.Unmap())
	wantInvalid(t, again.Unmap(), "was unmapped")
	wantInvalid(t, m.Unmap(), "was unmapped")
}

// TestStale uses a slice after Unmap, while other files are mapped.
func TestStale(t *testing.T) {
	needMappings(t)
	f := makeFile(t, page, os.O_RDWR)
	m := mustMap(t)(Map(f, RDWR, 0))
	stale := m
	must(t, m.Unmap())
	for range 100 {
		other := mustMap(t)(Map(f, RDWR, 0))
		if !faults(stale, 0) {
			t.Fatal("a slice shows memory after Unmap")
		}
		for _, err := range []error{stale.Flush(), stale.Lock(), stale.Unlock()} {
			wantInvalid(t, err, "was unmapped")
		}
		must(t, other.Unmap())
	}
}

// TestTruncated truncates the file. The memory is raw, so that touching it is a
// fault; but locking says what is wrong.
func TestTruncated(t *testing.T) {
	needMappings(t)
	f := makeFile(t, 2*page, os.O_RDWR)
	m := mustMap(t)(Map(f, RDWR, 0))
	must(t, f.Truncate(int64(page)))
	if !faults(m, page) || faults(m, page-1) {
		t.Error("want a fault in the second page, and none in the first")
	}
	err := m.Lock()
	if err == nil || !strings.Contains(err.Error(), "beyond the end of the file") || !strings.Contains(err.Error(), f.Name()) {
		t.Errorf("got error %v, want one that names the file and what happened to it", err)
	}
	must(t, m.Unmap())
}

// TestEverybody maps, finds, and unmaps from many goroutines.
func TestEverybody(t *testing.T) {
	needMappings(t)
	f := makeFile(t, 8*page, os.O_RDWR)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 100 {
				m, err := MapRegion(f, page, RDWR, 0, int64(i*page))
				if err == nil && m[0] != byte(i+1) {
					t.Errorf("page %d begins with %d", i, m[0])
				}
				if err := errors.Join(err, m[page/2:].Unlock(), m.Unmap()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n := len(live.mapped); n != 0 {
		t.Errorf("%d mappings are still known", n)
	}
}
