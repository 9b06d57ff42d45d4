package memmap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/memmap-go/memmap/internal/sys"
)

// TestKinds stores through one mapping and looks for it everywhere else.
func TestKinds(t *testing.T) {
	needMappings(t)
	const at, text = 5000, "stored"
	tests := []struct {
		name string
		cfg  FileConfig
		seen bool // by the file and its other mappings
	}{
		{"shared", FileConfig{Prot: Read | Write}, true},
		{"private", FileConfig{Prot: Read | Write, Private: true}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkLeaks(t)
			old := pattern(3 * pageSize)
			name := makePath(t, old)
			m, other := mustMap(t)(Open(name, &tt.cfg)), mustMap(t)(Open(name, nil))
			copy(m.Bytes()[at:], text)
			want := bytes.Clone(old)
			copy(want[at:], text)
			wantBytes(t, "the mapping itself", m.Bytes(), want)
			if !tt.seen {
				want = old
			}
			wantBytes(t, "the file", contents(t, name), want)
			wantBytes(t, "the other mapping", other.Bytes(), want)
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "the file after Close", contents(t, name), want)
		})
	}
}

// TestPrivateFollowsFile has a private mapping read what is stored into the file,
// but only in pages of which it has no copy.
func TestPrivateFollowsFile(t *testing.T) {
	needMappings(t)
	needLinux(t) // mmap(2) leaves open what such a page shows
	checkLeaks(t)
	f := makeFile(t, make([]byte, 2*pageSize))
	m := mustMap(t)(Map(f, &FileConfig{Prot: Read | Write, Private: true}))
	m.Bytes()[0] = 'm'
	for _, at := range []int64{1, pageSize + 1} {
		if _, err := f.WriteAt([]byte("f"), at); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := m.Bytes()[:2], "m\x00"; string(got) != want {
		t.Errorf("copied page: got %q, want %q", got, want)
	}
	if got, want := m.Bytes()[pageSize:pageSize+2], "\x00f"; string(got) != want {
		t.Errorf("other page: got %q, want %q", got, want)
	}
}

func TestAnonymousKinds(t *testing.T) {
	needLinux(t)
	checkLeaks(t)
	private, another := mustMap(t)(Anonymous(10, nil)), mustMap(t)(Anonymous(10, nil))
	copy(private.Bytes(), "private")
	wantBytes(t, "another private mapping", another.Bytes(), make([]byte, 10))
	shared := mustMap(t)(Anonymous(10, &AnonConfig{Shared: true}))
	wantBytes(t, "new shared memory", shared.Bytes(), make([]byte, 10))
	f, err := shared.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	again := mustMap(t)(MapRange(f, 0, 10, &FileConfig{Prot: Read | Write}))
	copy(again.Bytes(), "shared")
	wantBytes(t, "shared memory", shared.Bytes(), []byte("shared\x00\x00\x00\x00"))
	_, err = private.File()
	wantError(t, err, "file", ErrPrivate)
}

// TestMapRange maps many ranges and looks at each byte. Stores through the ends
// must reach the file there.
func TestMapRange(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	size := 4*pageSize + 123
	name := makePath(t, pattern(size))
	f := openFile(t, name, os.O_RDWR)
	near := func(x int64) []int64 { return []int64{x - 1, x, x + 1} }
	offsets := slices.Concat([]int64{0, 1, 77}, near(pageSize), near(3*pageSize), []int64{size - 1, size})
	lengths := slices.Concat([]int64{0, 1, 2, 100}, near(pageSize), near(2*pageSize), []int64{size})
	for _, off := range offsets {
		for _, n := range lengths {
			n = min(n, size-off)
			checkRangeOf(t, f, off, n)
		}
	}
	wantBytes(t, "the file", contents(t, name), pattern(size))
}

// checkRangeOf maps a part of a file that has a pattern.
func checkRangeOf(t *testing.T, f *os.File, off, n int64) {
	t.Helper()
	what := fmt.Sprintf("[%d, %d)", off, off+n)
	m, err := MapRange(f, off, n, &FileConfig{Prot: Read | Write})
	if err != nil {
		t.Fatal(err)
	}
	b := m.Bytes()
	if m.Len() != n || cap(b) != len(b) {
		t.Fatalf("%s: got length %d and capacity %d, want %d", what, m.Len(), cap(b), n)
	}
	wantBytes(t, what, b, pattern(off + n)[off:])
	if n > 0 {
		last := b[n-1]
		b[0], b[n-1] = 1, 2
		var got [2]byte
		for i, at := range []int64{off, off + n - 1} {
			if _, err := f.ReadAt(got[i:i+1], at); err != nil {
				t.Fatal(err)
			}
		}
		if want := [2]byte{b[0], 2}; got != want {
			t.Errorf("%s: stores at the ends: the file has %v, want %v", what, got, want)
		}
		b[n-1], b[0] = last, patternAt(off)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestBeyondEnd maps more than the file has.
func TestBeyondEnd(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	size := pageSize + 100
	name := makePath(t, pattern(size))
	f := openFile(t, name, os.O_RDWR)
	m := mustMap(t)(MapRange(f, 0, 4*pageSize, &FileConfig{Prot: Read | Write}))
	b := m.Bytes()
	wantBytes(t, "rest of the last page", b[size:2*pageSize], make([]byte, 2*pageSize-size))
	b[size] = 'x'
	wantBytes(t, "file after a store behind its end", contents(t, name), pattern(size))
	if faults(b, int(2*pageSize-1)) || !faults(b, int(2*pageSize)) {
		t.Error("want the page behind the last one to fault, and no byte before it")
	}
	if err := f.Truncate(3 * pageSize); err != nil {
		t.Fatal(err)
	}
	if faults(b, int(3*pageSize-1)) || !faults(b, int(3*pageSize)) {
		t.Error("want the mapping to follow the file as it grows")
	}
}

func TestEmpty(t *testing.T) {
	needMappings(t)
	empty, full := makeFile(t, nil), makeFile(t, pattern(100))
	tests := map[string]func() (*Mapping, error){
		"empty file":       func() (*Mapping, error) { return Map(empty, &FileConfig{Prot: Read | Write}) },
		"empty file, open": func() (*Mapping, error) { return Open(empty.Name(), nil) },
		"empty range":      func() (*Mapping, error) { return MapRange(full, 7, 0, nil) },
		"range at the end": func() (*Mapping, error) { return MapRange(full, 100, 0, nil) },
		"far beyond":       func() (*Mapping, error) { return MapRange(full, 1<<40+1, 0, nil) },
		"anonymous":        func() (*Mapping, error) { return Anonymous(0, nil) },
		"shared anonymous": func() (*Mapping, error) { return Anonymous(0, &AnonConfig{Shared: true}) },
		"with room":        func() (*Mapping, error) { return Map(empty, &FileConfig{MaxLen: 2 * pageSize}) },
	}
	for name, open := range tests {
		t.Run(name, func(t *testing.T) {
			checkLeaks(t)
			if strings.Contains(name, "shared") {
				needLinux(t)
			}
			m := mustMap(t)(open())
			if b := m.Bytes(); b == nil || len(b) != 0 || m.Len() != 0 {
				t.Errorf("got bytes %v and length %d, want none, but not nil", b, m.Len())
			}
			if n, err := m.ReadAt(make([]byte, 1), 0); n != 0 || err != io.EOF {
				t.Errorf("ReadAt: got %d, %v; want 0, EOF", n, err)
			}
			n, err := m.WriteAt([]byte("x"), 0)
			if e := wantError(t, err, "write", ErrRange); n != 0 {
				t.Errorf("WriteAt wrote %d bytes: %v", n, e)
			}
			for _, err := range []error{
				m.Protect(0, 0, Read), m.Advise(0, 0, Random), m.Lock(0, 0, LockNow), m.Unmap(0, 0),
				m.Prefault(context.Background(), 0, 0, Read),
			} {
				if err != nil {
					t.Errorf("on nothing: %v", err)
				}
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
			wantError(t, m.Close(), "close", ErrClosed)
		})
	}
}

// TestMapKeepsDescriptor closes and removes the file that was mapped.
func TestMapKeepsDescriptor(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	name := makePath(t, pattern(100))
	f := openFile(t, name, os.O_RDWR)
	m := mustMap(t)(Map(f, &FileConfig{Prot: Read | Write, MaxLen: pageSize, Sparse: true}))
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := m.Grow(200); err != nil {
		t.Fatal(err)
	}
	m.Bytes()[150] = 'x'
	own, err := m.File()
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	var got [1]byte
	if _, err := own.ReadAt(got[:], 150); err != nil || got[0] != 'x' {
		t.Errorf("through File: got %q, %v; want 'x'", got, err)
	}
	if m.Name() != name {
		t.Errorf("got name %q, want %q", m.Name(), name)
	}
}

// TestDevice maps /dev/zero, which has no length.
func TestDevice(t *testing.T) {
	needLinux(t)
	checkLeaks(t)
	f := openFile(t, "/dev/zero", os.O_RDWR)
	for _, private := range []bool{false, true} {
		m := mustMap(t)(MapRange(f, 0, 3*pageSize, &FileConfig{Prot: Read | Write, Private: private}))
		wantBytes(t, "new", m.Bytes(), make([]byte, 3*pageSize))
		m.Bytes()[0] = 1
		again := mustMap(t)(MapRange(f, 0, pageSize, nil))
		wantBytes(t, "another mapping", again.Bytes(), make([]byte, pageSize))
	}
}

// TestDeviceMoves moves memory of /dev/zero, of which each mapping has its own: the
// bytes must move. What would map it again is refused.
func TestDeviceMoves(t *testing.T) {
	needLinux(t)
	checkLeaks(t)
	m := mustMap(t)(MapRange(openFile(t, "/dev/zero", os.O_RDWR), 0, 2*pageSize, &FileConfig{Prot: Read | Write}))
	want := pattern(2 * pageSize)
	copy(m.Bytes(), want)
	_, err := m.Alias()
	wantError(t, err, "alias", errDevice)
	wantError(t, m.Remap(3*pageSize), "remap", errDevice)
	wantError(t, m.RemapPages(0, pageSize, pageSize), "remap pages", errDevice)
	r, err := Reserve(2 * pageSize)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	moved := mustMap(t)(r.Move(0, m))
	wantBytes(t, "moved", moved.Bytes(), want)
}

// TestZeroMapping uses a Mapping that nobody has made: it is closed.
func TestZeroMapping(t *testing.T) {
	var m Mapping
	for op, err := range map[string]error{
		"close": m.Close(), "sync": m.Sync(), "grow": m.Grow(1), "protect": m.Protect(0, 0, Read), "resize": m.Resize(1),
		"seal": m.Seal(SealGrow), "truncate": m.Truncate(0), "lock": m.Lock(0, 0, LockNow),
	} {
		wantError(t, err, op, ErrClosed)
	}
	_, err := m.File()
	wantError(t, err, "file", ErrClosed)
	_, err = m.ReadAt(make([]byte, 1), 0)
	wantError(t, err, "read", ErrClosed)
}

func TestBytes(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	m := mustMap(t)(Map(makeFile(t, pattern(100)), &FileConfig{MaxLen: 3 * pageSize}))
	b := m.Bytes()
	if len(b) != 100 || cap(b) != 100 {
		t.Fatalf("got length %d and capacity %d, want 100", len(b), cap(b))
	}
	// The memory is read-only: append must go elsewhere.
	more := append(b, 'x')
	wantBytes(t, "appended", more, append(pattern(100), 'x'))
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if b := m.Bytes(); b != nil || m.Len() != 0 {
		t.Errorf("after Close: got bytes %v and length %d, want nil and 0", b, m.Len())
	}
	if !faults(b, 0) {
		t.Error("the old slice is accessible after Close")
	}
}

// TestCloseTwice closes from many goroutines. One of them does it.
func TestCloseTwice(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	m := mustMap(t)(Map(makeFile(t, pattern(100)), nil))
	other := mustMap(t)(Map(makeFile(t, pattern(100)), nil))
	var closed atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			switch err := m.Close(); {
			case err == nil:
				closed.Add(1)
			case !errors.Is(err, ErrClosed) || !errors.Is(err, fs.ErrClosed):
				t.Errorf("got error %v, want ErrClosed", err)
			}
		})
	}
	wg.Wait()
	if got := closed.Load(); got != 1 {
		t.Errorf("%d goroutines closed it, want 1", got)
	}
	wantBytes(t, "another mapping", other.Bytes(), pattern(100))
}

// TestClosed calls every method of a closed mapping. All report ErrClosed, but for
// the few that have no error to report.
func TestClosed(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	name := makePath(t, pattern(100))
	m := mustMap(t)(Open(name, &FileConfig{Prot: Read | Write}))
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	without := map[string]any{"Bytes": []byte(nil), "Len": int64(0), "Name": name}
	v := reflect.ValueOf(m)
	for i := range v.NumMethod() {
		method := v.Type().Method(i).Name
		results := v.Method(i).Call(anyArguments(v.Method(i).Type()))
		last := results[len(results)-1].Interface()
		if want, ok := without[method]; ok {
			if !reflect.DeepEqual(last, want) {
				t.Errorf("%s: got %v, want %v", method, last, want)
			}
			continue
		}
		err, _ := last.(error)
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: got error %v, want ErrClosed", method, err)
			continue
		}
		if e := wantError(t, err, err.(*Error).Op); e.Op == "" || e.Name != name {
			t.Errorf("%s: got Op %q and Name %q, want both: %v", method, e.Op, e.Name, e)
		}
		for _, r := range results[:len(results)-1] {
			if !r.IsZero() {
				t.Errorf("%s: got result %v besides the error", method, r)
			}
		}
	}
	_, loadErr := Load[uint32](m, 0)
	_, pointerErr := Pointer[uint32](m, 0)
	_, sliceErr := Slice[uint32](m, 0, 1)
	for name, err := range map[string]error{
		"Load": loadErr, "Store": Store(m, 0, uint32(1)), "Pointer": pointerErr, "Slice": sliceErr,
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: got error %v, want ErrClosed", name, err)
		}
	}
}

