//go:build linux

package memmap

import (
	"strings"
	"syscall"
	"testing"

	"github.com/memmap-go/memmap/internal/sys"
)

// mappedBytes returns how much of a mapping the kernel has an area for that can be
// accessed.
func mappedBytes(t *testing.T, m *Mapping) (n int64) {
	t.Helper()
	for _, a := range areasIn(readAreas(t), m.now.Load().pages) {
		if a.prot != "---" {
			n += int64(a.n)
		}
	}
	return n
}

// TestGrowsDown touches a mapping from its end to its start, as a stack is.
func TestGrowsDown(t *testing.T) {
	checkLeaks(t)
	m := mustMap(t)(Anonymous(stackGap, &AnonConfig{GrowsDown: true}))
	if got := mappedBytes(t, m); got != pageSize {
		t.Fatalf("at first %d bytes are mapped, want a page", got)
	}
	for off := m.Len() - 1; off >= 0; off -= pageSize {
		if _, err := m.WriteAt([]byte{byte(off / pageSize)}, off); err != nil {
			t.Fatalf("at %d: %v", off, err)
		}
		if got, want := mappedBytes(t, m), m.Len()-roundDown(off, pageSize); got != want {
			t.Fatalf("after a store at %d, %d bytes are mapped, want %d", off, got, want)
		}
	}
	for off := int64(pageSize - 1); off < m.Len(); off += pageSize {
		if got := m.Bytes()[off]; got != byte(off/pageSize) {
			t.Fatalf("byte %d is %d", off, got)
		}
	}
	stale := m.Bytes()
	must(t, m.Close())
	wantStale(t, m, stale, 0, ErrClosed)
	wantStale(t, m, stale, len(stale)-1, ErrClosed)
}

// TestGrowsDownFar grows by touching far below what is mapped.
func TestGrowsDownFar(t *testing.T) {
	checkLeaks(t)
	for _, n := range []int64{1, pageSize, 2 * pageSize, stackGap - pageSize, stackGap} {
		m := mustMap(t)(Anonymous(n, &AnonConfig{GrowsDown: true}))
		if _, err := m.WriteAt([]byte("low"[:min(n, 3)]), 0); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		if got := mappedBytes(t, m); got != roundUp(n, pageSize) {
			t.Errorf("%d bytes: %d are mapped after a store at the start", n, got)
		}
	}
}

// TestGrowsDownInCompany has others map memory where the kernel lets them, before
// the stack has grown: it still grows to its full length.
func TestGrowsDownInCompany(t *testing.T) {
	checkLeaks(t)
	m := mustMap(t)(Anonymous(stackGap, &AnonConfig{GrowsDown: true}))
	pages := m.now.Load().pages
	var taken []uintptr
	defer func() {
		for _, addr := range taken {
			must(t, sys.Unmap(addr, uintptr(pageSize)))
		}
	}()
	for off := int64(-2 * stackGap); off < stackGap; off += 16 * pageSize {
		// The address is a hint: the kernel takes it if it may.
		addr, err := sys.Map(pages.addr+uintptr(off), uintptr(pageSize), sys.ProtRead, sys.Private|sys.Anonymous, -1, 0)
		must(t, err)
		taken = append(taken, addr)
		if pages.holds(addr) {
			t.Errorf("the kernel gave away a page %d bytes into the stack", addr-pages.addr)
		}
	}
	for off := m.Len() - 1; off >= 0; off -= pageSize {
		if _, err := m.WriteAt([]byte{1}, off); err != nil {
			t.Fatalf("at %d: %v", off, err)
		}
	}
}

// TestGrowsDownLimit can't grow beyond RLIMIT_STACK.
func TestGrowsDownLimit(t *testing.T) {
	if !inChild(t) {
		return
	}
	m := mustMap(t)(Anonymous(stackGap, &AnonConfig{GrowsDown: true}))
	setLimit(t, syscall.RLIMIT_STACK, 64<<10)
	if _, err := m.WriteAt([]byte{1}, m.Len()-32<<10); err != nil {
		t.Error(err)
	}
	_, err := m.WriteAt([]byte{1}, m.Len()-128<<10)
	e := wantError(t, err, "write", ErrFault)
	t.Log(e)
	if _, err := m.WriteAt([]byte{1}, m.Len()-1); err != nil {
		t.Error(err)
	}
}

