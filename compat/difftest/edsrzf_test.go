package difftest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"testing"

	original "github.com/edsrzf/mmap-go"
	ours "github.com/memmap-go/memmap/compat/mmap-go"
)

var page = os.Getpagesize()

// slice is an MMap of either package.
type slice interface {
	bytes() []byte
	part(lo, hi, max int) slice
	Lock() error
	Unlock() error
	Flush() error
	Unmap() error
}

// mmap is what both packages' MMap is.
type mmap interface {
	~[]byte
	Lock() error
	Unlock() error
	Flush() error
}

type of[M mmap, P interface {
	*M
	Unmap() error
}] struct{ m M }

func (s *of[M, P]) bytes() []byte              { return s.m }
func (s *of[M, P]) part(lo, hi, max int) slice { return &of[M, P]{s.m[lo:hi:max]} }
func (s *of[M, P]) Lock() error                { return s.m.Lock() }
func (s *of[M, P]) Unlock() error              { return s.m.Unlock() }
func (s *of[M, P]) Flush() error               { return s.m.Flush() }
func (s *of[M, P]) Unmap() error               { return P(&s.m).Unmap() }

// api maps with one of the packages.
type api struct {
	name      string
	mapRegion func(f *os.File, n, prot, flags int, off int64) (slice, error)
}

var originalAPI = api{"original", func(f *os.File, n, prot, flags int, off int64) (slice, error) {
	m, err := original.MapRegion(f, n, prot, flags, off)
	return &of[original.MMap, *original.MMap]{m}, err
}}

var oursAPI = api{"ours", func(f *os.File, n, prot, flags int, off int64) (slice, error) {
	m, err := ours.MapRegion(f, n, prot, flags, off)
	return &of[ours.MMap, *ours.MMap]{m}, err
}}

// outcome names an error by what a program can tell of it.
func outcome(err error) string {
	var errno syscall.Errno
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, fs.ErrClosed):
		return "closed"
	}
	return "error"
}

// makeFile makes a file of n bytes, different ones in each page.
func makeFile(t *testing.T, n int) string {
	t.Helper()
	content := make([]byte, n)
	for i := range content {
		content[i] = byte(i/page + i + 1)
	}
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// faults reports whether an access to b[i] faults.
func faults(b []byte, i int, store bool) (yes bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if _, isFault := recover().(interface{ Addr() uintptr }); isFault {
			yes = true
		}
	}()
	if store {
		b[i]++
	}
	touched = b[i]
	return false
}

var touched byte

// compare does the same with both packages and wants the same report.
func compare(t *testing.T, what string, do func(t *testing.T, a api) string) {
	t.Helper()
	want, got := do(t, originalAPI), do(t, oursAPI)
	if want != got {
		t.Errorf("%s: the original says\n\t%s\nours says\n\t%s", what, want, got)
	}
}