// anyArguments returns valid arguments for a function: 1 for every number.
func anyArguments(f reflect.Type) []reflect.Value {
	var args []reflect.Value
	for i := range f.NumIn() {
		arg := reflect.New(f.In(i)).Elem()
		switch {
		case arg.CanInt():
			arg.SetInt(1)
		case arg.CanUint():
			arg.SetUint(1)
		case arg.Kind() == reflect.Slice:
			arg.Set(reflect.MakeSlice(arg.Type(), 1, 1))
		case arg.Type() == reflect.TypeFor[context.Context]():
			arg.Set(reflect.ValueOf(context.Background()))
		}
		args = append(args, arg)
	}
	return args
}

// TestBadFile maps what can't be mapped.
func TestBadFile(t *testing.T) {
	needMappings(t)
	dir := t.TempDir()
	name := makePath(t, pattern(100))
	closed := openFile(t, name, os.O_RDONLY)
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	write := FileConfig{Prot: Read | Write}
	tests := map[string]struct {
		f    *os.File
		cfg  FileConfig
		want error
	}{
		"nil":                   {nil, FileConfig{}, fs.ErrInvalid},
		"closed":                {closed, FileConfig{}, fs.ErrClosed},
		"directory":             {openFile(t, dir, os.O_RDONLY), FileConfig{}, sys.ENODEV},
		"pipe":                  {r, FileConfig{}, sys.ENODEV},
		"write-only":            {openFile(t, name, os.O_WRONLY), FileConfig{}, sys.EACCES},
		"write-only, to write":  {openFile(t, name, os.O_WRONLY), write, sys.EACCES},
		"read-only, to write":   {openFile(t, name, os.O_RDONLY), write, sys.EACCES},
		"write-only, private":   {openFile(t, name, os.O_WRONLY), FileConfig{Private: true}, sys.EACCES},
		"write-only, no access": {openFile(t, name, os.O_WRONLY), FileConfig{Prot: None}, sys.EACCES},
	}
	for what, tt := range tests {
		t.Run(what, func(t *testing.T) {
			checkLeaks(t)
			for _, n := range []int64{0, 100} {
				m, err := MapRange(tt.f, 3, n, &tt.cfg)
				e := wantError(t, err, "map", tt.want)
				if m != nil || e.Off != 3 || e.Len != n || e.Name != nameOf(tt.f) {
					t.Errorf("got mapping %v, Off %d, Len %d, Name %q; want none, 3, %d, %q", m, e.Off, e.Len, e.Name, n, nameOf(tt.f))
				}
			}
			m, err := Map(tt.f, &tt.cfg)
			if e := wantError(t, err, "map", tt.want); m != nil || e.Name != nameOf(tt.f) {
				t.Errorf("Map: got mapping %v, Name %q", m, e.Name)
			}
		})
	}
}

