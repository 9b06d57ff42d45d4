//go:build linux

package memmap

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/memmap-go/memmap/internal/sys"
)

// protections returns what each page of a mapping may be used for, as the kernel
// says it.
func protections(t *testing.T, m *Mapping) string {
	t.Helper()
	text := ""
	for _, a := range areasIn(readAreas(t), m.now.Load().pages) {
		for range int64(a.n) / pageSize {
			text += a.prot + " "
		}
	}
	return text
}

func TestProtect(t *testing.T) {
	forKinds(t, func(t *testing.T, k kind) {
		r := mustReserve(t, 6*pageSize)
		before := mustMap(t)(r.Anonymous(0, pageSize, nil))
		m := k.place(t, r, pageSize, 4*pageSize, Read|Write)
		behind := mustMap(t)(r.Anonymous(5*pageSize, pageSize, nil))
		b, want := m.Bytes(), scribble(t, m)
		steps := []struct {
			page, n int64
			prot    Prot
			want    string
		}{
			{0, 4, Read, "r-- r-- r-- r-- "},
			{1, 2, Read | Write, "r-- rw- rw- r-- "},
			{2, 1, None, "r-- rw- --- r-- "},
			{3, 1, Read | Exec, "r-- rw- --- r-x "},
			{0, 0, None, "r-- rw- --- r-x "},
			{0, 4, Read | Write, "rw- rw- rw- rw- "},
		}
		for _, s := range steps {
			must(t, m.Protect(s.page*pageSize, s.n*pageSize, s.prot))
			if got := protections(t, m); got != s.want {
				t.Errorf("Protect(%d, %d, %v): got %q, want %q", s.page, s.n, s.prot, got, s.want)
			}
			for page := range int64(4) {
				prot := s.want[4*page:][:3]
				_, err := m.ReadAt(make([]byte, 1), page*pageSize)
				if (prot[0] == 'r') != (err == nil) || err != nil && !errors.Is(err, ErrProtected) {
					t.Errorf("page %d is %s: ReadAt: %v", page, prot, err)
				}
				_, err = m.WriteAt(want[page*pageSize:][:1], page*pageSize)
				if (prot[1] == 'w') != (err == nil) || err != nil && !errors.Is(err, ErrProtected) {
					t.Errorf("page %d is %s: WriteAt: %v", page, prot, err)
				}
			}
		}
		wantBytes(t, "contents", b, want)
		if got := protections(t, before) + protections(t, behind); got != "rw- rw- " {
			t.Errorf("neighbours are %q", got)
		}
	})
}

// TestWholePages holds for all operations that change what they cover: they take
// whole pages, where the ends of the mapping count, wherever it begins in its
// first page.
func TestWholePages(t *testing.T) {
	checkLeaks(t)
	const delta = 100
	n := 2*pageSize + 50 - delta // pages end at pageSize-delta and 2*pageSize-delta
	inner := pageSize - delta
	f := makeFile(t, pattern(4*pageSize))
	ranges := []struct {
		off, n int64
		ok     bool
	}{
		{0, n, true},
		{0, inner, true},
		{inner, pageSize, true},
		{inner, n - inner, true},
		{inner + pageSize, n - inner - pageSize, true},
		{inner, 0, true},
		{0, pageSize, false},
		{0, inner - 1, false},
		{0, inner + 1, false},
		{1, inner - 1, false},
		{inner - 1, pageSize, false},
		{inner + 1, n - inner - 1, false},
		{inner, n - inner - 1, false},
		{inner, 1, false},
	}
	operations := map[string]func(m *Mapping, off, n int64) error{
		"protect":       func(m *Mapping, off, n int64) error { return m.Protect(off, n, None) },
		"unmap":         (*Mapping).Unmap,
		"discard":       func(m *Mapping, off, n int64) error { return m.Discard(off, n, DropPages) },
		"install guard": (*Mapping).InstallGuard,
		"remove guard":  (*Mapping).RemoveGuard,
		"remap pages":   func(m *Mapping, off, n int64) error { return m.RemapPages(off, n, pageSize+delta+off) },
	}
	for op, do := range operations {
		for _, r := range ranges {
			m := mustMap(t)(MapRange(f, delta, n, nil))
			err := do(m, r.off, r.n)
			if errors.Is(err, errors.ErrUnsupported) {
				break // guard pages of files came late
			}
			if r.ok {
				if err != nil {
					t.Errorf("%v", err)
				}
				continue
			}
			e := wantError(t, err, op, errPartialPage)
			if e.Off != r.off || e.Len != r.n {
				t.Errorf("%s: got range %d, %d, want %d, %d", op, e.Off, e.Len, r.off, r.n)
			}
			wantBytes(t, op, m.Bytes(), pattern(4 * pageSize)[delta:][:n])
			must(t, m.Close())
		}
	}
}

