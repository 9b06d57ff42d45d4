package memmap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"testing"
	"testing/iotest"

	"github.com/memmap-go/memmap/internal/race"
	"github.com/memmap-go/memmap/internal/sys"
)

// TestReaderAt checks the rules of io.ReaderAt and io.WriterAt that the standard
// library can check.
func TestReaderAt(t *testing.T) {
	checkLeaks(t)
	want := pattern(2*pageSize + 123)
	m := mustMap(t)(Open(makePath(t, want), nil))
	if err := iotest.TestReader(io.NewSectionReader(m, 0, m.Len()), want); err != nil {
		t.Error(err)
	}
	if !sys.CanMap {
		return
	}
	f := makeFile(t, pattern(pageSize))
	m = mustMap(t)(MapRange(f, 77, 2*pageSize, &FileConfig{Prot: Read | Write, MaxLen: 3 * pageSize}))
	if err := m.Grow(m.Len()); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.NewOffsetWriter(m, 0), bytes.NewReader(want[:2*pageSize])); err != nil {
		t.Error(err)
	}
	if err := iotest.TestReader(io.NewSectionReader(m, 0, m.Len()), want[:2*pageSize]); err != nil {
		t.Error(err)
	}
}

func TestReadAtBounds(t *testing.T) {
	checkLeaks(t)
	m := mustMap(t)(Open(makePath(t, pattern(100)), nil))
	tests := []struct {
		off  int64
		n    int
		want int
		err  error
	}{
		{0, 100, 100, nil},
		{0, 0, 0, nil},
		{99, 1, 1, nil},
		{100, 0, 0, nil},
		{100, 1, 0, io.EOF},
		{101, 0, 0, io.EOF},
		{90, 20, 10, io.EOF},
		{math.MaxInt64, 1, 0, io.EOF},
		{-1, 1, 0, ErrRange},
		{-1, 0, 0, ErrRange},
		{math.MinInt64, 10, 0, ErrRange},
	}
	for _, tt := range tests {
		p := make([]byte, tt.n)
		n, err := m.ReadAt(p, tt.off)
		if n != tt.want || !errors.Is(err, tt.err) || tt.err == io.EOF && err != io.EOF {
			t.Errorf("ReadAt(%d bytes, %d) = %d, %v; want %d, %v", tt.n, tt.off, n, err, tt.want, tt.err)
		}
		if n > 0 {
			wantBytes(t, "read", p[:n], pattern(100)[tt.off:][:n])
		}
		if tt.err == ErrRange {
			if e := wantError(t, err, "read"); e.Off != tt.off || e.Len != int64(tt.n) || e.Name != m.Name() {
				t.Errorf("got error %+v, want the range and the name in it", e)
			}
		}
	}
}

// TestWriteAtOutside wants nothing to be written if a part of it has no place.
func TestWriteAtOutside(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	// There is room to grow behind the mapping, and in the file.
	name := makePath(t, pattern(200))
	f := openFile(t, name, os.O_RDWR)
	m := mustMap(t)(MapRange(f, 20, 100, &FileConfig{Prot: Read | Write, MaxLen: 10 * pageSize}))
	tests := []struct {
		off int64
		n   int
	}{{-1, 1}, {-1, 0}, {-50, 100}, {0, 101}, {99, 2}, {100, 1}, {101, 0}, {101, 1}, {math.MaxInt64, 1}, {math.MinInt64, 1}}
	for _, tt := range tests {
		n, err := m.WriteAt(bytes.Repeat([]byte{0xff}, tt.n), tt.off)
		e := wantError(t, err, "write", ErrRange)
		if n != 0 || e.Off != tt.off || e.Len != int64(tt.n) {
			t.Errorf("WriteAt(%d bytes, %d) = %d, %+v", tt.n, tt.off, n, e)
		}
		wantBytes(t, "the file", contents(t, name), pattern(200))
	}
	for _, off := range []int64{0, 50, 100} {
		if n, err := m.WriteAt(nil, off); n != 0 || err != nil {
			t.Errorf("WriteAt(nothing, %d) = %d, %v; want 0, nil", off, n, err)
		}
	}
	if n, err := m.WriteAt([]byte("ends"), 96); n != 4 || err != nil {
		t.Errorf("WriteAt at the end = %d, %v; want 4, nil", n, err)
	}
	wantBytes(t, "the file's middle", contents(t, name)[116:120], []byte("ends"))
}

