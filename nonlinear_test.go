//go:build linux

package memmap

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/memmap-go/memmap/internal/sys"
)

// wantPages compares each page of a mapping with the page of the file that it
// should show, read by read(2).
func wantPages(t *testing.T, m *Mapping, f *os.File, pages []int64) {
	t.Helper()
	want := make([]byte, pageSize)
	for i, page := range pages {
		if _, err := f.ReadAt(want, page*pageSize); err != nil {
			t.Fatal(err)
		}
		wantBytes(t, fmt.Sprint("page ", i), m.Bytes()[int64(i)*pageSize:][:pageSize], want)
	}
}

// runsOf counts the areas that a permutation needs: neighbours in both the
// mapping and the file share one.
func runsOf(pages []int64) int {
	n := 0
	for i, page := range pages {
		if i == 0 || pages[i-1]+1 != page {
			n++
		}
	}
	return n
}

func TestMapPages(t *testing.T) {
	checkLeaks(t)
	f := makeFile(t, pattern(16*pageSize))
	rnd := rand.New(rand.NewPCG(49, 11))
	shuffled := make([]int64, 16)
	for i, page := range rnd.Perm(16) {
		shuffled[i] = int64(page)
	}
	tests := []struct {
		name  string
		pages []int64
	}{
		{"none", nil},
		{"in order", []int64{3, 4, 5, 6}},
		{"one run and another", []int64{8, 9, 2, 3}},
		{"reversed", []int64{4, 3, 2, 1, 0}},
		{"one page often", []int64{7, 7, 7}},
		{"shuffled", shuffled},
	}
	for _, tt := range tests {
		for _, private := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, " private=", private), func(t *testing.T) {
				checkLeaks(t)
				m := mustMap(t)(MapPages(f, tt.pages, &FileConfig{Private: private, Populate: true}))
				if want := int64(len(tt.pages)) * pageSize; m.Len() != want {
					t.Fatalf("got %d bytes, want %d", m.Len(), want)
				}
				wantPages(t, m, f, tt.pages)
				if got, want := len(areasIn(readAreas(t), m.now.Load().pages)), runsOf(tt.pages); got != want {
					t.Errorf("got %d areas, want %d", got, want)
				}
			})
		}
	}
}

// TestMapPagesStores stores through one of two views of a page, and into the copy
// of one of them.
func TestMapPagesStores(t *testing.T) {
	checkLeaks(t)
	f := makeFile(t, pattern(4*pageSize))
	for _, private := range []bool{false, true} {
		m := mustMap(t)(MapPages(f, []int64{2, 0, 2}, &FileConfig{Prot: Read | Write, Private: private}))
		copy(m.Bytes(), "stored")
		other := string(m.Bytes()[2*pageSize:][:6])
		inFile := string(contents(t, f.Name())[2*pageSize:][:6])
		if shared := !private; (other == "stored") != shared || (inFile == "stored") != shared {
			t.Errorf("private %v: the other view has %q, the file %q", private, other, inFile)
		}
		must(t, f.Truncate(2*pageSize))
		must(t, f.Truncate(4*pageSize))
	}
}

func TestMapPagesErrors(t *testing.T) {
	checkLeaks(t)
	f := makeFile(t, pattern(pageSize))
	tests := []struct {
		name  string
		file  *os.File
		pages []int64
		cfg   FileConfig
		want  error
	}{
		{"negative", f, []int64{0, -1}, FileConfig{}, ErrRange},
		{"too high", f, []int64{0, 1<<63 - 1}, FileConfig{}, sys.EOVERFLOW},
		{"higher than a file can be", f, []int64{0, maxLen / pageSize}, FileConfig{Populate: true}, ErrTruncated},
		{"beyond the end, populated", f, []int64{0, 1}, FileConfig{Populate: true}, ErrTruncated},
		{"room to grow", f, []int64{0}, FileConfig{MaxLen: pageSize}, sys.EINVAL},
		{"replacing", f, []int64{0}, FileConfig{Replace: true}, sys.EINVAL},
		{"no file", nil, []int64{0}, FileConfig{}, os.ErrInvalid},
		{"directory", openFile(t, t.TempDir(), os.O_RDONLY), []int64{0}, FileConfig{}, sys.ENODEV},
		{"writing a read-only file", openFile(t, f.Name(), os.O_RDONLY), []int64{0}, FileConfig{Prot: Write}, sys.EACCES},
	}
	for _, tt := range tests {
		m, err := MapPages(tt.file, tt.pages, &tt.cfg)
		if m != nil {
			t.Errorf("%s: got a mapping", tt.name)
		}
		wantError(t, err, "map pages", tt.want)
	}
}