// TestProtectFails protects over a part that the kernel refuses to change: nothing
// has changed then.
func TestProtectFails(t *testing.T) {
	checkLeaks(t)
	f := makeFile(t, pattern(4*pageSize))
	m := mustMap(t)(Map(openFile(t, f.Name(), os.O_RDONLY), nil))
	must(t, m.Protect(0, pageSize, None))
	before := protections(t, m)
	e := wantError(t, m.Protect(0, 4*pageSize, Read|Write), "protect", sys.EACCES)
	if !strings.Contains(e.Error(), "opened for reading") {
		t.Errorf("got %q, which doesn't say why", e)
	}
	if got := protections(t, m); got != before {
		t.Errorf("got %q, want %q", got, before)
	}
	_, err := m.ReadAt(make([]byte, 1), 0)
	wantError(t, err, "read", ErrProtected)
	for _, p := range []Prot{0, None | Read, 1 << 5} {
		wantError(t, m.Protect(0, pageSize, p), "protect", sys.EINVAL)
	}
}

// TestProtectBeyondMemory makes more memory writable than the machine has: the
// first part could be, the second is refused.
func TestProtectBeyondMemory(t *testing.T) {
	checkLeaks(t)
	policy := needPolicy(t, OvercommitHeuristic)
	n := roundUp(policy.Memory+policy.Swap, pageSize) + 2*pageSize
	needAddresses(t, n)
	m := mustMap(t)(Anonymous(n, &AnonConfig{Prot: Read}))
	must(t, m.Protect(0, pageSize, None))
	before := areasIn(readAreas(t), m.now.Load().pages)
	e := wantError(t, m.Protect(0, n, Read|Write), "protect", sys.ENOMEM)
	t.Log(e)
	wantAreas(t, before, m.now.Load().pages)
	_, err := m.WriteAt([]byte{1}, 0)
	wantError(t, err, "write", ErrProtected)
}

// TestProtectSealed protects over a sealed part, which comes last.
func TestProtectSealed(t *testing.T) {
	if !inChild(t) {
		return
	}
	m, err := Anonymous(4*pageSize, nil)
	must(t, err)
	must(t, m.Protect(pageSize, pageSize, Read))
	mustSeal(t, m.now.Load().pages.at(3*pageSize, pageSize))
	before := protections(t, m)
	wantError(t, m.Protect(0, 4*pageSize, None), "protect", sys.EPERM)
	if got := protections(t, m); got != before {
		t.Errorf("Protect: got %q, want %q", got, before)
	}
	wantError(t, m.Unmap(0, 4*pageSize), "unmap", sys.EPERM)
	if got := protections(t, m); got != before {
		t.Errorf("Unmap: got %q, want %q", got, before)
	}
	for off := range m.Len() / pageSize {
		if _, err := m.ReadAt(make([]byte, 1), off*pageSize); err != nil {
			t.Errorf("page %d: %v", off, err)
		}
	}
}