// TestReadOnlyFile needs no right to write for a private mapping.
func TestReadOnlyFile(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	name := makePath(t, pattern(100))
	f := openFile(t, name, os.O_RDONLY)
	m := mustMap(t)(Map(f, &FileConfig{Prot: Read | Write, Private: true}))
	m.Bytes()[0]++
	wantBytes(t, "the file", contents(t, name), pattern(100))
	// The mapping is opened as it will be used.
	if err := os.Chmod(name, 0o400); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() != 0 {
		_, err := Open(name, &FileConfig{Prot: Read | Write})
		wantError(t, err, "open", fs.ErrPermission)
	}
	m = mustMap(t)(Open(name, &FileConfig{Prot: Read | Write, Private: true}))
	// Root may open any file, so look at how it was opened.
	if mode, err := sys.Access(m.fd); err != nil || mode != sys.ReadOnly {
		t.Errorf("the file was opened in mode %d (%v), want for reading alone", mode, err)
	}
}

func TestOpenMissing(t *testing.T) {
	checkLeaks(t)
	name := filepath.Join(t.TempDir(), "missing")
	_, err := Open(name, &FileConfig{Prot: Read | Write, MaxLen: 100})
	if e := wantError(t, err, "open", fs.ErrNotExist); e.Name != name || strings.Count(e.Error(), name) != 1 {
		t.Errorf("got error %q, want the name %q in it, once", e, name)
	}
	if _, err := os.Stat(name); !os.IsNotExist(err) {
		t.Errorf("Open made the file: %v", err)
	}
}