// TestMapPagesAreas has more pages than a process may have areas: nothing is left.
func TestMapPagesAreas(t *testing.T) {
	if testing.Short() {
		t.Skip("maps all areas that a process may have")
	}
	if !inChild(t) {
		return
	}
	checkLeaks(t)
	limit, err := sysctl(os.ReadFile, "max_map_count")
	must(t, err)
	if limit > 1<<17 {
		t.Skipf("vm.max_map_count is %d", limit)
	}
	f := makeFile(t, pattern(pageSize))
	_, err = MapPages(f, make([]int64, limit+1), nil)
	e := wantError(t, err, "map pages", sys.ENOMEM)
	if !strings.Contains(e.Error(), "vm.max_map_count") {
		t.Errorf("%q doesn't name the limit", e)
	}
}

// TestRemapPages gives pages of a mapping other places of the file, at random, and
// compares with a list.
func TestRemapPages(t *testing.T) {
	const pages = 12
	rnd := rand.New(rand.NewPCG(49, 11))
	for _, delta := range []int64{0, 100} {
		t.Run(fmt.Sprint("offset ", delta), func(t *testing.T) {
			checkLeaks(t)
			f := makeFile(t, pattern(pages*pageSize))
			m := mustMap(t)(MapRange(f, delta, pages*pageSize-delta, &FileConfig{Prot: Read | Write}))
			model := make([]int64, pages) // what each page shows
			for i := range model {
				model[i] = int64(i)
			}
			for range 100 {
				first, n := rnd.Int64N(pages), 1+rnd.Int64N(4)
				last := min(first+n, pages)
				from := rnd.Int64N(pages - (last - first) + 1)
				off, fileOff := first*pageSize-delta, from*pageSize
				if first == 0 {
					off, fileOff = 0, fileOff+delta
				}
				must(t, m.RemapPages(off, last*pageSize-delta-off, fileOff))
				for i := first; i < last; i++ {
					model[i] = from + i - first
				}
				got := areasIn(readAreas(t), m.now.Load().pages)
				if want := runsOf(model); len(got) != want {
					t.Fatalf("got %d areas, want %d for %v", len(got), want, model)
				}
			}
			for i, page := range model {
				lo := max(0, int64(i)*pageSize-delta)
				hi := int64(i+1)*pageSize - delta
				want := pattern(pages * pageSize)[(page+1)*pageSize-(hi-lo):][:hi-lo]
				wantBytes(t, fmt.Sprint("page ", i), m.Bytes()[lo:hi], want)
			}
		})
	}
}

// TestRemapPagesKeeps keeps protections, locks and addresses.
func TestRemapPagesKeeps(t *testing.T) {
	checkLeaks(t)
	needLock(t, 2*pageSize)
	f := makeFile(t, pattern(8*pageSize))
	m := mustMap(t)(MapRange(f, 0, 4*pageSize, &FileConfig{Prot: Read | Write}))
	must(t, m.Protect(pageSize, pageSize, Read))
	before := lockedBytes(t)
	must(t, m.Lock(2*pageSize, pageSize, LockNow))
	b := m.Bytes()
	must(t, m.RemapPages(0, 4*pageSize, 4*pageSize))

	wantBytes(t, "remapped", b, pattern(8 * pageSize)[4*pageSize:])
	_, err := m.WriteAt([]byte("x"), pageSize)
	wantError(t, err, "write", ErrProtected)
	if got := areasIn(readAreas(t), m.now.Load().pages); len(got) < 2 || got[1].prot != "r--" {
		t.Errorf("got areas %v, want the second read-only", got)
	}
	if got := lockedBytes(t) - before; got != pageSize {
		t.Errorf("got %d bytes locked, want %d", got, pageSize)
	}
	wantError(t, m.Discard(2*pageSize, pageSize, DropPages), "discard", sys.EINVAL)
	copy(b[3*pageSize:], "through")
	if got := string(contents(t, f.Name())[7*pageSize:][:7]); got != "through" {
		t.Errorf("the file has %q, want %q", got, "through")
	}
}

