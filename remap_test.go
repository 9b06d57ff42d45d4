//go:build linux

package memmap

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/memmap-go/memmap/internal/sys"
)

// wantStale checks that bytes which a mapping has left fault, as its own.
func wantStale(t *testing.T, m *Mapping, stale []byte, i int, cause error) {
	t.Helper()
	err := Guard(func() error {
		touched = stale[i]
		return nil
	}, m)
	wantError(t, err, "guard", ErrFault, cause)
}

func TestResizeShrinks(t *testing.T) {
	forKinds(t, func(t *testing.T, k kind) {
		r := mustReserve(t, 8*pageSize)
		m := k.place(t, r, 0, 4*pageSize, Read|Write)
		old, want := m.Bytes(), scribble(t, m)
		n := pageSize + 10
		if err := m.Resize(n); err != nil {
			t.Fatal(err)
		}
		wantBytes(t, "after shrinking", m.Bytes(), want[:n])
		if &m.Bytes()[0] != &old[0] {
			t.Error("the mapping has moved")
		}
		if got := areasIn(readAreas(t), r.pages); len(got) != 2 || got[0].n != uintptr(2*pageSize) || got[1].prot != "---" {
			t.Errorf("got areas %v, want 2 pages and then inaccessible memory", got)
		}
		wantStale(t, m, old, int(2*pageSize), ErrMoved)
		// What was cut off is free for others.
		mustMap(t)(r.Anonymous(2*pageSize, pageSize, nil))
	})
}

func TestResizeGrowsInPlace(t *testing.T) {
	forKinds(t, func(t *testing.T, k kind) {
		r := mustReserve(t, 8*pageSize)
		m := k.place(t, r, pageSize, 2*pageSize, Read|Write)
		old, want := m.Bytes(), scribble(t, m)
		n := 2*pageSize + 100
		if err := m.Resize(n); err != nil {
			t.Fatal(err)
		}
		if m.file != nil && !k.onFile {
			// Resize leaves the memory file as it was; see Grow.
			if _, err := m.ReadAt(make([]byte, 1), 2*pageSize); !errors.Is(err, ErrTruncated) {
				t.Errorf("got %v, want ErrTruncated", err)
			}
			if err := m.Grow(n); err != nil {
				t.Fatal(err)
			}
		}
		if m.Len() != n || &m.Bytes()[0] != &old[0] {
			t.Fatalf("got %d bytes at %p, want %d at %p", m.Len(), m.Bytes(), n, old)
		}
		wantBytes(t, "old part", m.Bytes()[:len(want)], want)
		wantBytes(t, "new part", m.Bytes()[len(want):], k.beyond(2*pageSize, 100))
		if err := m.Resize(8 * pageSize); !errors.Is(err, sys.ENOMEM) {
			t.Errorf("growing beyond the region: got %v, want ENOMEM", err)
		}
	})
}

// TestResizeInArena grows a mapping into free space of an arena.
func TestResizeInArena(t *testing.T) {
	checkLeaks(t)
	m := mustMap(t)(Anonymous(8<<20, nil))
	old := &m.Bytes()[0]
	m.Bytes()[8<<20-1] = 'x'
	if err := m.Resize(9 << 20); err != nil {
		t.Fatal(err)
	}
	b := m.Bytes()
	if &b[0] != old || b[8<<20-1] != 'x' || b[9<<20-1] != 0 {
		t.Error("growing has moved or changed the memory")
	}
	// The new pages are the mapping's: nobody else gets them.
	m2 := mustMap(t)(Anonymous(pageSize, nil))
	if at := m2.now.Load().pages; m.now.Load().pages.holds(at.addr) {
		t.Errorf("a new mapping lies at %#x, in another one", at.addr)
	}
}

func TestResizeBlocked(t *testing.T) {
	forKinds(t, func(t *testing.T, k kind) {
		r := mustReserve(t, 8*pageSize)
		m := k.place(t, r, 0, 2*pageSize, Read|Write)
		next := mustMap(t)(r.Anonymous(2*pageSize, pageSize, nil))
		next.Bytes()[0] = 'n'
		want, before := scribble(t, m), readAreas(t)
		e := wantError(t, m.Resize(3*pageSize), "resize", sys.ENOMEM)
		if e.Len != 3*pageSize {
			t.Errorf("got Len %d, want %d", e.Len, 3*pageSize)
		}
		wantBytes(t, "mapping", m.Bytes(), want)
		if next.Bytes()[0] != 'n' {
			t.Error("the neighbour has changed")
		}
		wantAreas(t, before, r.pages)
	})
}