func TestBadRange(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	const huge = math.MaxInt64
	f := makeFile(t, pattern(100))
	tests := []struct {
		off, n, max int64
		want        error
	}{
		{-1, 10, 0, ErrRange},
		{0, -1, 0, ErrRange},
		{-5, -5, 0, ErrRange},
		{math.MinInt64, 1, 0, ErrRange},
		{0, -1, 100, ErrRange},
		{0, 10, -1, sys.EINVAL},
		{0, huge, 0, sys.ENOMEM},
		{1, huge, 0, sys.ENOMEM},
		{0, 1<<62 - 1, 0, sys.ENOMEM},
		{0, 1<<62 + 1, 0, sys.ENOMEM},
		{0, 10, huge, sys.ENOMEM},
		{huge, 1, 0, sys.EOVERFLOW},
		{huge, 0, 0, sys.EOVERFLOW},
		{huge - pageSize, pageSize, 0, sys.EOVERFLOW},
	}
	for _, tt := range tests {
		m, err := MapRange(f, tt.off, tt.n, &FileConfig{MaxLen: tt.max})
		e := wantError(t, err, "map", tt.want)
		if m != nil || e.Off != tt.off || e.Len != tt.n || e.Name != f.Name() {
			t.Errorf("MapRange(%d, %d): got %v and error %+v", tt.off, tt.n, m, e)
		}
	}
	for n, want := range map[int64]error{-1: ErrRange, huge: sys.ENOMEM, 1 << 60: sys.ENOMEM, math.MinInt64: ErrRange} {
		m, err := Anonymous(n, nil)
		if e := wantError(t, err, "map", want); m != nil || e.Len != n {
			t.Errorf("Anonymous(%d): got %v and error %+v", n, m, e)
		}
	}
}

