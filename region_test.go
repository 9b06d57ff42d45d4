//go:build linux

package memmap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/memmap-go/memmap/internal/sys"
)

// outside returns the parts of the arenas that don't belong to a region.
func outside(r *Region) []span {
	addresses.mu.Lock()
	defer addresses.mu.Unlock()
	var parts []span
	for _, a := range addresses.arenas {
		if a.holds(r.pages.addr) {
			parts = append(parts, rest(a, r.pages)...)
		} else {
			parts = append(parts, a)
		}
	}
	return parts
}

// TestRegion places mappings of all kinds side by side, and looks at what lies
// around.
func TestRegion(t *testing.T) {
	checkLeaks(t)
	left := mustMap(t)(Anonymous(pageSize, nil))
	r := mustReserve(t, 10*pageSize)
	right := mustMap(t)(Anonymous(pageSize, nil))
	copy(left.Bytes(), "left")
	copy(right.Bytes(), "right")
	before, around := readAreas(t), outside(r)

	want := make([]byte, r.Len())
	for i, k := range kinds {
		at := int64(2*i) * pageSize
		m := k.place(t, r, at, 2*pageSize, Read|Write)
		copy(want[at:], scribble(t, m))
	}
	last := makeFile(t, pattern(2*pageSize+50))
	mustMap(t)(r.MapRange(8*pageSize+50, last, 50, 2*pageSize-50, nil))
	copy(want[8*pageSize:], pattern(2*pageSize))

	wantBytes(t, "region", r.Bytes(), want)
	if l, r := string(left.Bytes()[:4]), string(right.Bytes()[:5]); l != "left" || r != "right" {
		t.Errorf("got neighbours %q and %q", l, r)
	}
	wantAreas(t, before, around...)
	must(t, r.Close())
	wantAreas(t, before, around...)
	if got := areasIn(readAreas(t), r.pages); len(got) != 1 || got[0].prot != "---" {
		t.Errorf("after Close: got areas %v, want one that is inaccessible", got)
	}
}

func TestReserveErrors(t *testing.T) {
	checkLeaks(t)
	for n, want := range map[int64]error{
		0: ErrRange, -1: ErrRange, -1 << 63: ErrRange, 1<<63 - 1: sys.ENOMEM, 1 << 62: sys.ENOMEM, 1 << 50: sys.ENOMEM,
	} {
		_, err := Reserve(n)
		wantError(t, err, "reserve", want)
	}
	r := mustReserve(t, 1)
	if r.Len() != pageSize {
		t.Errorf("got %d bytes, want a page", r.Len())
	}
}

// TestRegionInUse places over and beside a live mapping of the pages 2 and 3.
func TestRegionInUse(t *testing.T) {
	tests := []struct {
		name     string
		at, n    int64 // in pages
		overlaps bool
		whole    bool // covers all of the live mapping
	}{
		{"before", 0, 2, false, false},
		{"behind", 4, 2, false, false},
		{"start", 1, 2, true, false},
		{"end", 3, 2, true, false},
		{"first page", 2, 1, true, false},
		{"last page", 3, 1, true, false},
		{"exactly", 2, 2, true, true},
		{"and before", 1, 3, true, true},
		{"and behind", 2, 3, true, true},
		{"all", 0, 6, true, true},
	}
	for _, tt := range tests {
		for _, replace := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, " replace=", replace), func(t *testing.T) {
				checkLeaks(t)
				r := mustReserve(t, 6*pageSize)
				live := mustMap(t)(r.Anonymous(2*pageSize, 2*pageSize, &AnonConfig{Name: "live"}))
				want, before := scribble(t, live), readAreas(t)

				m, err := r.Anonymous(tt.at*pageSize, tt.n*pageSize, &AnonConfig{Replace: replace})
				if tt.overlaps && !(replace && tt.whole) {
					e := wantError(t, err, "place", ErrInUse)
					if !strings.Contains(e.Error(), "live") {
						t.Errorf("%q doesn't name what is there", e)
					}
					wantAreas(t, before, r.pages)
				} else {
					must(t, err)
					wantBytes(t, "new mapping", m.Bytes(), make([]byte, tt.n*pageSize))
				}
				if replace && tt.whole {
					wantError(t, live.Close(), "close", ErrClosed)
					wantError(t, live.Close(), "close", ErrClosed)
					return
				}
				wantBytes(t, "live mapping", live.Bytes(), want)
			})
		}
	}
}

// TestRegionReplacesMany replaces several mappings at once, which keep nothing:
// checkLeaks looks for their descriptors.
func TestRegionReplacesMany(t *testing.T) {
	checkLeaks(t)
	r := mustReserve(t, 8*pageSize)
	var old []*Mapping
	for i, k := range kinds {
		old = append(old, k.place(t, r, int64(2*i)*pageSize, pageSize, Read|Write))
		scribble(t, old[i])
	}
	f := makeFile(t, pattern(8*pageSize))
	m := mustMap(t)(r.MapRange(0, f, 0, 8*pageSize, &FileConfig{Replace: true, Populate: true}))
	wantBytes(t, "new mapping", r.Bytes(), pattern(8*pageSize))
	for i, m := range old {
		wantError(t, m.Close(), "close", ErrClosed)
		if _, err := m.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", kinds[i].name, err)
		}
		if m.Bytes() != nil || m.Len() != 0 {
			t.Errorf("%s: a replaced mapping has %d bytes", kinds[i].name, m.Len())
		}
	}
	must(t, m.Protect(0, pageSize, None))
}