// TestRemapPagesFails remaps an unlocked and a locked page to behind the end of the
// file, where the second can't be loaded: both show what they did before.
func TestRemapPagesFails(t *testing.T) {
	checkLeaks(t)
	needLock(t, pageSize)
	f := makeFile(t, pattern(4*pageSize))
	m := mustMap(t)(MapRange(f, 0, 2*pageSize, nil))
	must(t, m.Lock(pageSize, pageSize, LockNow))
	locked := lockedBytes(t)
	wantError(t, m.RemapPages(0, 2*pageSize, 8*pageSize), "remap pages", sys.ENOMEM)
	wantBytes(t, "mapping", m.Bytes(), pattern(2*pageSize))
	if got := lockedBytes(t); got != locked {
		t.Errorf("got %d bytes locked, want %d", got, locked)
	}
	must(t, m.RemapPages(0, 2*pageSize, 2*pageSize))
	wantBytes(t, "remapped", m.Bytes(), pattern(4 * pageSize)[2*pageSize:])
}

// TestRemapPagesGuards keeps guard pages where they are.
func TestRemapPagesGuards(t *testing.T) {
	checkLeaks(t)
	f := makeFile(t, pattern(3*pageSize))
	m := mustMap(t)(Map(f, nil))
	needGuardPages(t, m.InstallGuard(0, pageSize))
	must(t, m.RemapPages(0, 2*pageSize, pageSize))
	_, err := m.ReadAt(make([]byte, 1), 0)
	wantError(t, err, "read", ErrProtected)
	must(t, m.RemoveGuard(0, pageSize))
	wantBytes(t, "remapped", m.Bytes()[:2*pageSize], pattern(3 * pageSize)[pageSize:])
}

// TestRemapPagesTruncated names in an error the place in the file that the page
// shows, and the place in the mapping that was read.
func TestRemapPagesTruncated(t *testing.T) {
	checkLeaks(t)
	f := makeFile(t, pattern(4*pageSize))
	m := mustMap(t)(Map(f, nil))
	must(t, m.RemapPages(0, pageSize, 3*pageSize))
	must(t, f.Truncate(3*pageSize))
	n, err := m.ReadAt(make([]byte, 10), 5)
	e := wantError(t, err, "read", ErrFault, ErrTruncated)
	if n != 0 || e.Off != 5 {
		t.Errorf("got %d bytes, error at %d, want 0 and 5", n, e.Off)
	}
	if want := fmt.Sprintf("page at %d, file has %d bytes", 3*pageSize, 3*pageSize); !strings.Contains(e.Error(), want) {
		t.Errorf("got %q, want %q in it", e, want)
	}
	if _, err := m.ReadAt(make([]byte, 10), 2*pageSize); err != nil {
		t.Error(err)
	}
}