// truncatedFile is a file that was cut after it was mapped: what a test over many
// cuts, offsets and lengths is about.
type truncatedFile struct {
	mapOff int64 // where the mapping begins in the file
	size   int64 // what the file was cut to
	off, n int64 // the access, in the mapping
}

// forTruncated runs a test over many truncated files.
func forTruncated(t *testing.T, test func(t *testing.T, m *Mapping, f *os.File, c truncatedFile)) {
	needMappings(t)
	checkLeaks(t)
	f := makeFile(t, nil)
	p := pageSize
	full := pattern(4 * p)
	for _, mapOff := range []int64{0, 1, p - 1, p, p + 37} {
		m := mustMap(t)(MapRange(f, mapOff, 3*p-50, &FileConfig{Prot: Read | Write}))
		for _, size := range []int64{0, 1, p - 1, p, p + 1, p + 100, 2*p - 1, 2 * p, 4 * p} {
			for _, off := range []int64{0, 1, 99, p - 1, p, p + 50, 2*p + 10} {
				for _, n := range []int64{1, 2, 40, 100, p, p + 1, 2*p - 50} {
					if n > m.Len()-off {
						continue
					}
					// Truncating first clears what was behind the end.
					for _, s := range []int64{0, 4 * p} {
						if err := f.Truncate(s); err != nil {
							t.Fatal(err)
						}
					}
					if _, err := f.WriteAt(full, 0); err != nil {
						t.Fatal(err)
					}
					if err := f.Truncate(size); err != nil {
						t.Fatal(err)
					}
					test(t, m, f, truncatedFile{mapOff, size, off, n})
				}
			}
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// edge returns how many bytes of the access have a page behind them.
func (c truncatedFile) edge() int64 {
	return min(max(roundUp(c.size, pageSize)-c.mapOff-c.off, 0), c.n)
}

// bytes returns what is at n bytes from the access on: the file's, then zeros.
func (c truncatedFile) bytes(n int64) []byte {
	all := pattern(8 * pageSize)
	clear(all[c.size:])
	return all[c.mapOff+c.off:][:n]
}

// checkEdge checks what an access returned.
func (c truncatedFile) checkEdge(t *testing.T, op string, n int, err error) {
	t.Helper()
	if int64(n) != c.edge() {
		t.Fatalf("%+v: %s returned %d, want %d", c, op, n, c.edge())
	}
	if c.edge() == c.n {
		if err != nil {
			t.Fatalf("%+v: %s: %v", c, op, err)
		}
		return
	}
	if e := wantError(t, err, op, ErrFault, ErrTruncated); e.Off != c.off+c.edge() || e.Len != 1 {
		t.Fatalf("%+v: got Off %d and Len %d, want %d and 1", c, e.Off, e.Len, c.off+c.edge())
	}
}

func TestReadAtTruncated(t *testing.T) {
	forTruncated(t, func(t *testing.T, m *Mapping, _ *os.File, c truncatedFile) {
		b := make([]byte, c.n)
		n, err := m.ReadAt(b, c.off)
		c.checkEdge(t, "read", n, err)
		if want := c.bytes(int64(n)); !bytes.Equal(b[:n], want) {
			t.Fatalf("%+v: got other bytes than the file's", c)
		}
	})
}

func TestWriteAtTruncated(t *testing.T) {
	forTruncated(t, func(t *testing.T, m *Mapping, f *os.File, c truncatedFile) {
		b := bytes.Repeat([]byte{0xaa}, int(c.n))
		n, err := m.WriteAt(b, c.off)
		c.checkEdge(t, "write", n, err)
		want := pattern(c.size)
		if from := c.mapOff + c.off; from < c.size {
			copy(want[from:], b[:n])
		}
		got := make([]byte, c.size)
		if _, err := f.ReadAt(got, 0); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%+v: the file has other bytes than those that were written", c)
		}
	})
}

// TestAccessCauses makes the third of four pages inaccessible in one way after
// another. Each access gets as far as there, and says why no further.
func TestAccessCauses(t *testing.T) {
	needMappings(t)
	both := []string{"read", "write"}
	p := pageSize
	tests := []struct {
		name string
		make func(m *Mapping, off int64) error
		ops  []string
		want []error
	}{
		{"protected", func(m *Mapping, off int64) error { return m.Protect(off, p, None) }, both, []error{ErrProtected, sys.EACCES}},
		{"read-only", func(m *Mapping, off int64) error { return m.Protect(off, p, Read) }, both[1:], []error{ErrProtected}},
		{"unmapped", func(m *Mapping, off int64) error { return m.Unmap(off, p) }, both, []error{ErrUnmapped}},
		{"guard page", func(m *Mapping, off int64) error { return m.InstallGuard(off, p) }, both, []error{ErrProtected}},
	}
	for _, tt := range tests {
		for _, delta := range []int64{0, 1, p - 1} {
			t.Run(fmt.Sprintf("%s, %d into a page", tt.name, delta), func(t *testing.T) {
				checkLeaks(t)
				f := makeFile(t, pattern(5*p))
				m := mustMap(t)(MapRange(f, delta, 4*p-delta, &FileConfig{Prot: Read | Write}))
				bad := 2*p - delta
				if err := tt.make(m, bad); errors.Is(err, errors.ErrUnsupported) {
					t.Skip(err)
				} else if err != nil {
					t.Fatal(err)
				}
				do := map[string]func([]byte, int64) (int, error){"read": m.ReadAt, "write": m.WriteAt}
				for _, op := range tt.ops {
					b := pattern(5 * p)[delta+10:][:3*p-delta]
					n, err := do[op](b, 10)
					e := wantError(t, err, op, append(tt.want, ErrFault)...)
					if int64(n) != bad-10 || e.Off != bad {
						t.Errorf("%s: got %d bytes and Off %d, want %d and %d", op, n, e.Off, bad-10, bad)
					}
				}
				wantBytes(t, "the rest", m.Bytes()[bad+p:], pattern(5 * p)[3*p:4*p])
			})
		}
	}
}

// TestReadAtIntoMapping reads into memory that faults itself. That is not the
// fault of the mapping that is read.
func TestReadAtIntoMapping(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	src := mustMap(t)(Map(makeFile(t, pattern(100)), nil))
	dst := mustMap(t)(Map(makeFile(t, pattern(100)), nil)) // read-only
	err := Guard(func() error {
		_, err := src.ReadAt(dst.Bytes(), 0)
		return err
	}, dst)
	if e := wantError(t, err, "guard", ErrFault, ErrProtected); e.Name != dst.Name() {
		t.Errorf("got the fault of %q, want that of %q", e.Name, dst.Name())
	}
	wantPanic(t, func() {
		n, err := src.ReadAt(dst.Bytes(), 0)
		t.Errorf("got %d, %v; want a panic", n, err)
	})
}

func TestAccessAllocates(t *testing.T) {
	needMappings(t)
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	checkLeaks(t)
	m := mustMap(t)(Map(makeFile(t, pattern(100)), &FileConfig{Prot: Read | Write}))
	b := make([]byte, 10)
	failed := false
	for name, fn := range map[string]func(){
		"ReadAt":  func() { _, err := m.ReadAt(b, 3); failed = failed || err != nil },
		"WriteAt": func() { _, err := m.WriteAt(b, 3); failed = failed || err != nil },
		"Load":    func() { _, err := Load[uint64](m, 3); failed = failed || err != nil },
		"Load of a struct": func() {
			_, err := Load[struct{ a, b [3]uint32 }](m, 3)
			failed = failed || err != nil
		},
		"Store": func() { failed = failed || Store(m, 3, [2]uint64{}) != nil },
		"Guard": func() { failed = failed || Guard(func() error { copy(b, m.Bytes()); return nil }, m) != nil },
	} {
		if got := testing.AllocsPerRun(100, fn); got != 0 || failed {
			t.Errorf("%s: got %v allocations, want 0 (failed: %v)", name, got, failed)
		}
	}
}