// TestRegionReplaceLocked replaces by memory that is locked, and locked memory by
// other.
func TestRegionReplaceLocked(t *testing.T) {
	checkLeaks(t)
	needLock(t, 4*pageSize)
	r := mustReserve(t, 2*pageSize)
	before := lockedBytes(t)
	mustMap(t)(r.Anonymous(0, 2*pageSize, &AnonConfig{Lock: LockNow}))
	mustMap(t)(r.Anonymous(0, 2*pageSize, &AnonConfig{Lock: LockNow, Replace: true}))
	if got := lockedBytes(t) - before; got != 2*pageSize {
		t.Errorf("got %d bytes locked, want %d", got, 2*pageSize)
	}
	mustMap(t)(r.Anonymous(0, 2*pageSize, &AnonConfig{Replace: true}))
	if got := lockedBytes(t) - before; got != 0 {
		t.Errorf("got %d bytes locked, want none", got)
	}
}

// TestRegionPlacementFails fails in all the ways there are: nothing has changed
// then, in the place nor around it, nor in what would have been replaced.
func TestRegionPlacementFails(t *testing.T) {
	checkLeaks(t)
	f := makeFile(t, pattern(3*pageSize))
	readOnly := openFile(t, f.Name(), os.O_RDONLY)
	writeOnly := openFile(t, f.Name(), os.O_WRONLY)
	closed := openFile(t, f.Name(), os.O_RDONLY)
	must(t, closed.Close())
	dir := openFile(t, t.TempDir(), os.O_RDONLY)
	r := mustReserve(t, 8*pageSize)
	old := mustMap(t)(r.MapRange(2*pageSize, f, 0, 2*pageSize, &FileConfig{Prot: Read | Write, Private: true}))
	want := scribble(t, old)

	file := func(at int64, f *os.File, off, n int64, cfg FileConfig) func() (*Mapping, error) {
		cfg.Replace = true
		return func() (*Mapping, error) { return r.MapRange(at, f, off, n, &cfg) }
	}
	anon := func(at, n int64, cfg AnonConfig) func() (*Mapping, error) {
		cfg.Replace = true
		return func() (*Mapping, error) { return r.Anonymous(at, n, &cfg) }
	}
	p := pageSize
	tests := []struct {
		name  string
		place func() (*Mapping, error)
		want  error
	}{
		{"write to a read-only file", file(2*p, readOnly, 0, 2*p, FileConfig{Prot: Read | Write}), sys.EACCES},
		{"write-only file", file(2*p, writeOnly, 0, 2*p, FileConfig{}), sys.EACCES},
		{"closed file", file(2*p, closed, 0, 2*p, FileConfig{}), os.ErrClosed},
		{"no file", file(2*p, nil, 0, 2*p, FileConfig{}), os.ErrInvalid},
		{"directory", file(2*p, dir, 0, 2*p, FileConfig{}), sys.ENODEV},
		{"negative offset of the file", file(2*p, f, -p, 2*p, FileConfig{}), ErrRange},
		{"negative length", file(2*p, f, 0, -1, FileConfig{}), ErrRange},
		{"offset too high", file(2*p, f, 1<<63-1-p+1, p, FileConfig{}), syscall.EOVERFLOW},
		{"populate past the end of the file", file(2*p, f, 2*p, 2*p, FileConfig{Populate: true}), ErrTruncated},
		{"populate past the end, nothing there", file(5*p, f, 2*p, 2*p, FileConfig{Populate: true}), ErrTruncated},
		{"populate copies past the end", file(2*p, f, 2*p, 2*p, FileConfig{Populate: true, Private: true, Prot: Read | Write}), ErrTruncated},
		{"populate what can't be touched", anon(2*p, 2*p, AnonConfig{Prot: None, Populate: true}), ErrProtected},
		{"lock past the end of the file", file(2*p, f, 2*p, 2*p, FileConfig{Lock: LockNow}), sys.ENOMEM},
		{"other distance from the page", file(2*p+1, f, 0, 2*p-1, FileConfig{}), sys.EINVAL},
		{"unaligned", anon(2*p+1, p, AnonConfig{}), sys.EINVAL},
		{"beyond the region", anon(2*p, 7*p, AnonConfig{}), ErrRange},
		{"behind the region", anon(8*p, p, AnonConfig{}), ErrRange},
		{"far behind the region", anon(1<<62, p, AnonConfig{}), ErrRange},
		{"before the region", anon(-p, 4*p, AnonConfig{}), ErrRange},
		{"half before the region", file(0, f, 100, p, FileConfig{}), ErrRange},
		{"too long", anon(0, 1<<63-1, AnonConfig{}), sys.ENOMEM},
		{"room to grow", file(2*p, f, 0, 2*p, FileConfig{MaxLen: 3 * p}), sys.EINVAL},
		{"address", anon(2*p, 2*p, AnonConfig{Addr: uintptr(16 * p)}), sys.EINVAL},
		{"low", anon(2*p, 2*p, AnonConfig{Low32: true}), sys.EINVAL},
		{"stack", anon(2*p, 2*p, AnonConfig{GrowsDown: true}), sys.EINVAL},
		{"no protection", anon(2*p, 2*p, AnonConfig{Prot: 1 << 7}), sys.EINVAL},
		{"DAX", file(2*p, f, 0, 2*p, FileConfig{Sync: true}), errors.ErrUnsupported},
		{"empty beyond the region", anon(9*p, 0, AnonConfig{}), ErrRange},
	}
	for _, tt := range tests {
		before := readAreas(t)
		m, err := tt.place()
		wantError(t, err, "place", tt.want)
		if m != nil {
			t.Errorf("%s: got a mapping with the error", tt.name)
		}
		wantAreas(t, before, append(outside(r), r.pages)...)
		wantBytes(t, tt.name, old.Bytes(), want)
	}
	// A private page that had been copied still is.
	if got, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(got, pattern(3*p)) {
		t.Errorf("the file has changed: %v", err)
	}
}