func TestRemapPagesErrors(t *testing.T) {
	checkLeaks(t)
	p := pageSize
	f := makeFile(t, pattern(4*p))
	m := mustMap(t)(Map(f, nil))
	unaligned := mustMap(t)(MapRange(f, 100, 3*p, nil))
	private := mustMap(t)(Map(f, &FileConfig{Private: true}))
	anon := mustMap(t)(Anonymous(p, nil))
	holed := mustMap(t)(Map(f, nil))
	must(t, holed.Unmap(p, p))
	closed := mustMap(t)(Map(f, nil))
	must(t, closed.Close())
	tests := []struct {
		name            string
		m               *Mapping
		off, n, fileOff int64
		want            error
	}{
		{"part of a page", m, 0, p - 1, p, sys.EINVAL},
		{"from inside a page", m, 1, p - 1, p, sys.EINVAL},
		{"to inside a page", unaligned, 0, p, p + 100, sys.EINVAL},
		{"unaligned in the file", m, 0, p, 1, sys.EINVAL},
		{"other distance from the page", unaligned, 0, p - 100, p, sys.EINVAL},
		{"before the file", m, 0, p, -p, sys.EINVAL},
		{"half before the file", unaligned, 0, p - 100, 0, sys.EINVAL},
		{"too high", m, 0, p, 1<<63 - 1 - (p - 1), sys.EOVERFLOW},
		{"outside", m, 3 * p, 2 * p, 0, ErrRange},
		{"negative", m, -p, p, 0, ErrRange},
		{"private", private, 0, p, p, ErrPrivate},
		{"private anonymous", anon, 0, p, 0, ErrPrivate},
		{"over a hole", holed, 0, 3 * p, p, ErrUnmapped},
		{"closed", closed, 0, p, p, ErrClosed},
	}
	for _, tt := range tests {
		before := readAreas(t)
		wantError(t, tt.m.RemapPages(tt.off, tt.n, tt.fileOff), "remap pages", tt.want)
		wantAreas(t, before, m.now.Load().pages, unaligned.now.Load().pages, holed.now.Load().pages)
	}
	wantBytes(t, "mapping", m.Bytes(), pattern(4*p))
	must(t, m.RemapPages(p, 0, 0))
}

func TestMirror(t *testing.T) {
	checkLeaks(t)
	n := 3 * pageSize
	m := mustMap(t)(Mirror(n, &AnonConfig{Name: "ring"}))
	ring := m.Bytes()
	if m.Len() != 2*n {
		t.Fatalf("got %d bytes, want %d", m.Len(), 2*n)
	}
	// A window of n bytes wraps at each place.
	want := pattern(n)
	for _, at := range []int64{0, 1, pageSize - 1, n / 2, n - 1, n} {
		copy(ring[at:][:n], want)
		wantBytes(t, fmt.Sprint("from ", at), ring[at:][:n], want)
		wantBytes(t, fmt.Sprint("from ", at, ", wrapped"), ring[:at], want[n-at:])
		wantBytes(t, fmt.Sprint("halves at ", at), ring[:n], ring[n:])
	}
	// Handed on, it is the n bytes, once.
	f, err := m.File()
	must(t, err)
	defer f.Close()
	once := mustMap(t)(Map(f, &FileConfig{Prot: Read | Write}))
	if once.Len() != n {
		t.Errorf("the memory has %d bytes, want %d", once.Len(), n)
	}
	copy(once.Bytes(), "other view")
	if got := string(ring[n:][:10]); got != "other view" {
		t.Errorf("got %q, want %q", got, "other view")
	}
}

func TestMirrorErrors(t *testing.T) {
	checkLeaks(t)
	tests := []struct {
		n    int64
		cfg  *AnonConfig
		want error
	}{
		{0, nil, sys.EINVAL},
		{-pageSize, nil, ErrRange},
		{pageSize - 1, nil, sys.EINVAL},
		{pageSize + 1, nil, sys.EINVAL},
		{1 << 61, nil, sys.ENOMEM},
		{1<<63 - 1 - (pageSize - 1), nil, sys.ENOMEM},
		{pageSize, &AnonConfig{GrowsDown: true}, sys.EINVAL},
		{pageSize, &AnonConfig{Droppable: true}, sys.EINVAL},
		{pageSize, &AnonConfig{Replace: true}, sys.EINVAL},
	}
	for _, tt := range tests {
		_, err := Mirror(tt.n, tt.cfg)
		wantError(t, err, "mirror", tt.want)
	}
	if _, err := Mirror(1<<62, nil); !errors.Is(err, sys.ENOMEM) {
		t.Errorf("too long: got %v, want ENOMEM", err)
	}
}