func TestRemapMoves(t *testing.T) {
	forKinds(t, func(t *testing.T, k kind) {
		r := mustReserve(t, 8*pageSize)
		m := k.place(t, r, 0, 3*pageSize, Read|Write)
		next := mustMap(t)(r.Anonymous(3*pageSize, pageSize, nil))
		next.Bytes()[0] = 'n'
		old, want := m.Bytes(), scribble(t, m)
		if err := m.Remap(5 * pageSize); err != nil {
			t.Fatal(err)
		}
		if !k.private && !k.onFile {
			if err := m.Grow(5 * pageSize); err != nil {
				t.Fatal(err)
			}
		}
		if &m.Bytes()[0] == &old[0] {
			t.Fatal("the mapping has not moved")
		}
		wantBytes(t, "old part", m.Bytes()[:len(want)], want)
		wantBytes(t, "new part", m.Bytes()[len(want):], k.beyond(3*pageSize, 2*pageSize))
		wantStale(t, m, old, 0, ErrMoved)
		wantStale(t, m, old, len(old)-1, ErrMoved)
		if next.Bytes()[0] != 'n' {
			t.Error("the neighbour has changed")
		}
		// Its place in the region is free, and closing it leaves the region alone.
		mustMap(t)(r.Anonymous(0, 3*pageSize, nil)).Bytes()[0] = 'f'
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if r.Bytes()[0] != 'f' {
			t.Error("closing the moved mapping has changed its old place")
		}
	})
}

// TestRemapLayout moves a mapping that isn't alike everywhere: a hole, a page
// that may only be read, one that may not be touched, one of another place of the
// file.
func TestRemapLayout(t *testing.T) {
	forKinds(t, func(t *testing.T, k kind) {
		r := mustReserve(t, 8*pageSize)
		m := k.place(t, r, 0, 6*pageSize, Read|Write)
		mustMap(t)(r.Anonymous(6*pageSize, pageSize, nil))
		want := scribble(t, m)
		must(t, m.Unmap(pageSize, pageSize))
		must(t, m.Protect(2*pageSize, pageSize, Read))
		must(t, m.Protect(3*pageSize, pageSize, None))
		if !k.private {
			must(t, m.RemapPages(4*pageSize, pageSize, m.now.Load().layout[0].fileOff))
			copy(want[4*pageSize:], want[:pageSize])
		}
		if err := m.Remap(6*pageSize + 1); err != nil {
			t.Fatal(err)
		}
		b := m.Bytes()
		for _, page := range []int64{0, 2, 4, 5} {
			wantBytes(t, fmt.Sprint("page ", page), b[page*pageSize:][:pageSize], want[page*pageSize:][:pageSize])
		}
		_, err := m.ReadAt(make([]byte, 1), pageSize)
		wantError(t, err, "read", ErrUnmapped)
		_, err = m.WriteAt(make([]byte, 1), 2*pageSize)
		wantError(t, err, "write", ErrProtected)
		_, err = m.ReadAt(make([]byte, 1), 3*pageSize)
		wantError(t, err, "read", ErrProtected)
		must(t, m.Protect(3*pageSize, pageSize, Read))
		wantBytes(t, "page 3", b[3*pageSize:][:pageSize], want[3*pageSize:][:pageSize])
	})
}

// TestRemapTwoAreas moves memory that the kernel keeps in two areas, though it is
// alike everywhere for us: growing by name makes such.
func TestRemapTwoAreas(t *testing.T) {
	checkLeaks(t)
	r := mustReserve(t, 8*pageSize)
	m := mustMap(t)(r.Anonymous(0, pageSize, &AnonConfig{Name: "grown"}))
	scribble(t, m)
	must(t, m.Resize(2*pageSize))
	want := scribble(t, m)
	if got := areasIn(readAreas(t), m.now.Load().pages); len(got) == 1 {
		t.Skip("areas have no names here")
	}
	moved, err := r.Move(4*pageSize, m)
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "moved", moved.Bytes(), want)
}