// TestRegionPlacementLimits fails at the limits of the process.
func TestRegionPlacementLimits(t *testing.T) {
	if !inChild(t) {
		return
	}
	checkLeaks(t)
	const n = 64 << 20
	r := mustReserve(t, n)
	old := mustMap(t)(r.Anonymous(0, pageSize, nil))
	copy(old.Bytes(), "old")
	becomeUser(t)
	setLimit(t, rlimitMemlock, 16<<10)
	limits := map[string]AnonConfig{
		"locked":        {Lock: LockNow, Replace: true},
		"address space": {Replace: true, NoReserve: true},
	}
	for _, name := range []string{"locked", "address space"} {
		if name == "address space" {
			used, err := addressSpaceUsed()
			must(t, err)
			setLimit(t, syscall.RLIMIT_AS, used+n/2)
		}
		cfg, before := limits[name], readAreas(t)
		_, err := r.Anonymous(0, n, &cfg)
		wantError(t, err, "place", sys.ENOMEM)
		wantAreas(t, before, r.pages)
		if string(old.Bytes()[:3]) != "old" {
			t.Errorf("%s: what was there has changed", name)
		}
	}
}

func TestRegionTransfer(t *testing.T) {
	checkLeaks(t)
	p := pageSize
	r := mustReserve(t, 8*p)
	f := makeFile(t, pattern(2*p))
	mustMap(t)(r.Anonymous(0, 2*p, nil))                              // [0, 2p)
	mustMap(t)(r.Anonymous(2*p, 100, nil))                            // [2p, 2p+100)
	file := mustMap(t)(r.MapRange(4*p+50, f, 50, 2*p-50, &FileConfig{ // [4p+50, 6p)
		Prot: Read | Write}))
	end := mustMap(t)(r.Anonymous(6*p, 2*p, nil)) // [6p, 8p)
	must(t, end.Protect(p, p, Read))
	tests := []struct {
		name          string
		off, n        int64
		read, written int64
		rerr, werr    error
	}{
		{"in one", 10, 20, 20, 20, nil, nil},
		{"nothing", 10, 0, 0, 0, nil, nil},
		{"nothing in a gap", 3 * p, 0, 0, 0, nil, nil},
		{"across two", p, p + 50, p + 50, p + 50, nil, nil},
		{"to the last byte", p, p + 100, p + 100, p + 100, nil, nil},
		{"one byte more", p, p + 101, p + 100, p + 100, ErrUnmapped, ErrUnmapped},
		{"into a gap", 2*p - 1, 4 * p, 101, 101, ErrUnmapped, ErrUnmapped},
		{"in the tail of a page", 2*p + 100, 10, 0, 0, ErrUnmapped, ErrUnmapped},
		{"in a gap", 3 * p, 10, 0, 0, ErrUnmapped, ErrUnmapped},
		{"in the head of a page", 4*p + 49, 10, 0, 0, ErrUnmapped, ErrUnmapped},
		{"from the first byte", 4*p + 50, 2 * p, 2 * p, 2 * p, nil, nil},
		{"into protected pages", 5 * p, 3 * p, 3 * p, 2 * p, nil, ErrProtected},
		{"to the end", 6 * p, p, p, p, nil, nil},
		{"beyond the end", 6*p + 5, 2 * p, 2*p - 5, 0, io.EOF, ErrRange},
		{"at the end", 8 * p, 1, 0, 0, io.EOF, ErrRange},
		{"behind the end", 8*p + 1, 1, 0, 0, io.EOF, ErrRange},
		{"before the start", -1, 1, 0, 0, ErrRange, ErrRange},
	}
	for _, tt := range tests {
		text := bytes.Repeat([]byte{'#'}, int(tt.n))
		before := make([]byte, 8*p)
		for at := range r.Mappings() {
			if _, err := r.ReadAt(before[at:], at); err != nil && !errors.Is(err, ErrFault) && err != io.EOF {
				t.Fatal(err)
			}
		}
		got := bytes.Clone(text)
		n, err := r.ReadAt(got, tt.off)
		if int64(n) != tt.read || !errors.Is(err, tt.rerr) {
			t.Errorf("%s: ReadAt: got %d, %v, want %d, %v", tt.name, n, err, tt.read, tt.rerr)
		}
		if n > 0 {
			wantBytes(t, tt.name, got[:n], before[tt.off:][:n])
		}
		wantBytes(t, tt.name+", rest", got[n:], text[n:])

		n, err = r.WriteAt(text, tt.off)
		if int64(n) != tt.written || !errors.Is(err, tt.werr) {
			t.Errorf("%s: WriteAt: got %d, %v, want %d, %v", tt.name, n, err, tt.written, tt.werr)
		}
		if n > 0 {
			copy(before[tt.off:], text[:n])
		}
		wantBytes(t, tt.name+", file", contents(t, f.Name())[50:], before[4*p+50:6*p])
		wantBytes(t, tt.name+", end", end.Bytes(), before[6*p:])
	}
	must(t, f.Truncate(p))
	n, err := r.ReadAt(make([]byte, p), 5*p-10)
	if n != 10 || !errors.Is(err, ErrTruncated) {
		t.Errorf("beyond the end of the file: got %d, %v, want 10, ErrTruncated", n, err)
	}
	must(t, file.Close())
	_, err = r.ReadAt(make([]byte, 1), 5*p)
	wantError(t, err, "read", ErrFault, ErrUnmapped)
}

