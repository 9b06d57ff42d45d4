package memmap

import (
	"errors"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/memmap-go/memmap/internal/sys"
)

func fileSize(t *testing.T, f *os.File) int64 {
	t.Helper()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestGrow grows step by step. The address stays, and so does what is there.
func TestGrow(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	for _, mapOff := range []int64{0, 1, pageSize - 1, pageSize + 50} {
		// Allocating ahead is Linux's; TestGrowAllocates looks for it.
		f := makeFile(t, pattern(mapOff+100))
		m := mustMap(t)(MapRange(f, mapOff, 100, &FileConfig{Prot: Read | Write, MaxLen: 10 * pageSize, Sparse: true}))
		first := &m.Bytes()[0]
		want := append(pattern(mapOff + 100)[mapOff:], make([]byte, 10*pageSize)...)
		for _, n := range []int64{100, 101, pageSize - 1, pageSize, pageSize, 3*pageSize + 7, 10 * pageSize} {
			if err := m.Grow(n); err != nil {
				t.Fatal(err)
			}
			b := m.Bytes()
			if int64(len(b)) != n || cap(b) != len(b) || &b[0] != first {
				t.Fatalf("Grow(%d): got length %d, capacity %d, moved %v", n, len(b), cap(b), &b[0] != first)
			}
			if got := fileSize(t, f); got != mapOff+n {
				t.Errorf("Grow(%d): the file has %d bytes, want %d", n, got, mapOff+n)
			}
			b[n-1], want[n-1] = byte(n), byte(n)
			wantBytes(t, "grown", b, want[:n])
		}
	}
}

func TestGrowErrors(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	f := makeFile(t, pattern(100))
	m := mustMap(t)(MapRange(f, 50, 50, &FileConfig{Prot: Read | Write, MaxLen: 2 * pageSize, Sparse: true}))
	small := mustMap(t)(MapRange(f, 50, 50, &FileConfig{Prot: Read | Write, Sparse: true}))
	tests := []struct {
		m    *Mapping
		n    int64
		want error
	}{
		{m, 49, ErrRange},
		{m, 0, ErrRange},
		{m, -1, ErrRange},
		{m, 3*pageSize - 50 + 1, sys.ENOMEM},
		{m, 1 << 62, sys.ENOMEM},
		{m, 1<<63 - 1, sys.ENOMEM},
		{small, pageSize - 50 + 1, sys.ENOMEM},
	}
	for _, tt := range tests {
		if e := wantError(t, tt.m.Grow(tt.n), "grow", tt.want); e.Len != tt.n {
			t.Errorf("got Len %d, want %d", e.Len, tt.n)
		}
		if tt.m.Len() != 50 || fileSize(t, f) != 100 {
			t.Errorf("Grow(%d): lengths %d and %d, want 50 and 100", tt.n, tt.m.Len(), fileSize(t, f))
		}
	}
}

// TestGrowFollows grows mappings that can't make the file longer, but may follow
// it.
func TestGrowFollows(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	name := makePath(t, pattern(100))
	f := openFile(t, name, os.O_RDWR)
	reading := FileConfig{MaxLen: 3 * pageSize}
	private := FileConfig{Prot: Read | Write, Private: true, MaxLen: 3 * pageSize}
	tests := []struct {
		name string
		m    *Mapping
		want error // while the file is too short
	}{
		{"read-only", mustMap(t)(Open(name, &reading)), sys.EACCES},
		{"private", mustMap(t)(Open(name, &private)), ErrPrivate},
	}
	for _, tt := range tests {
		wantError(t, tt.m.Grow(2*pageSize), "grow", tt.want)
		if got := fileSize(t, f); got != 100 || tt.m.Len() != 100 {
			t.Errorf("%s: lengths %d and %d, want 100", tt.name, got, tt.m.Len())
		}
	}
	if _, err := f.WriteAt(pattern(2 * pageSize)[100:], 100); err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		if err := tt.m.Grow(2 * pageSize); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		wantBytes(t, tt.name, tt.m.Bytes(), pattern(2*pageSize))
	}
}

// TestGrowUnderReaders reads what is there, while more is added.
func TestGrowUnderReaders(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	const limit = 4 << 20
	f := makeFile(t, pattern(100))
	m := mustMap(t)(Map(f, &FileConfig{Prot: Read | Write, MaxLen: limit, Sparse: true}))
	all := pattern(limit)
	read := func() func(*rand.Rand) {
		b := make([]byte, limit)
		return func(rnd *rand.Rand) {
			off := rnd.Int64N(m.Len())
			n := 1 + rnd.Int64N(min(m.Len()-off, 3*pageSize))
			if _, err := m.ReadAt(b[:n], off); err != nil {
				t.Error(err)
			}
			wantBytes(t, "read", b[:n], all[off:off+n])
		}
	}
	end := int64(100)
	grow := func(rnd *rand.Rand) {
		if end == limit {
			return
		}
		// The bytes come before the length that makes them visible.
		n := min(end+1+rnd.Int64N(10*pageSize), limit)
		if _, err := f.WriteAt(all[end:n], end); err != nil {
			t.Error(err)
		}
		if err := m.Grow(n); err != nil {
			t.Error(err)
		}
		end = n
	}
	storm(t, read(), read(), collect, grow)
}