func TestRemapKeepsLocks(t *testing.T) {
	forKinds(t, func(t *testing.T, k kind) {
		needLock(t, 8*pageSize)
		r := mustReserve(t, 8*pageSize)
		m := k.place(t, r, 0, 2*pageSize, Read|Write)
		mustMap(t)(r.Anonymous(4*pageSize, pageSize, nil))
		must(t, m.Lock(0, m.Len(), LockNow))
		before := lockedBytes(t)
		wantLocked := func(n, more int64) {
			t.Helper()
			// Memory beyond the end of the file can't be loaded.
			err := m.Remap(n)
			if !k.private && !k.onFile {
				wantError(t, err, "remap", sys.ENOMEM)
				must(t, m.file.Truncate(n))
				err = m.Remap(n)
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := lockedBytes(t) - before; got != more {
				t.Errorf("%d bytes: got %d bytes more locked, want %d", n, got, more)
			}
			resident, err := m.Resident(0, n)
			if err != nil {
				t.Fatal(err)
			}
			for i, yes := range resident {
				if !yes {
					t.Errorf("%d bytes: page %d is locked, but not resident", n, i)
				}
			}
		}
		wantLocked(3*pageSize, pageSize)   // in place
		wantLocked(6*pageSize, 4*pageSize) // moved
		must(t, m.Resize(pageSize))
		if got := lockedBytes(t) - before; got != -pageSize {
			t.Errorf("after shrinking: got %d bytes more locked, want %d", got, -pageSize)
		}
	})
}

// TestRemapUndone seals one part of a mapping, which then can't move: the other
// part has to come back.
func TestRemapUndone(t *testing.T) {
	if !inChild(t) {
		return
	}
	r, err := Reserve(4 * pageSize)
	must(t, err)
	m, err := r.Anonymous(0, 3*pageSize, nil)
	must(t, err)
	mustMap(t)(r.Anonymous(3*pageSize, pageSize, nil))
	want := scribble(t, m)
	must(t, m.Lock(0, pageSize, LockNow))
	must(t, m.Protect(pageSize, pageSize, Read))
	mustSeal(t, m.now.Load().pages.at(2*pageSize, pageSize))
	before, locked := readAreas(t), lockedBytes(t)
	wantError(t, m.Remap(4*pageSize), "remap", sys.EPERM)
	wantBytes(t, "mapping", m.Bytes(), want)
	wantAreas(t, before, r.pages)
	if got := lockedBytes(t); got != locked {
		t.Errorf("got %d bytes locked, want %d", got, locked)
	}
	if _, err := m.WriteAt([]byte("alive"), 0); err != nil {
		t.Error(err)
	}
	wantError(t, m.Close(), "close", sys.EPERM)
}

func TestResizeErrors(t *testing.T) {
	checkLeaks(t)
	empty := mustMap(t)(Anonymous(0, nil))
	holed := mustMap(t)(Anonymous(2*pageSize, nil))
	must(t, holed.Unmap(pageSize, pageSize))
	closed := mustMap(t)(Anonymous(1, nil))
	must(t, closed.Close())
	m := mustMap(t)(Anonymous(100, nil))
	m.Bytes()[0] = 'm'
	tests := []struct {
		name string
		m    *Mapping
		n    int64
		want error
	}{
		{"zero", m, 0, ErrRange},
		{"negative", m, -1, ErrRange},
		{"most negative", m, -1 << 63, ErrRange},
		{"longest", m, 1<<63 - 1, sys.ENOMEM},
		{"too long", m, maxLen, sys.ENOMEM},
		{"longer than addresses", m, maxLen - 2*pageSize, sys.ENOMEM},
		{"empty", empty, 1, sys.EINVAL},
		{"closed", closed, 1, ErrClosed},
		{"behind a hole", holed, 3 * pageSize, sys.EFAULT},
	}
	for _, tt := range tests {
		before := readAreas(t)
		if err := tt.m.Resize(tt.n); !errors.Is(err, tt.want) {
			t.Errorf("%s: Resize: got %v, want %v", tt.name, err, tt.want)
		}
		if err := tt.m.Remap(tt.n); !errors.Is(err, tt.want) {
			t.Errorf("%s: Remap: got %v, want %v", tt.name, err, tt.want)
		}
		wantAreas(t, before, holed.now.Load().pages, m.now.Load().pages)
	}
	if m.Len() != 100 || m.Bytes()[0] != 'm' {
		t.Error("the mapping has changed")
	}
}

// TestResizeGuardPages grows a mapping that ends in guard pages: what is new is
// ordinary memory.
func TestResizeGuardPages(t *testing.T) {
	checkLeaks(t)
	r := mustReserve(t, 4*pageSize)
	m := mustMap(t)(r.Anonymous(0, 2*pageSize, nil))
	needGuardPages(t, m.InstallGuard(pageSize, pageSize))
	must(t, m.Resize(3*pageSize))
	if _, err := m.WriteAt([]byte("new"), 2*pageSize); err != nil {
		t.Error(err)
	}
	must(t, m.Protect(2*pageSize, pageSize, Read))
	_, err := m.WriteAt([]byte("new"), 2*pageSize)
	if e := wantError(t, err, "write", ErrProtected); strings.Contains(e.Error(), "guard page") {
		t.Errorf("got %q, but it is no guard page", e)
	}
}

// TestRemapUnderReaders moves a mapping while others read and write it by
// guarded access: they notice nothing.
func TestRemapUnderReaders(t *testing.T) {
	forKinds(t, func(t *testing.T, k kind) {
		r := mustReserve(t, 2*pageSize)
		m := k.place(t, r, 0, 2*pageSize, Read|Write)
		want := scribble(t, m)
		stop := make(chan struct{})
		var readers sync.WaitGroup
		for range 2 {
			readers.Go(func() { readUntil(t, m, want[:pageSize], stop) })
		}
		for i := range int64(100) {
			mustMove(t, m, pageSize*(3+i))
		}
		close(stop)
		readers.Wait()
	})
}

// readUntil reads the start of a mapping over and over.
func readUntil(t *testing.T, m *Mapping, want []byte, stop chan struct{}) {
	got := make([]byte, len(want))
	for {
		select {
		case <-stop:
			return
		default:
		}
		if _, err := m.ReadAt(got, 0); err != nil {
			t.Error(err)
			return
		}
		if !bytes.Equal(got, want) {
			t.Error("read something else")
			return
		}
	}
}

func TestTakePages(t *testing.T) {
	forKinds(t, func(t *testing.T, k kind) {
		r := mustReserve(t, 8*pageSize)
		m := k.place(t, r, 0, 4*pageSize, Read|Write)
		if !k.private {
			_, err := m.TakePages()
			wantError(t, err, "take pages", sys.EINVAL)
			return
		}
		old, want := m.Bytes(), scribble(t, m)
		must(t, m.Protect(pageSize, pageSize, Read))
		must(t, m.Unmap(2*pageSize, pageSize))
		took := mustMap(t)(m.TakePages())
		if &m.Bytes()[0] != &old[0] || m.Len() != 4*pageSize || took.Len() != 4*pageSize {
			t.Error("the mapping has moved, or a length is wrong")
		}
		for _, page := range []int64{0, 1, 3} {
			part := func(b []byte) []byte { return b[page*pageSize:][:pageSize] }
			wantBytes(t, fmt.Sprint("taken page ", page), part(took.Bytes()), part(want))
			wantBytes(t, fmt.Sprint("left page ", page), part(m.Bytes()), part(k.beyond(0, 4*pageSize)))
		}
		for name, m := range map[string]*Mapping{"left": m, "taken": took} {
			if _, err := m.WriteAt([]byte{1}, pageSize); !errors.Is(err, ErrProtected) {
				t.Errorf("%s: read-only page: got %v, want ErrProtected", name, err)
			}
			if _, err := m.ReadAt([]byte{1}, 2*pageSize); !errors.Is(err, ErrUnmapped) {
				t.Errorf("%s: hole: got %v, want ErrUnmapped", name, err)
			}
			if _, err := m.WriteAt([]byte{1}, 0); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		// Each has its own life.
		must(t, m.Close())
		if got := took.Bytes()[3*pageSize+5]; got != 'p' {
			t.Errorf("after Close of the other: got %q, want 'p'", got)
		}
	})
}

func TestTakePagesLocksAndGuards(t *testing.T) {
	checkLeaks(t)
	needLock(t, pageSize)
	m := mustMap(t)(Anonymous(2*pageSize, nil))
	must(t, m.Lock(0, pageSize, LockNow))
	before := lockedBytes(t)
	took := mustMap(t)(m.TakePages())
	if got := lockedBytes(t); got != before {
		t.Errorf("got %d bytes locked, want %d: the pages that were taken are locked", got, before)
	}
	// What was left behind isn't locked, and knows it.
	must(t, m.Discard(0, pageSize, DropPages))
	wantError(t, took.Discard(0, pageSize, DropPages), "discard", sys.EINVAL)
	must(t, took.Close())

	needGuardPages(t, m.InstallGuard(pageSize, pageSize))
	took = mustMap(t)(m.TakePages())
	_, err := took.ReadAt(make([]byte, 1), pageSize)
	wantError(t, err, "read", ErrProtected)
	if _, err := m.WriteAt([]byte("free"), pageSize); err != nil {
		t.Errorf("the guard was taken with the page: %v", err)
	}
	must(t, m.Protect(pageSize, pageSize, Read))
	_, err = m.WriteAt([]byte("free"), pageSize)
	if e := wantError(t, err, "write", ErrProtected); strings.Contains(e.Error(), "guard page") {
		t.Errorf("got %q, but it is no guard page", e)
	}
}

// TestRemapKeepsGuards moves, and shows again, memory with a guard page.
func TestRemapKeepsGuards(t *testing.T) {
	forKinds(t, func(t *testing.T, k kind) {
		r := mustReserve(t, 4*pageSize)
		m := k.place(t, r, 0, 3*pageSize, Read|Write)
		mustMap(t)(r.Anonymous(3*pageSize, pageSize, nil))
		needGuardPages(t, m.InstallGuard(pageSize, pageSize))
		must(t, m.Remap(4*pageSize))
		views := map[string]*Mapping{"moved": m}
		if !k.private {
			views["alias"] = mustMap(t)(m.Alias())
		}
		for name, m := range views {
			n, err := m.WriteAt(make([]byte, 3*pageSize), 0)
			if n != int(pageSize) || !errors.Is(err, ErrProtected) {
				t.Errorf("%s: got %d, %v, want %d, ErrProtected", name, n, err, pageSize)
			}
			if _, err := m.WriteAt(make([]byte, pageSize), 2*pageSize); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestTakePagesErrors(t *testing.T) {
	checkLeaks(t)
	_, err := mustMap(t)(Anonymous(0, nil)).TakePages()
	wantError(t, err, "take pages", sys.EINVAL)
	m := mustMap(t)(Anonymous(1, nil))
	must(t, m.Close())
	_, err = m.TakePages()
	wantError(t, err, "take pages", ErrClosed)
}

func TestAlias(t *testing.T) {
	forKinds(t, func(t *testing.T, k kind) {
		r := mustReserve(t, 8*pageSize)
		m := k.place(t, r, 0, 2*pageSize, Read|Write)
		if k.private {
			_, err := m.Alias()
			wantError(t, err, "alias", ErrPrivate)
			return
		}
		must(t, m.RemapPages(pageSize, pageSize, m.now.Load().layout[0].fileOff))
		twin := mustMap(t)(m.Alias())
		copy(m.Bytes(), "one way")
		copy(twin.Bytes()[pageSize+10:], "the other")
		wantBytes(t, "twin", twin.Bytes(), m.Bytes())
		if got := string(m.Bytes()[10:19]); got != "the other" {
			t.Errorf("got %q, want %q", got, "the other")
		}
		must(t, twin.Protect(0, pageSize, Read))
		if _, err := m.WriteAt([]byte("mine"), 0); err != nil {
			t.Errorf("protecting the twin has changed the original: %v", err)
		}
		must(t, m.Close())
		if got := string(twin.Bytes()[:4]); got != "mine" {
			t.Errorf("after Close of the original: got %q, want %q", got, "mine")
		}
		must(t, twin.Sync())
		_, err := m.Alias()
		wantError(t, err, "alias", ErrClosed)
	})
}

// TestAliasOfUnaligned keeps the mapping's distance from the page boundary.
func TestAliasOfUnaligned(t *testing.T) {
	checkLeaks(t)
	want := pattern(3 * pageSize)
	f := makeFile(t, want)
	m := mustMap(t)(MapRange(f, 100, 2*pageSize, nil))
	must(t, f.Close())
	wantBytes(t, "twin", mustMap(t)(m.Alias()).Bytes(), want[100:][:2*pageSize])
}

// TestMoveUnlockable moves a locked private mapping whose file has become shorter:
// what can't be loaded can't be locked again, but nothing may be lost.
func TestMoveUnlockable(t *testing.T) {
	needLock(t, 2*pageSize)
	for name, move := range map[string]func(t *testing.T, m *Mapping) *Mapping{
		"take pages": func(t *testing.T, m *Mapping) *Mapping { return mustMap(t)(m.TakePages()) },
		"move":       func(t *testing.T, m *Mapping) *Mapping { return mustMap(t)(mustReserve(t, 2*pageSize).Move(0, m)) },
	} {
		t.Run(name, func(t *testing.T) {
			checkLeaks(t)
			f := makeFile(t, pattern(2*pageSize))
			m := mustMap(t)(Map(f, &FileConfig{Private: true, Prot: Read | Write, Lock: LockNow}))
			copy(m.Bytes(), "secret")
			must(t, f.Truncate(pageSize))
			before := lockedBytes(t)
			moved := move(t, m)
			wantBytes(t, "moved", moved.Bytes()[:6], []byte("secret"))
			if got := lockedBytes(t); got != before {
				t.Errorf("%d bytes are locked, before it were %d", got, before)
			}
		})
	}
}

// TestMoveUndone can't lock the pages again where they should go, since the limit
// was lowered: they stay where they are.
func TestMoveUndone(t *testing.T) {
	if !inChild(t) {
		return
	}
	becomeUser(t)
	setLimit(t, rlimitMemlock, uint64(4*pageSize))
	m := mustMap(t)(Anonymous(2*pageSize, &AnonConfig{Lock: LockNow}))
	copy(m.Bytes(), "secret")
	setLimit(t, rlimitMemlock, 0)
	_, err := m.TakePages()
	wantError(t, err, "take pages", sys.EPERM)
	wantBytes(t, "after it failed", m.Bytes()[:6], []byte("secret"))
	if _, err := m.WriteAt([]byte("S"), 0); err != nil {
		t.Error(err)
	}
}

// TestTakePagesDataLimit leaves no room for the empty pages that would remain: all
// stays as it was.
func TestTakePagesDataLimit(t *testing.T) {
	if !inChild(t) {
		return
	}
	const n = 64 << 20
	m := mustMap(t)(Anonymous(n, nil))
	copy(m.Bytes(), "secret")
	used, err := statusSize("VmData")
	must(t, err)
	setLimit(t, syscall.RLIMIT_DATA, used+n/2)
	_, err = m.TakePages()
	if e := wantError(t, err, "take pages", sys.ENOMEM); !strings.Contains(e.Error(), "RLIMIT_DATA") {
		t.Errorf("got error %q, which doesn't say why", e)
	}
	wantBytes(t, "after it failed", m.Bytes()[:6], []byte("secret"))
	if _, err := m.WriteAt([]byte("S"), n-1); err != nil {
		t.Error(err)
	}
}

// TestRetake fills the hole that a failed move may leave, and leaves alone what is
// there.
func TestRetake(t *testing.T) {
	checkLeaks(t)
	r := mustReserve(t, 3*pageSize)
	before := readAreas(t)
	must(t, sys.Unmap(r.pages.addr+uintptr(pageSize), uintptr(pageSize)))
	must(t, retake(r.pages.at(pageSize, pageSize)))
	wantAreas(t, before, r.pages)
	m := mustMap(t)(r.Anonymous(0, pageSize, nil))
	scribble(t, m)
	before = readAreas(t)
	if retake(m.now.Load().pages) == nil {
		t.Error("what is mapped was taken")
	}
	wantAreas(t, before, r.pages)
}