func TestRegionClose(t *testing.T) {
	checkLeaks(t)
	r := mustReserve(t, 8*pageSize)
	var ms []*Mapping
	for i, k := range kinds {
		ms = append(ms, k.place(t, r, int64(2*i)*pageSize, pageSize, Read|Write))
	}
	stale := r.Bytes()
	must(t, r.Close())
	for i, m := range ms {
		if _, err := m.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrClosed) {
			t.Errorf("mapping %d: ReadAt: got %v, want ErrClosed", i, err)
		}
		wantError(t, m.Close(), "close", ErrClosed)
	}
	wantStale(t, ms[0], stale, 0, ErrClosed)
	wantError(t, r.Close(), "close", ErrClosed)
	if r.Bytes() != nil {
		t.Error("a closed region has bytes")
	}
	for at := range r.Mappings() {
		t.Errorf("a closed region has a mapping at %d", at)
	}
	_, err := r.ReadAt(make([]byte, 1), 0)
	wantError(t, err, "read", ErrClosed)
	_, err = r.WriteAt(make([]byte, 1), 0)
	wantError(t, err, "write", ErrClosed)
	_, err = r.Anonymous(0, pageSize, nil)
	wantError(t, err, "place", ErrClosed)
	_, err = r.Anonymous(0, 0, nil)
	wantError(t, err, "place", ErrClosed)
	m := mustMap(t)(Anonymous(pageSize, nil))
	_, err = r.Move(0, m)
	wantError(t, err, "move", ErrClosed)
	copy(m.Bytes(), "alive")
}

// TestRegionCloseOfPlacement closes mappings one by one, and places others there.
func TestRegionCloseOfPlacement(t *testing.T) {
	forKinds(t, func(t *testing.T, k kind) {
		r := mustReserve(t, 4*pageSize)
		for at := range int64(3) {
			m := k.place(t, r, at*pageSize, 2*pageSize, Read|Write)
			stale := m.Bytes()
			scribble(t, m)
			must(t, m.Close())
			wantError(t, m.Close(), "close", ErrClosed)
			wantStale(t, m, stale, 0, ErrClosed)
		}
		wantBytes(t, "new memory", mustMap(t)(r.Anonymous(0, 4*pageSize, nil)).Bytes(), make([]byte, 4*pageSize))
	})
}