func TestUnmap(t *testing.T) {
	forKinds(t, func(t *testing.T, k kind) {
		r := mustReserve(t, 8*pageSize)
		before := mustMap(t)(r.Anonymous(0, pageSize, nil))
		m := k.place(t, r, pageSize, 6*pageSize, Read|Write)
		behind := mustMap(t)(r.Anonymous(7*pageSize, pageSize, nil))
		copy(before.Bytes(), "before")
		copy(behind.Bytes(), "behind")
		b, want := m.Bytes(), scribble(t, m)
		must(t, m.Unmap(2*pageSize, 2*pageSize))
		must(t, m.Unmap(2*pageSize, 2*pageSize)) // again
		must(t, m.Unmap(5*pageSize, pageSize))
		if got, want := protections(t, m), "rw- rw- --- --- rw- --- "; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if m.Len() != 6*pageSize || &m.Bytes()[0] != &b[0] {
			t.Error("length or address has changed")
		}
		for _, page := range []int64{0, 1, 4} {
			wantBytes(t, fmt.Sprint("page ", page), b[page*pageSize:][:pageSize], want[page*pageSize:][:pageSize])
		}
		n, err := m.ReadAt(make([]byte, 3*pageSize), 0)
		if wantError(t, err, "read", ErrFault, ErrUnmapped); n != int(2*pageSize) {
			t.Errorf("got %d bytes before the hole, want %d", n, 2*pageSize)
		}
		err = Guard(func() error { touched = b[3*pageSize]; return nil }, m)
		wantError(t, err, "guard", ErrFault, ErrUnmapped)
		// What is unmapped belongs to the mapping still.
		_, err = r.Anonymous(3*pageSize, pageSize, nil)
		wantError(t, err, "place", ErrInUse)
		if got := string(before.Bytes()[:6]) + string(behind.Bytes()[:6]); got != "beforebehind" {
			t.Errorf("the neighbours have %q", got)
		}
		must(t, m.Unmap(0, 6*pageSize))
		_, err = m.ReadAt(make([]byte, 1), 0)
		wantError(t, err, "read", ErrUnmapped)
	})
}

// TestUnmapFreesMemory looks at what the kernel counts.
func TestUnmapFreesMemory(t *testing.T) {
	checkLeaks(t)
	const n = 32 << 20
	m := mustMap(t)(Anonymous(n, &AnonConfig{Populate: true}))
	before := statusBytes(t, "RssAnon")
	must(t, m.Unmap(0, n))
	if got := before - statusBytes(t, "RssAnon"); got < n*3/4 {
		t.Errorf("unmapping %d bytes freed %d", n, got)
	}
}

// TestHoles does everything that there is to a range with a hole in it.
func TestHoles(t *testing.T) {
	checkLeaks(t)
	needLock(t, 4*pageSize)
	f := makeFile(t, pattern(4*pageSize))
	operations := map[string]func(m *Mapping) error{
		"protect":       func(m *Mapping) error { return m.Protect(0, 3*pageSize, Read) },
		"discard":       func(m *Mapping) error { return m.Discard(0, 3*pageSize, DropPages) },
		"advise":        func(m *Mapping) error { return m.Advise(0, 3*pageSize, Random) },
		"lock":          func(m *Mapping) error { return m.Lock(0, 3*pageSize, LockNow) },
		"unlock":        func(m *Mapping) error { return m.Unlock(0, 3*pageSize) },
		"install guard": func(m *Mapping) error { return m.InstallGuard(0, 3*pageSize) },
		"remove guard":  func(m *Mapping) error { return m.RemoveGuard(0, 3*pageSize) },
		"prefault":      func(m *Mapping) error { return m.Prefault(t.Context(), 0, 3*pageSize, Read) },
		"sync":          func(m *Mapping) error { return m.SyncRange(0, 3*pageSize, SyncWritten) },
	}
	for op, do := range operations {
		m := mustMap(t)(Map(f, &FileConfig{Prot: Read | Write}))
		must(t, m.Unmap(pageSize, pageSize))
		before, locked := protections(t, m), lockedBytes(t)
		wantError(t, do(m), op, ErrUnmapped)
		if got := protections(t, m); got != before {
			t.Errorf("%s: got protections %q, want %q", op, got, before)
		}
		if got := lockedBytes(t); got != locked {
			t.Errorf("%s: got %d bytes locked, want %d", op, got, locked)
		}
		wantBytes(t, op, m.Bytes()[2*pageSize:], pattern(4 * pageSize)[2*pageSize:])
	}
}