// TestMapping tries all protections, flags, offsets and lengths on all sorts of
// files.
func TestMapping(t *testing.T) {
	count, mapped := 0, 0
	for _, size := range []int{0, 1, page, 3*page + 5} {
		for _, mode := range []int{os.O_RDONLY, os.O_RDWR, os.O_WRONLY} {
			f, err := os.OpenFile(makeFile(t, size), mode, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for c := range cases {
				count++
				want, wantErr := c.use(t, originalAPI, f)
				got, gotErr := c.use(t, oursAPI, f)
				if want != got || !asGood(gotErr, wantErr) {
					t.Errorf("file of %d opened %#x, %+v: the original says\n\t%s %v\nours says\n\t%s %v",
						size, mode, c, want, wantErr, got, gotErr)
				}
				if wantErr == nil {
					mapped++
				}
			}
		}
	}
	t.Logf("%d combinations, of which %d were mapped", count, mapped)
	if mapped < 1000 {
		t.Errorf("only %d combinations were mapped", mapped)
	}
}

// asGood reports whether an error of ours is as good as one of the original: it has
// the same errno, if that has one. Only a negative offset is EINVAL with ours and
// EOVERFLOW with the original.
func asGood(ours, original error) bool {
	if original == nil || ours == nil {
		return original == ours
	}
	var want, got syscall.Errno
	return !errors.As(original, &want) || errors.As(ours, &got) && (got == want || want == syscall.EOVERFLOW)
}

// region is what MapRegion is asked for.
type region struct{ n, prot, flags, off int }

// cases ranges over regions, good ones and bad ones.
func cases(yield func(region) bool) {
	for prot := range 16 {
		for _, flags := range []int{0, original.ANON} {
			for _, off := range []int{0, 1, page, 4 * page, -page} {
				for _, n := range []int{-1, 0, 1, page, 2*page + 1} {
					if !yield(region{n, prot, flags, off}) {
						return
					}
				}
			}
		}
	}
}

// use maps a region of a file, loads from it, stores to it and flushes it, and
// reports all that can be seen. The file is as before then, or in a state that
// depends on the case alone.
func (r region) use(t *testing.T, a api, f *os.File) (string, error) {
	m, err := a.mapRegion(f, r.n, r.prot, r.flags, int64(r.off))
	if err != nil {
		return fmt.Sprint(m.bytes() == nil), err
	}
	b := m.bytes()
	report := fmt.Sprintf("length %d, capacity %d", len(b), cap(b))
	for _, i := range []int{0, len(b) / 2, len(b) - 1} {
		if faults(b, i, false) {
			report += "; a fault"
			continue
		}
		before := b[i]
		report += fmt.Sprintf("; %d, store faults: %v", before, faults(b, i, true))
		if content, err := os.ReadFile(f.Name()); err == nil && r.flags&original.ANON == 0 && r.off+i < len(content) {
			report += fmt.Sprintf(", file has %d", content[r.off+i])
		}
		if b[i] != before {
			b[i] = before
		}
	}
	return report + fmt.Sprintf("; flush %s, unmap %s, nil %v", outcome(m.Flush()), outcome(m.Unmap()), m.bytes() == nil), nil
}

// TestParts locks, unlocks, flushes and unmaps parts. Flushing is documented as
// different: the original wants a part that begins at a page.
func TestParts(t *testing.T) {
	for _, p := range [][3]int{{0, 1, 1}, {0, page, 3 * page}, {page, 3 * page, 3 * page}, {5, 5, 5}, {page + 1, 2 * page, 3 * page}, {0, 3 * page, 3 * page}} {
		compare(t, fmt.Sprint("part ", p), func(t *testing.T, a api) string {
			m := mapFile(t, a, 3*page)
			part := m.part(p[0], p[1], p[2])
			report := fmt.Sprintf("lock %s, unlock %s, again %s", outcome(part.Lock()), outcome(part.Unlock()), outcome(part.Unlock()))
			if p[0]%page == 0 {
				report += ", flush " + outcome(part.Flush())
			}
			report += fmt.Sprintf(", unmap %s, nil %v", outcome(part.Unmap()), part.bytes() == nil)
			if p[1]-p[0] < 3*page {
				report += ", whole " + outcome(m.Unmap())
			}
			return report
		})
	}
}

// mapFile maps a file of n bytes for reading and writing, and closes it.
func mapFile(t *testing.T, a api, n int) slice {
	t.Helper()
	f, err := os.OpenFile(makeFile(t, n), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := a.mapRegion(f, n, original.RDWR, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestTwice unmaps twice, through the same variable and through another.
func TestTwice(t *testing.T) {
	compare(t, "twice", func(t *testing.T, a api) string {
		m := mapFile(t, a, page)
		other := m.part(0, page, page)
		return fmt.Sprint(outcome(m.Unmap()), outcome(m.Unmap()), outcome(m.Flush()), outcome(m.Lock()), outcome(other.Unmap()))
	})
}

// TestStale is the difference: after Unmap, the original's slice shows what was
// mapped next.
func TestStale(t *testing.T) {
	for _, a := range []api{originalAPI, oursAPI} {
		m := mapFile(t, a, page)
		stale := m.bytes()
		if err := m.Unmap(); err != nil {
			t.Fatal(err)
		}
		next := mapFile(t, a, page)
		foreign := !faults(stale, 0, false)
		if foreign != (a.name == "original") {
			t.Errorf("%s: a stale slice shows what was mapped next: %v", a.name, foreign)
		}
		if err := next.Unmap(); err != nil {
			t.Fatal(err)
		}
	}
}