func TestRegionMove(t *testing.T) {
	homes := map[string]func(t *testing.T, k kind, r *Region) *Mapping{
		"from the arena": func(t *testing.T, k kind, _ *Region) *Mapping {
			other := mustReserve(t, 4*pageSize)
			m := k.place(t, other, 0, 2*pageSize, Read|Write)
			mustMap(t)(other.Anonymous(2*pageSize, pageSize, nil))
			must(t, m.Remap(3*pageSize))
			must(t, m.Resize(2*pageSize))
			must(t, other.Close())
			return m
		},
		"from another region": func(t *testing.T, k kind, _ *Region) *Mapping {
			return k.place(t, mustReserve(t, 4*pageSize), pageSize, 2*pageSize, Read|Write)
		},
		"in the region": func(t *testing.T, k kind, r *Region) *Mapping {
			return k.place(t, r, 6*pageSize, 2*pageSize, Read|Write)
		},
	}
	for name, from := range homes {
		t.Run(name, func(t *testing.T) {
			forKinds(t, func(t *testing.T, k kind) {
				r := mustReserve(t, 8*pageSize)
				next := mustMap(t)(r.Anonymous(2*pageSize, pageSize, nil))
				copy(next.Bytes(), "next")
				m := from(t, k, r)
				stale, want := m.Bytes(), scribble(t, m)

				moved, err := r.Move(0, m)
				must(t, err)
				wantBytes(t, "moved", r.Bytes()[:2*pageSize], want)
				wantBytes(t, "moved", moved.Bytes(), want)
				wantStale(t, m, stale, 0, ErrClosed)
				wantError(t, m.Close(), "close", ErrClosed)
				if string(next.Bytes()[:4]) != "next" {
					t.Error("the neighbour has changed")
				}
				for at, m := range r.Mappings() {
					if at == 0 && m != moved {
						t.Error("another mapping is at 0")
					}
				}
				must(t, moved.Close())
				mustMap(t)(r.Anonymous(0, 2*pageSize, nil))
			})
		})
	}
}

func TestRegionMoveErrors(t *testing.T) {
	checkLeaks(t)
	p := pageSize
	r := mustReserve(t, 4*p)
	mustMap(t)(r.Anonymous(2*p, p, nil))
	inside := mustMap(t)(r.Anonymous(0, p, nil))
	f := makeFile(t, pattern(3*p))
	unaligned := mustMap(t)(MapRange(f, 100, p, nil)) // two pages
	anon := mustMap(t)(Anonymous(p, nil))
	closed := mustMap(t)(Anonymous(p, nil))
	must(t, closed.Close())
	tests := []struct {
		name string
		at   int64
		m    *Mapping
		want error
	}{
		{"over another", 2 * p, anon, ErrInUse},
		{"over another's part", p + 100, unaligned, ErrInUse},
		{"over itself", 0, inside, ErrInUse},
		{"unaligned", 1, anon, sys.EINVAL},
		{"other distance from the page", p, unaligned, sys.EINVAL},
		{"other distance from the page, 0", 0, unaligned, sys.EINVAL},
		{"behind the end", 4 * p, anon, ErrRange},
		{"beyond the end", 3*p + 100, unaligned, ErrRange},
		{"negative", -p, anon, ErrRange},
		{"closed", 3 * p, closed, ErrClosed},
		{"empty", 3 * p, mustMap(t)(Anonymous(0, nil)), sys.EINVAL},
	}
	copy(anon.Bytes(), "anon")
	for _, tt := range tests {
		before := readAreas(t)
		m, err := r.Move(tt.at, tt.m)
		if m != nil {
			t.Errorf("%s: got a mapping", tt.name)
		}
		wantError(t, err, "move", tt.want)
		wantAreas(t, before, append(outside(r), r.pages)...)
	}
	if string(anon.Bytes()[:4]) != "anon" {
		t.Error("a mapping that didn't move has changed")
	}
	wantBytes(t, "unaligned", unaligned.Bytes(), pattern(3 * p)[100:][:p])

	must(t, inside.Close())
	moved, err := r.Move(100, unaligned)
	must(t, err)
	wantBytes(t, "unaligned", moved.Bytes(), pattern(3 * p)[100:][:p])
	if at := placedAt(r, moved); at != 100 {
		t.Errorf("it is at %d, want 100", at)
	}
}

// placedAt returns the offset of a mapping in a region, or -1.
func placedAt(r *Region, m *Mapping) int64 {
	for at, placed := range r.Mappings() {
		if placed == m {
			return at
		}
	}
	return -1
}

// TestRegionMoveBothWays moves mappings between two regions, both ways at once.
func TestRegionMoveBothWays(t *testing.T) {
	checkLeaks(t)
	a, b := mustReserve(t, 4*pageSize), mustReserve(t, 4*pageSize)
	var movers sync.WaitGroup
	for i, pair := range [][2]*Region{{a, b}, {b, a}, {a, b}, {b, a}} {
		m, err := pair[0].Anonymous(int64(i)*pageSize, pageSize, nil)
		must(t, err)
		m.Bytes()[0] = byte(i)
		movers.Go(func() {
			for n := range 200 {
				moved, err := pair[(n+1)%2].Move(int64(i)*pageSize, m)
				if err != nil {
					t.Error(err)
					return
				}
				m = moved
				if got, err := Load[byte](m, 0); got != byte(i) || err != nil {
					t.Errorf("got %d, %v, want %d", got, err, i)
				}
			}
		})
	}
	movers.Wait()
}