// TestBadConfig gives configurations that contradict themselves. The error says
// which field is meant.
func TestBadConfig(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	f := makeFile(t, pattern(100))
	p := uintptr(pageSize)
	files := []struct {
		cfg  FileConfig
		want string
	}{
		{FileConfig{Prot: 0x80}, "Prot 0x80"},
		{FileConfig{Prot: None | Read}, "Prot 0x9"},
		{FileConfig{Prot: 0xff}, "Prot 0xff"},
		{FileConfig{MaxLen: -1}, "MaxLen"},
		{FileConfig{Sync: true, Private: true}, "Sync"},
		{FileConfig{Lock: 3}, "LockMode 3"},
		{FileConfig{Replace: true}, "Replace"},
		{FileConfig{Addr: p - 1}, "Addr"},
		{FileConfig{Addr: p, Low32: true}, "Low32"},
	}
	for _, tt := range files {
		_, err := MapRange(f, 0, 100, &tt.cfg)
		if e := wantError(t, err, "map", sys.EINVAL); !strings.Contains(e.Error(), tt.want) {
			t.Errorf("got error %q, want %q in it", e, tt.want)
		}
		_, err = Open(f.Name(), &tt.cfg)
		wantError(t, err, "open", sys.EINVAL)
	}
	memory := []struct {
		cfg  AnonConfig
		want string
	}{
		{AnonConfig{Prot: 0x80}, "Prot 0x80"},
		{AnonConfig{Lock: 3}, "LockMode 3"},
		{AnonConfig{Replace: true}, "Replace"},
		{AnonConfig{Addr: 1}, "Addr"},
		{AnonConfig{Addr: p, Low32: true}, "Low32"},
		{AnonConfig{Sealable: true}, "Sealable"},
		{AnonConfig{Shared: true, GrowsDown: true}, "GrowsDown"},
		{AnonConfig{Shared: true, Droppable: true}, "Droppable"},
		{AnonConfig{Droppable: true, Lock: LockNow}, "Droppable"},
		{AnonConfig{GrowsDown: true, Low32: true}, "GrowsDown"},
		{AnonConfig{GrowsDown: true, Addr: p}, "GrowsDown"},
		{AnonConfig{GrowsDown: true, Huge: Huge2M}, "GrowsDown"},
		{AnonConfig{GrowsDown: true, Droppable: true}, "GrowsDown"},
		{AnonConfig{Huge: 3 << 20}, "Huge"},
		{AnonConfig{Huge: -1}, "Huge"},
		{AnonConfig{Huge: 2}, "Huge"},
	}
	for _, tt := range memory {
		_, err := Anonymous(100, &tt.cfg)
		if e := wantError(t, err, "map", sys.EINVAL); !strings.Contains(e.Error(), tt.want) {
			t.Errorf("got error %q, want %q in it", e, tt.want)
		}
	}
	_, err := Anonymous(stackGap+1, &AnonConfig{GrowsDown: true})
	wantError(t, err, "map", sys.EINVAL)
}