func TestTruncate(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	p := pageSize
	for _, mapOff := range []int64{0, 1, p + 50} {
		for _, n := range []int64{3*p - 60, 2 * p, 2*p - mapOff%p, p + 1, 100, 1, 0} {
			f := makeFile(t, pattern(4*p))
			m := mustMap(t)(MapRange(f, mapOff, 3*p-50, &FileConfig{Prot: Read | Write, MaxLen: 4 * p, Sparse: true}))
			old := m.Bytes()
			if err := m.Truncate(n); err != nil {
				t.Fatal(err)
			}
			if m.Len() != n || fileSize(t, f) != mapOff+n {
				t.Errorf("Truncate(%d): lengths %d and %d, want %d and %d", n, m.Len(), fileSize(t, f), n, mapOff+n)
			}
			wantBytes(t, "what remains", m.Bytes(), pattern(4 * p)[mapOff:][:n])
			if edge := int(roundUp(mapOff+n, p) - mapOff); edge < len(old) && !faults(old, edge) {
				t.Errorf("Truncate(%d): a raw access at %d is no fault", n, edge)
			}
			if err := m.Grow(m.Len() + 10); err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "what was added", m.Bytes()[n:], make([]byte, 10))
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestTruncateErrors(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	name := makePath(t, pattern(3*pageSize))
	write := FileConfig{Prot: Read | Write}
	shared := mustMap(t)(Open(name, &write))
	tests := []struct {
		name string
		m    *Mapping
		n    int64
		want error
	}{
		{"negative", shared, -1, ErrRange},
		{"longer", shared, 3*pageSize + 1, ErrRange},
		{"private", mustMap(t)(Open(name, &FileConfig{Private: true})), 10, ErrPrivate},
		{"private memory", mustMap(t)(Anonymous(100, nil)), 10, ErrPrivate},
		{"read-only", mustMap(t)(Open(name, nil)), 10, sys.EACCES},
		{"pages in another order", mustMap(t)(MapPages(openFile(t, name, os.O_RDWR), []int64{2, 1}, &write)), pageSize, sys.EINVAL},
	}
	for _, tt := range tests {
		before := tt.m.Len()
		if e := wantError(t, tt.m.Truncate(tt.n), "truncate", tt.want); e.Len != tt.n {
			t.Errorf("%s: got Len %d, want %d", tt.name, e.Len, tt.n)
		}
		if tt.m.Len() != before {
			t.Errorf("%s: the mapping has %d bytes, had %d", tt.name, tt.m.Len(), before)
		}
		wantBytes(t, tt.name, contents(t, name), pattern(3*pageSize))
	}
	if err := shared.Truncate(3 * pageSize); err != nil {
		t.Errorf("as long as it is: %v", err)
	}
}

// TestTruncateShortFile has a file end before the mapping does: it must not become
// longer.
func TestTruncateShortFile(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	f := makeFile(t, pattern(100))
	m := mustMap(t)(MapRange(f, 0, 5*pageSize, &FileConfig{Prot: Read | Write}))
	for _, n := range []int64{3 * pageSize, 100, 50} {
		if err := m.Truncate(n); err != nil {
			t.Fatal(err)
		}
		if got, want := fileSize(t, f), min(n, 100); got != want || m.Len() != n {
			t.Errorf("Truncate(%d): the file has %d bytes, want %d; the mapping %d", n, got, want, m.Len())
		}
	}
}

// TestTruncateHole cuts where nothing is mapped any more.
func TestTruncateHole(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	f := makeFile(t, pattern(5*pageSize))
	m := mustMap(t)(MapRange(f, pageSize, 4*pageSize, &FileConfig{Prot: Read | Write, MaxLen: 8 * pageSize, Sparse: true}))
	if err := m.Unmap(2*pageSize, 2*pageSize); err != nil {
		t.Fatal(err)
	}
	if err := m.Truncate(3*pageSize + 5); err != nil {
		t.Fatal(err)
	}
	if got, want := fileSize(t, f), 4*pageSize+5; got != want {
		t.Errorf("the file has %d bytes, want %d", got, want)
	}
	if err := m.Grow(4*pageSize - 1); err != nil {
		t.Fatal(err)
	}
	if got, want := fileSize(t, f), 5*pageSize-1; got != want {
		t.Errorf("the file has %d bytes, want %d", got, want)
	}
	wantBytes(t, "what remains", m.Bytes()[:2*pageSize], pattern(3 * pageSize)[pageSize:])
	_, err := m.ReadAt(make([]byte, 1), 2*pageSize)
	wantError(t, err, "read", ErrUnmapped)
}

// TestGrowMemory grows memory that belongs to no file within its last page.
func TestGrowMemory(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	m := mustMap(t)(Anonymous(10, nil))
	if err := m.Grow(pageSize); err != nil || m.Len() != pageSize {
		t.Errorf("within the page: got %v and length %d", err, m.Len())
	}
	if err := m.Grow(pageSize + 1); !errors.Is(err, sys.ENOMEM) {
		t.Errorf("beyond the page: got error %v, want ENOMEM", err)
	}
}

// TestTruncateToLength cuts off what the file has behind the mapping.
func TestTruncateToLength(t *testing.T) {
	checkLeaks(t)
	f := makeFile(t, pattern(2*pageSize))
	m := mustMap(t)(MapRange(f, 0, 100, &FileConfig{Prot: Read | Write}))
	if err := m.Truncate(100); err != nil {
		t.Fatal(err)
	}
	if got := fileSize(t, f); got != 100 {
		t.Errorf("the file has %d bytes, want 100", got)
	}
}