func TestRegionMappings(t *testing.T) {
	checkLeaks(t)
	r := mustReserve(t, 16*pageSize)
	f := makeFile(t, pattern(pageSize))
	at := map[int64]*Mapping{}
	for _, page := range []int64{7, 1, 12, 4} {
		at[page*pageSize+10] = mustMap(t)(r.MapRange(page*pageSize+10, f, 10, 20, nil))
	}
	list := func(stop int) (offsets []int64) {
		for off, m := range r.Mappings() {
			if at[off] != m {
				t.Errorf("another mapping is at %d", off)
			}
			if offsets = append(offsets, off); len(offsets) == stop {
				break
			}
		}
		return offsets
	}
	p := pageSize
	if got, want := list(-1), []int64{p + 10, 4*p + 10, 7*p + 10, 12*p + 10}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := list(2); len(got) != 2 {
		t.Errorf("got %v after a break at 2", got)
	}
	// The loop may change the region.
	for _, m := range r.Mappings() {
		must(t, m.Close())
	}
	if got := list(-1); got != nil {
		t.Errorf("got %v, want none", got)
	}
}

// TestRegionUnderReaders reads a region while what is placed there is closed,
// replaced and moved: each read gets what was, or what is there, or an error that
// says that nothing is.
func TestRegionUnderReaders(t *testing.T) {
	checkLeaks(t)
	p := pageSize
	r := mustReserve(t, 4*p)
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			got := make([]byte, 2*p)
			for {
				select {
				case <-stop:
					return
				default:
				}
				if n, err := r.ReadAt(got, 10); err != nil && !errors.Is(err, ErrUnmapped) {
					t.Errorf("got %d bytes, %v", n, err)
					return
				}
			}
		})
	}
	for range 300 {
		m, err := r.Anonymous(0, 2*p, nil)
		must(t, err)
		_, err = r.Anonymous(0, 3*p, &AnonConfig{Replace: true})
		must(t, err)
		m, err = r.Anonymous(0, 2*p, &AnonConfig{Replace: true})
		if err == nil {
			t.Fatal("a part of a mapping was replaced")
		}
		for _, m = range r.Mappings() {
			must(t, m.Close())
		}
	}
	close(stop)
	readers.Wait()
}

// TestRegionModel does random things to a region, and compares it with a list of
// pages.
func TestRegionModel(t *testing.T) {
	checkLeaks(t)
	steps := 3000
	if testing.Short() {
		steps = 500
	}
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			model := newRegionModel(t, seed)
			for step := range steps {
				model.step()
				if step%25 == 0 || step == steps-1 {
					model.compare()
				}
				if t.Failed() {
					t.Fatalf("after step %d: %s", step, model.last)
				}
			}
			must(t, model.region.Close())
		})
	}
}

// regionModel is a region, page by page.
type regionModel struct {
	t      *testing.T
	rand   *rand.Rand
	region *Region
	file   *os.File
	pages  [24]pageModel
	last   string // what was done
}

type pageModel struct {
	owner *Mapping // nil: nothing is placed there
	hole  bool
	text  byte // the page's first byte
	file  int  // the page of the file
}

// accessible reports whether something is placed there that can be accessed.
func (p pageModel) accessible() bool {
	inFile := p.owner != nil && (p.owner.file == nil || p.file < len(regionModel{}.pages))
	return inFile && !p.hole
}

// next is the page behind p when its mapping grows.
func (p pageModel) next() pageModel {
	next := pageModel{owner: p.owner, file: p.file + 1}
	if p.owner.file != nil {
		next.text = textOf(next.file)
	}
	return next
}

// textOf returns the first byte of a page of the file; there is none beyond its
// end.
func textOf(page int) byte {
	if page < len(regionModel{}.pages) {
		return 'a' + byte(page)
	}
	return 0
}

func newRegionModel(t *testing.T, seed uint64) *regionModel {
	m := &regionModel{t: t, rand: rand.New(rand.NewPCG(seed, 1))}
	m.region = mustReserve(t, int64(len(m.pages))*pageSize)
	var text []byte
	for i := range m.pages {
		text = append(text, bytes.Repeat([]byte{textOf(i)}, int(pageSize))...)
	}
	m.file = makeFile(t, text)
	return m
}

func (m *regionModel) step() {
	at, n := m.rand.IntN(len(m.pages)), 1+m.rand.IntN(5)
	var err error
	var possible bool
	switch what := m.rand.IntN(10); what {
	case 0, 1, 2, 3:
		possible, err = m.place(at, n, what%2 == 0, what < 2)
	case 4:
		possible, err = m.close(at)
	case 5:
		possible, err = m.resize(at, n)
	case 6:
		possible, err = m.move(at, m.rand.IntN(len(m.pages)))
	case 7:
		possible, err = m.unmap(at)
	default:
		possible, err = m.store(at, byte('A'+n))
	}
	if possible != (err == nil) {
		m.t.Errorf("%s: got %v, want success: %v", m.last, err, possible)
	}
}

// place maps pages of the file, or anonymous ones.
func (m *regionModel) place(at, n int, replace, file bool) (possible bool, err error) {
	m.last = fmt.Sprintf("place %d pages at %d, replace %v, file %v", n, at, replace, file)
	possible = at+n <= len(m.pages)
	for i := at; possible && i < at+n; i++ {
		owner := m.pages[i].owner
		first, last := m.extent(owner)
		possible = owner == nil || replace && at <= first && last < at+n
	}
	var placed *Mapping
	off, size := int64(at)*pageSize, int64(n)*pageSize
	if file {
		placed, err = m.region.MapRange(off, m.file, off, size, &FileConfig{Prot: Read | Write, Private: true, Replace: replace})
	} else {
		placed, err = m.region.Anonymous(off, size, &AnonConfig{Replace: replace})
	}
	for i := at; err == nil && i < min(at+n, len(m.pages)); i++ {
		m.pages[i] = pageModel{owner: placed, file: i}
		if file {
			m.pages[i].text = textOf(i)
		}
	}
	return possible, err
}

