package memmap

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"reflect"
	"testing"
	"testing/iotest"

	"github.com/memmap-go/memmap/internal/sys"
)

// mustRead reads a file as systems without mappings do.
func mustRead(t *testing.T, name string, off, n int64) *Mapping {
	t.Helper()
	own, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return mustMap(t)(readMapping(own, off, n, FileConfig{Prot: Read}))
}

func TestReadMapping(t *testing.T) {
	checkLeaks(t)
	want := pattern(3*pageSize + 100)
	name := makePath(t, want)
	for _, r := range [][2]int64{{0, int64(len(want))}, {0, 0}, {77, 1}, {pageSize + 3, 2 * pageSize}, {1 << 40, 0}} {
		off, n := r[0], r[1]
		m := mustRead(t, name, off, n)
		part := want[min(off, int64(len(want))):][:n]
		wantBytes(t, "Bytes", m.Bytes(), part)
		if m.Len() != n || cap(m.Bytes()) != int(n) || m.Name() != name {
			t.Errorf("got length %d, capacity %d, name %q", m.Len(), cap(m.Bytes()), m.Name())
		}
		if err := iotest.TestReader(io.NewSectionReader(m, 0, n), part); err != nil {
			t.Error(err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		wantError(t, m.Close(), "close", ErrClosed)
		_, err := m.ReadAt(make([]byte, 1), 0)
		wantError(t, err, "read", ErrClosed)
	}
}

// TestReadMappingTail reads the rest of the last page, which is zero.
func TestReadMappingTail(t *testing.T) {
	checkLeaks(t)
	m := mustRead(t, makePath(t, pattern(100)), 50, pageSize-50)
	want := make([]byte, pageSize-50)
	copy(want, pattern(100)[50:])
	wantBytes(t, "with the tail", m.Bytes(), want)
}

func TestReadMappingErrors(t *testing.T) {
	checkLeaks(t)
	f := makeFile(t, pattern(100))
	tests := map[string]struct {
		off, n int64
		cfg    FileConfig
	}{
		"to write":       {0, 100, FileConfig{Prot: Read | Write}},
		"to execute":     {0, 100, FileConfig{Prot: Read | Exec}},
		"private":        {0, 100, FileConfig{Prot: Read, Private: true}},
		"to grow":        {0, 100, FileConfig{Prot: Read, MaxLen: 101}},
		"locked":         {0, 100, FileConfig{Prot: Read, Lock: LockNow}},
		"in a place":     {0, 100, FileConfig{Prot: Read, Addr: uintptr(pageSize)}},
		"low":            {0, 100, FileConfig{Prot: Read, Low32: true}},
		"durable memory": {0, 100, FileConfig{Prot: Read, Sync: true}},
		"beyond the end": {0, pageSize + 1, FileConfig{Prot: Read}},
		"far beyond":     {0, 1 << 60, FileConfig{Prot: Read}},
	}
	for name, tt := range tests {
		if m, err := readMapping(f, tt.off, tt.n, tt.cfg); m != nil || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: got %v, %v; want ErrUnsupported", name, m, err)
		}
	}
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if _, err := readMapping(dir, 0, 0, FileConfig{Prot: Read}); !errors.Is(err, sys.ENODEV) {
		t.Errorf("directory: got %v, want ENODEV", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := readMapping(f, 0, 100, FileConfig{Prot: Read}); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("closed: got %v, want fs.ErrClosed", err)
	}
}

// TestReadMappingMethods calls every method. What there is only with mappings says
// so, and changes nothing.
func TestReadMappingMethods(t *testing.T) {
	checkLeaks(t)
	name := makePath(t, pattern(100))
	m := mustRead(t, name, 0, 100)
	works := map[string]bool{"Bytes": true, "Len": true, "Name": true, "ReadAt": true, "File": true, "Close": true}
	v := reflect.ValueOf(m)
	for i := range v.NumMethod() {
		method := v.Type().Method(i).Name
		if works[method] {
			continue
		}
		args := anyArguments(v.Method(i).Type())
		if method == "Grow" {
			args[0].SetInt(101) // 1 byte is less than there is
		}
		results := v.Method(i).Call(args)
		if err, _ := results[len(results)-1].Interface().(error); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: got error %v, want ErrUnsupported", method, err)
		}
	}
	if err := Store(m, 5, byte(1)); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Store: got error %v, want ErrUnsupported", err)
	}
	if got, err := Load[byte](m, 5); err != nil || got != patternAt(5) {
		t.Errorf("Load: got %#x, %v; want %#x", got, err, patternAt(5))
	}
	wantBytes(t, "the mapping", m.Bytes(), pattern(100))
	wantBytes(t, "the file", contents(t, name), pattern(100))
}

// TestWithoutMappings goes through the exported functions, where there are no
// mappings.
func TestWithoutMappings(t *testing.T) {
	if sys.CanMap {
		t.Skip("this system has mappings")
	}
	name := makePath(t, pattern(100))
	m := mustMap(t)(Open(name, nil))
	wantBytes(t, "Open", m.Bytes(), pattern(100))
	f := openFile(t, name, os.O_RDONLY)
	m = mustMap(t)(MapRange(f, 10, 20, nil))
	wantBytes(t, "MapRange", m.Bytes(), pattern(100)[10:30])
	_, err := Anonymous(100, nil)
	wantError(t, err, "map", errors.ErrUnsupported)
	_, err = Reserve(100)
	wantError(t, err, "reserve", errors.ErrUnsupported)
	_, err = Map(f, &FileConfig{Prot: Read | Write})
	wantError(t, err, "map", errors.ErrUnsupported)
}