// TestGrowsDownOperations does to a stack what other mappings are for: it works or
// says that it doesn't, and the stack is as it was.
func TestGrowsDownOperations(t *testing.T) {
	operations := map[string]func(m *Mapping) error{
		"resize":     func(m *Mapping) error { return m.Resize(2 * pageSize) },
		"grow":       func(m *Mapping) error { return m.Resize(16 * pageSize) },
		"remap":      func(m *Mapping) error { return m.Remap(16 * pageSize) },
		"take pages": func(m *Mapping) error { _, err := m.TakePages(); return err },
		"protect":    func(m *Mapping) error { return m.Protect(0, pageSize, Read) },
		"lock":       func(m *Mapping) error { return m.Lock(0, pageSize, LockNow) },
		"discard":    func(m *Mapping) error { return m.Discard(0, pageSize, DropPages) },
		"alias":      func(m *Mapping) error { _, err := m.Alias(); return err },
	}
	for name, do := range operations {
		t.Run(name, func(t *testing.T) {
			checkLeaks(t)
			m := mustMap(t)(Anonymous(8*pageSize, &AnonConfig{GrowsDown: true}))
			copy(m.Bytes()[7*pageSize:], "top")
			if err := do(m); err == nil {
				t.Errorf("it works, for %d bytes of which %d are mapped", m.Len(), mappedBytes(t, m))
			}
			if got := string(m.Bytes()[7*pageSize:][:3]); got != "top" {
				t.Errorf("the stack has %q, want %q", got, "top")
			}
			if _, err := m.WriteAt([]byte("x"), 0); err != nil {
				t.Errorf("it doesn't grow any more: %v", err)
			}
		})
	}
}

func TestGrowsDownErrors(t *testing.T) {
	checkLeaks(t)
	for name, tt := range map[string]struct {
		n   int64
		cfg AnonConfig
	}{
		"too long":      {stackGap + 1, AnonConfig{}},
		"shared":        {pageSize, AnonConfig{Shared: true}},
		"at an address": {pageSize, AnonConfig{Addr: uintptr(1 << 30)}},
		"low":           {pageSize, AnonConfig{Low32: true}},
		"huge":          {pageSize, AnonConfig{Huge: DefaultHuge}},
		"droppable":     {pageSize, AnonConfig{Droppable: true}},
		"populated":     {pageSize, AnonConfig{Populate: true}},
		"locked":        {pageSize, AnonConfig{Lock: LockNow}},
	} {
		tt.cfg.GrowsDown = true
		_, err := Anonymous(tt.n, &tt.cfg)
		if e := wantError(t, err, "map", sys.EINVAL); !strings.Contains(e.Error(), "GrowsDown") {
			t.Errorf("%s: got %q", name, e)
		}
	}
	if m := mustMap(t)(Anonymous(0, &AnonConfig{GrowsDown: true})); m.Len() != 0 {
		t.Errorf("an empty stack has %d bytes", m.Len())
	}
}

// TestGrowsDownGap maps at an address in the gap that a stack may grow into: the
// stack's Close would destroy it.
func TestGrowsDownGap(t *testing.T) {
	checkLeaks(t)
	m := mustMap(t)(Anonymous(stackGap, &AnonConfig{GrowsDown: true}))
	in := m.now.Load().pages.addr + 16*uintptr(pageSize)
	_, err := Anonymous(pageSize, &AnonConfig{Addr: in})
	wantError(t, err, "map", ErrInUse)
	must(t, m.Close())
	if n := len(addresses.stacks); n != 0 {
		t.Errorf("%d stacks are left", n)
	}
}

// TestGrowsDownNotYet asks for operations on what hasn't grown yet, and is told why that can't be.
func TestGrowsDownNotYet(t *testing.T) {
	checkLeaks(t)
	m := mustMap(t)(Anonymous(8*pageSize, &AnonConfig{GrowsDown: true}))
	for op, err := range map[string]error{
		"protect": m.Protect(0, 4*pageSize, Read), "advise": m.Advise(0, 4*pageSize, DontDump),
		"discard": m.Discard(0, 4*pageSize, DropPages), "prefault": m.Prefault(t.Context(), 0, 4*pageSize, Write),
	} {
		if err == nil || !strings.Contains(err.Error(), "as far as it has grown") {
			t.Errorf("%s: got %v", op, err)
		}
	}
}