// extent returns the first and the last page of a mapping.
func (m *regionModel) extent(of *Mapping) (first, last int) {
	first = slices.IndexFunc(m.pages[:], func(p pageModel) bool { return p.owner == of })
	for last = first; last+1 < len(m.pages) && m.pages[last+1].owner == of; last++ {
	}
	return first, last
}

func (m *regionModel) close(at int) (possible bool, err error) {
	m.last = fmt.Sprint("close what is at ", at)
	owner := m.pages[at].owner
	if owner == nil {
		return true, nil
	}
	first, last := m.extent(owner)
	clear(m.pages[first : last+1])
	return true, owner.Close()
}

func (m *regionModel) resize(at, n int) (possible bool, err error) {
	m.last = fmt.Sprintf("resize what is at %d to %d pages", at, n)
	owner := m.pages[at].owner
	if owner == nil {
		return true, nil
	}
	first, last := m.extent(owner)
	possible = first+n <= len(m.pages) && !(m.pages[last].hole && first+n > last+1)
	for i := last + 1; possible && i < first+n; i++ {
		possible = m.pages[i].owner == nil
	}
	if err = owner.Resize(int64(n) * pageSize); err != nil {
		return possible, err
	}
	for i := last + 1; i < min(first+n, len(m.pages)); i++ {
		m.pages[i] = m.pages[i-1].next()
	}
	if first+n <= last {
		clear(m.pages[first+n : last+1])
	}
	return possible, nil
}

func (m *regionModel) move(at, to int) (possible bool, err error) {
	m.last = fmt.Sprintf("move what is at %d to %d", at, to)
	owner := m.pages[at].owner
	if owner == nil {
		return true, nil
	}
	first, last := m.extent(owner)
	n := last - first + 1
	possible = to+n <= len(m.pages)
	for i := to; possible && i < to+n; i++ {
		possible = m.pages[i].owner == nil
	}
	moved, err := m.region.Move(int64(to)*pageSize, owner)
	if err != nil {
		return possible, err
	}
	was := slices.Clone(m.pages[first : last+1])
	clear(m.pages[first : last+1])
	for i, p := range was {
		p.owner = moved
		m.pages[to+i] = p
	}
	return possible, nil
}

func (m *regionModel) unmap(at int) (possible bool, err error) {
	m.last = fmt.Sprint("unmap page ", at)
	p := &m.pages[at]
	if p.owner == nil {
		return true, nil
	}
	first, _ := m.extent(p.owner)
	p.hole, p.text = true, 0
	return true, p.owner.Unmap(int64(at-first)*pageSize, pageSize)
}

func (m *regionModel) store(at int, text byte) (possible bool, err error) {
	m.last = fmt.Sprintf("store %c in page %d", text, at)
	p := &m.pages[at]
	if possible = p.accessible(); possible {
		p.text = text
	}
	_, err = m.region.WriteAt([]byte{text}, int64(at)*pageSize)
	return possible, err
}

// compare looks at each page, and at the list of mappings.
func (m *regionModel) compare() {
	for i, p := range m.pages {
		got := []byte{0}
		_, err := m.region.ReadAt(got, int64(i)*pageSize)
		if p.accessible() != (err == nil) || got[0] != p.text {
			m.t.Errorf("page %d: got %q, %v, want %q, accessible: %v", i, got[0], err, p.text, p.accessible())
		}
	}
	var want, got []*Mapping
	for _, p := range m.pages {
		if p.owner != nil && !slices.Contains(want, p.owner) {
			want = append(want, p.owner)
		}
	}
	for at, placed := range m.region.Mappings() {
		got = append(got, placed)
		if first, _ := m.extent(placed); int64(first)*pageSize != at {
			m.t.Errorf("a mapping is at %d, want page %d", at, first)
		}
	}
	if !slices.Equal(got, want) {
		m.t.Errorf("got %d mappings, want %d others", len(got), len(want))
	}
}

// TestRegionFaultOffset tells a fault in a placement by the region's offset.
func TestRegionFaultOffset(t *testing.T) {
	checkLeaks(t)
	r := mustReserve(t, 4*pageSize)
	mustMap(t)(r.Anonymous(2*pageSize, pageSize, &AnonConfig{Prot: None}))
	_, err := r.ReadAt(make([]byte, 10), 2*pageSize+5)
	if e := wantError(t, err, "read", ErrProtected); e.Off != 2*pageSize+5 {
		t.Errorf("got Off %d, want %d", e.Off, 2*pageSize+5)
	}
	_, err = r.WriteAt(make([]byte, 10), 2*pageSize+6)
	if e := wantError(t, err, "write", ErrProtected); e.Off != 2*pageSize+6 {
		t.Errorf("got Off %d, want %d", e.Off, 2*pageSize+6)
	}
}