func TestGuardPages(t *testing.T) {
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprint("shared ", shared), func(t *testing.T) {
			checkLeaks(t)
			m := mustMap(t)(Anonymous(5*pageSize, &AnonConfig{Shared: shared}))
			want := scribble(t, m)
			areas := len(areasIn(readAreas(t), m.now.Load().pages))
			needGuardPages(t, m.InstallGuard(pageSize, pageSize))
			must(t, m.InstallGuard(3*pageSize, pageSize))
			if got := len(areasIn(readAreas(t), m.now.Load().pages)); got != areas {
				t.Errorf("got %d areas, want %d as before", got, areas)
			}
			n, err := m.ReadAt(make([]byte, 2*pageSize), 0)
			if wantError(t, err, "read", ErrFault, ErrProtected); n != int(pageSize) {
				t.Errorf("got %d bytes before the guard, want %d", n, pageSize)
			}
			err = Guard(func() error { m.Bytes()[3*pageSize] = 1; return nil }, m)
			wantError(t, err, "guard", ErrFault, ErrProtected)

			must(t, m.RemoveGuard(0, 5*pageSize))
			if !shared { // the guards have taken the pages' place
				clear(want[pageSize : 2*pageSize])
				clear(want[3*pageSize : 4*pageSize])
			}
			wantBytes(t, "after RemoveGuard", m.Bytes(), want)
		})
	}
}

func TestGuardPagesLocked(t *testing.T) {
	checkLeaks(t)
	needLock(t, pageSize)
	m := mustMap(t)(Anonymous(2*pageSize, nil))
	needGuardPages(t, m.InstallGuard(pageSize, pageSize))
	must(t, m.RemoveGuard(pageSize, pageSize))
	must(t, m.Lock(pageSize, pageSize, LockNow))
	// The kernel refuses locked pages: not even the first one gets a guard.
	wantError(t, m.InstallGuard(0, 2*pageSize), "install guard", sys.EINVAL)
	if _, err := m.WriteAt([]byte("free"), 0); err != nil {
		t.Error(err)
	}
}

// TestProtectAreaLimit is at the limit of areas: what would need one more fails
// by name, and changes nothing.
func TestProtectAreaLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("maps all areas that a process may have")
	}
	if !inChild(t, atLimit) {
		return
	}
	prepareForLimit(t)
	limit, err := sysctl(os.ReadFile, "max_map_count")
	must(t, err)
	m, err := Anonymous((2*limit+4)*pageSize, &AnonConfig{NoReserve: true, Prot: Read})
	must(t, err)
	p := m.now.Load().pages
	for off := pageSize; ; off += 2 * pageSize {
		if err := sys.Protect(p.addr+uintptr(off), uintptr(pageSize), sys.ProtNone); err != nil {
			break // not through the mapping: its layout would grow as long
		}
	}
	// In the middle of an area, each makes three of one. The first may find a
	// spare area.
	for _, tt := range []struct {
		op   string
		last int64 // where it begins, downwards
		do   func(off int64) error
	}{
		{"protect", m.Len(), func(off int64) error { return m.Protect(off, pageSize, None) }},
		{"unmap", m.Len() - 30*pageSize, func(off int64) error { return m.Unmap(off, pageSize) }},
	} {
		off, err := tt.last, error(nil)
		for range 3 {
			if off -= 3 * pageSize; err == nil {
				err = tt.do(off)
			}
		}
		if e := wantError(t, err, tt.op, sys.ENOMEM); !strings.Contains(e.Error(), "vm.max_map_count") {
			t.Errorf("%q doesn't name the limit", e)
		} else if _, err := m.ReadAt(make([]byte, 1), e.Off); err != nil {
			t.Error(err)
		}
	}
	must(t, m.Close())
}