// TestPopulateFails asks for pages that don't exist.
func TestPopulateFails(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	f := makeFile(t, pattern(100))
	_, err := MapRange(f, 50, 2*pageSize, &FileConfig{Populate: true})
	wantError(t, err, "map", ErrFault, ErrTruncated)
	m := mustMap(t)(MapRange(f, 50, 50, &FileConfig{Prot: Read | Write, Populate: true, MaxLen: int64(firstArena)}))
	wantBytes(t, "populated", m.Bytes(), pattern(100)[50:])
	_, err = MapRange(f, 50, 50, &FileConfig{Prot: None, Populate: true})
	wantError(t, err, "map", ErrProtected)
}

// TestProtNone maps pages that nobody may touch.
func TestProtNone(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	m := mustMap(t)(Map(makeFile(t, pattern(100)), &FileConfig{Prot: None}))
	if !faults(m.Bytes(), 0) {
		t.Error("accessible")
	}
	_, err := m.ReadAt(make([]byte, 1), 5)
	if e := wantError(t, err, "read", ErrFault, ErrProtected); e.Off != 5 {
		t.Errorf("got Off %d, want 5", e.Off)
	}
	if err := m.Protect(0, 100, Read); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "after Protect", m.Bytes(), pattern(100))
}

func TestProtString(t *testing.T) {
	for p, want := range map[Prot]string{
		0: "---", None: "---", Read: "r--", Write: "-w-", Exec: "--x", Read | Write: "rw-", Read | Write | Exec: "rwx",
	} {
		if got := p.String(); got != want {
			t.Errorf("Prot(%#x).String() = %q, want %q", uint8(p), got, want)
		}
	}
}

// TestLostMapping wants the garbage collector to leave a mapping alone that nobody
// has closed: slices into it may be in use.
func TestLostMapping(t *testing.T) {
	needMappings(t)
	m, err := Map(makeFile(t, pattern(pageSize)), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, pages, home := m.Bytes(), m.now.Load().pages, m.home
	m = nil
	for range 3 {
		runtime.GC()
	}
	wantBytes(t, "after garbage collection", b, pattern(pageSize))
	if err := home.giveBack(pages); err != nil {
		t.Error(err)
	}
}