// TestRegionMoveNothing moves what isn't there.
func TestRegionMoveNothing(t *testing.T) {
	r := mustReserve(t, pageSize)
	_, err := r.Move(0, nil)
	wantError(t, err, "move", fs.ErrInvalid)
	_, err = r.Move(0, new(Mapping))
	wantError(t, err, "move", ErrClosed)
}

// TestRegionStaleWriter replaces a mapping while others copy into it: what comes in
// its place gets none of that.
func TestRegionStaleWriter(t *testing.T) {
	checkLeaks(t)
	const n = 4 << 20
	junk := bytes.Repeat([]byte{0xAA}, n)
	r := mustReserve(t, n)
	m := mustMap(t)(r.Anonymous(0, n, &AnonConfig{Populate: true}))
	for round := range 40 {
		done := make(chan error)
		go func(m *Mapping) {
			for {
				if _, err := m.WriteAt(junk, 0); err != nil {
					done <- err
					return
				}
			}
		}(m)
		time.Sleep(time.Duration(round*20) * time.Microsecond)
		if round%2 == 0 {
			must(t, m.Close())
		}
		m = mustMap(t)(r.Anonymous(0, n, &AnonConfig{Populate: true, Replace: true}))
		wantError(t, <-done, "write", ErrClosed)
		if at := bytes.IndexByte(m.Bytes(), 0xAA); at >= 0 {
			t.Fatalf("round %d: the new mapping has bytes of the old one's writer at %d", round, at)
		}
	}
}

// TestRegionStaleReader closes a mapping while others read it, and puts another in
// its place: they never get its bytes without an error.
func TestRegionStaleReader(t *testing.T) {
	checkLeaks(t)
	const n = 4 << 20
	r := mustReserve(t, n)
	p := make([]byte, n)
	for round := range 40 {
		m := mustMap(t)(r.Anonymous(0, n, nil))
		copy(m.Bytes(), bytes.Repeat([]byte{'m'}, n))
		foreign := make(chan int)
		go func() {
			for {
				got, err := m.ReadAt(p, 0)
				if i := bytes.IndexByte(p[:got], 0); i >= 0 {
					foreign <- i
					return
				}
				if err != nil {
					foreign <- -1
					return
				}
			}
		}()
		time.Sleep(time.Duration(round*20) * time.Microsecond)
		must(t, m.Close())
		next := mustMap(t)(r.Anonymous(0, n, nil))
		if i := <-foreign; i >= 0 {
			t.Fatalf("round %d: read another mapping's byte at %d", round, i)
		}
		must(t, next.Close())
	}
}

// TestRegionForeignFault cuts a mapping short and places another behind it. The
// other one's faults aren't the first one's.
func TestRegionForeignFault(t *testing.T) {
	checkLeaks(t)
	r := mustReserve(t, 2*pageSize)
	m := mustMap(t)(r.Anonymous(0, 2*pageSize, nil))
	stale := m.Bytes()
	must(t, m.Resize(pageSize))
	wantStale(t, m, stale, int(pageSize), ErrMoved)
	x := mustMap(t)(r.Anonymous(pageSize, pageSize, &AnonConfig{Prot: None}))
	defer func() {
		if _, isFault := faultAddr(recover()); !isFault {
			t.Error("no fault came through")
		}
	}()
	t.Errorf("Guard returned %v", Guard(func() error { touched = x.Bytes()[0]; return nil }, m))
}

// TestRegionEmpty closes empty mappings with their region.
func TestRegionEmpty(t *testing.T) {
	checkLeaks(t)
	r := mustReserve(t, pageSize)
	f := makeFile(t, pattern(10))
	a := mustMap(t)(r.MapRange(0, f, 0, 0, nil))
	b := mustMap(t)(r.MapRange(0, f, 0, 0, nil))
	must(t, b.Close())
	must(t, r.Close())
	wantError(t, a.Close(), "close", ErrClosed)
	_, err := r.ReadAt(make([]byte, 1), 100)
	wantError(t, err, "read", ErrClosed)
}

// TestRegionMappingsLeave moves a mapping out of the region while its mappings are
// ranged over.
func TestRegionMappingsLeave(t *testing.T) {
	checkLeaks(t)
	r := mustReserve(t, 3*pageSize)
	first := mustMap(t)(r.Anonymous(0, pageSize, nil))
	second := mustMap(t)(r.Anonymous(pageSize, pageSize, nil))
	mustMap(t)(r.Anonymous(2*pageSize, pageSize, nil))
	var offsets []int64
	for off, m := range r.Mappings() {
		if m == first {
			must(t, second.Remap(2*pageSize))
		}
		offsets = append(offsets, off)
	}
	if want := []int64{0, 2 * pageSize}; !slices.Equal(offsets, want) {
		t.Errorf("got offsets %d, want %d", offsets, want)
	}
}
