//go:build linux

package memmap

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/memmap-go/memmap/internal/sys"
)

// freeAddress returns an address with n bytes of room that nothing is mapped at.
func freeAddress(t *testing.T, n int64) uintptr {
	t.Helper()
	addr, err := sys.Map(0, uintptr(n), sys.ProtNone, inaccessible, -1, 0)
	must(t, err)
	must(t, sys.Unmap(addr, uintptr(n)))
	return addr
}

// TestAddr maps at an address, and nowhere else.
func TestAddr(t *testing.T) {
	checkLeaks(t)
	f := makeFile(t, pattern(4*pageSize))
	addr := freeAddress(t, 8*pageSize)
	// A mapping that begins inside of a page: its first page lies there.
	m := mustMap(t)(MapRange(f, pageSize+100, 2*pageSize, &FileConfig{Addr: addr, MaxLen: 6 * pageSize}))
	if got := m.now.Load().pages; got.addr != addr {
		t.Errorf("it lies at %#x, want %#x", got.addr, addr)
	}
	wantBytes(t, "file", m.Bytes(), pattern(4 * pageSize)[pageSize+100:][:2*pageSize])
	stale := m.Bytes()
	must(t, m.Close())
	wantStale(t, m, stale, 0, ErrClosed)
	// The place stays out of use for a while, also for those who ask for it.
	_, err := Anonymous(pageSize, &AnonConfig{Addr: addr})
	wantError(t, err, "map", ErrInUse)
}

// TestAddrInUse asks for addresses where something is: all of it, its end, its
// start. Nothing happens to it.
func TestAddrInUse(t *testing.T) {
	checkLeaks(t)
	live := mustMap(t)(Anonymous(4*pageSize, &AnonConfig{Addr: freeAddress(t, 8*pageSize) + uintptr(2*pageSize)}))
	want := scribble(t, live)
	at := live.now.Load().pages.addr
	program := slices.IndexFunc(readAreas(t), func(a area) bool { return strings.Contains(a.prot, "x") })
	heap := slices.IndexFunc(readAreas(t), func(a area) bool { return a.path == "" && a.prot == "rw-" })
	tests := []struct {
		name string
		addr uintptr
		n    int64
	}{
		{"exactly", at, 4 * pageSize},
		{"inside", at + uintptr(pageSize), pageSize},
		{"its end", at + uintptr(3*pageSize), 2 * pageSize},
		{"its start", at - uintptr(pageSize), 2 * pageSize},
		{"all of it", at - uintptr(pageSize), 6 * pageSize},
		{"the program", readAreas(t)[program].addr, pageSize},
		{"the Go heap", readAreas(t)[heap].addr, pageSize},
		{"an arena", addresses.arenas[0].addr, pageSize},
	}
	for _, tt := range tests {
		before := readAreas(t)
		_, err := Anonymous(tt.n, &AnonConfig{Addr: tt.addr})
		e := wantError(t, err, "map", ErrInUse)
		if e == nil || !errors.Is(err, sys.EEXIST) {
			t.Errorf("%s: got %v, want EEXIST", tt.name, err)
		}
		wantAreas(t, before, live.now.Load().pages)
		wantBytes(t, tt.name, live.Bytes(), want)
	}
	for _, addr := range []uintptr{1, at + 1, uintptr(pageSize) - 1} {
		_, err := Anonymous(pageSize, &AnonConfig{Addr: addr})
		wantError(t, err, "map", sys.EINVAL)
	}
	// Beyond what a process can have.
	_, err := Anonymous(pageSize, &AnonConfig{Addr: ^uintptr(0) - uintptr(pageSize) + 1})
	wantError(t, err, "map")
}

// TestLow32 keeps files and memory in the first 2 GiB.
func TestLow32(t *testing.T) {
	checkLeaks(t)
	if runtime.GOARCH != "amd64" {
		_, err := Anonymous(1, &AnonConfig{Low32: true})
		wantError(t, err, "map", errors.ErrUnsupported)
		t.Skip("only amd64 has it")
	}
	f := makeFile(t, pattern(3*pageSize))
	for name, m := range map[string]*Mapping{
		"file":   mustMap(t)(MapRange(f, 10, 2*pageSize, &FileConfig{Low32: true})),
		"memory": mustMap(t)(Anonymous(3<<20, &AnonConfig{Low32: true, Populate: true})),
		"shared": mustMap(t)(Anonymous(pageSize, &AnonConfig{Low32: true, Shared: true})),
	} {
		if got := m.now.Load().pages; got.end() > 1<<31 {
			t.Errorf("%s lies at %#x", name, got.addr)
		}
		if name == "file" {
			wantBytes(t, name, m.Bytes(), pattern(3 * pageSize)[10:][:2*pageSize])
		}
	}
}

// TestDroppable is memory of a sort of its own; it reads as zero or as what was
// stored.
func TestDroppable(t *testing.T) {
	checkLeaks(t)
	m, err := Anonymous(4*pageSize, &AnonConfig{Droppable: true})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	mustMap(t)(m, err)
	want := scribble(t, m)
	for page := range int64(4) {
		got := bytes.Clone(m.Bytes()[page*pageSize:][:pageSize])
		if !bytes.Equal(got, want[page*pageSize:][:pageSize]) && !bytes.Equal(got, make([]byte, pageSize)) {
			t.Errorf("page %d has neither what was stored nor zeros", page)
		}
	}
	if flags := areaFlags(t, m); !strings.Contains(flags[0], "dp") {
		t.Errorf("flags are %q, want dp among them", flags[0])
	}
	_, err = Anonymous(1, &AnonConfig{Droppable: true, Lock: LockOnFault})
	wantError(t, err, "map", sys.EINVAL)
}

// TestSyncFlag needs a file system with DAX, and says so where it has none.
func TestSyncFlag(t *testing.T) {
	checkLeaks(t)
	f := makeFile(t, pattern(pageSize))
	_, err := Map(f, &FileConfig{Prot: Read | Write, Sync: true})
	if err == nil {
		t.Skip("this file system has DAX")
	}
	if e := wantError(t, err, "map", errors.ErrUnsupported); !strings.Contains(e.Error(), "DAX") {
		t.Errorf("got %q, which doesn't say why", e)
	}
}

// TestNoReserve looks at the flag of the area.
func TestNoReserve(t *testing.T) {
	checkLeaks(t)
	f := makeFile(t, pattern(pageSize))
	for _, noReserve := range []bool{false, true} {
		for name, m := range map[string]*Mapping{
			"file":   mustMap(t)(Map(f, &FileConfig{Prot: Read | Write, Private: true, NoReserve: noReserve})),
			"memory": mustMap(t)(Anonymous(pageSize, &AnonConfig{NoReserve: noReserve})),
			"shared": mustMap(t)(Anonymous(pageSize, &AnonConfig{NoReserve: noReserve, Shared: true})),
		} {
			if got := slices.Contains(strings.Fields(areaFlags(t, m)[0]), "nr"); got != noReserve {
				t.Errorf("%s, NoReserve %v: flags are %q", name, noReserve, areaFlags(t, m)[0])
			}
		}
	}
}

// TestName shows in /proc/self/maps.
func TestName(t *testing.T) {
	checkLeaks(t)
	for _, shared := range []bool{false, true} {
		m := mustMap(t)(Anonymous(pageSize, &AnonConfig{Name: "a name", Shared: shared}))
		if m.Name() != "a name" {
			t.Errorf("got %q", m.Name())
		}
		a := areasIn(readAreas(t), m.now.Load().pages)
		if len(a) != 1 || shared && a[0].path != "/memfd:a" || !shared && a[0].path != "" && a[0].path != "[anon:a" {
			t.Errorf("shared %v: got areas %v", shared, a) // the path is its first word
		}
	}
	_, err := Anonymous(pageSize, &AnonConfig{Name: strings.Repeat("n", 300), Shared: true})
	wantError(t, err, "map", sys.EINVAL)
	mustMap(t)(Anonymous(pageSize, &AnonConfig{Name: strings.Repeat("n", 300)})) // a hint
}

// TestHugeAlignment places long mappings where the kernel can use huge pages.
func TestHugeAlignment(t *testing.T) {
	checkLeaks(t)
	f := makeFile(t, pattern(pageSize))
	for _, n := range []int64{transparentHuge, transparentHuge + 1, 5 * transparentHuge / 2} {
		for name, m := range map[string]*Mapping{
			"memory": mustMap(t)(Anonymous(n, nil)),
			"file":   mustMap(t)(MapRange(f, 0, n, nil)),
			"room":   mustMap(t)(Map(f, &FileConfig{MaxLen: n})),
		} {
			if addr := m.now.Load().pages.addr; addr%transparentHuge != 0 {
				t.Errorf("%s of %d bytes lies at %#x", name, n, addr)
			}
		}
	}
}

// TestProtections maps with each protection that there is.
func TestProtections(t *testing.T) {
	forKinds(t, func(t *testing.T, k kind) {
		for prot := Prot(1); prot <= None; prot++ {
			if prot&None != 0 && prot != None {
				continue
			}
			t.Run(fmt.Sprint(prot), func(t *testing.T) {
				r := mustReserve(t, pageSize)
				m := k.place(t, r, 0, pageSize, prot)
				if got := areasIn(readAreas(t), m.now.Load().pages); len(got) != 1 || got[0].prot != prot.String() {
					t.Errorf("got areas %v, want %v", got, prot)
				}
				if got := areasIn(readAreas(t), m.now.Load().pages)[0].shared; got == k.private {
					t.Errorf("the area is shared: %v", got)
				}
			})
		}
	})
}

// TestReadOnlyDescriptor finds out what a descriptor that can only be read is good
// for; package os has opened it.
func TestReadOnlyDescriptor(t *testing.T) {
	checkLeaks(t)
	f := openFile(t, makePath(t, pattern(pageSize)), os.O_RDONLY)
	tests := []struct {
		cfg FileConfig
		err error
	}{
		{FileConfig{}, nil},
		{FileConfig{Prot: Read | Exec}, nil},
		{FileConfig{Prot: None}, nil},
		{FileConfig{Prot: Read | Write, Private: true}, nil},
		{FileConfig{Prot: Read | Write}, sys.EACCES},
		{FileConfig{Prot: Write}, sys.EACCES},
	}
	for _, tt := range tests {
		m, err := Map(f, &tt.cfg)
		if tt.err != nil {
			wantError(t, err, "map", tt.err)
			continue
		}
		mustMap(t)(m, err)
	}
}

// TestAddrAgain maps where something was closed long enough ago.
func TestAddrAgain(t *testing.T) {
	checkLeaks(t)
	addr, err := sys.Map(0, uintptr(pageSize), sys.ProtNone, inaccessible, -1, 0)
	must(t, err)
	must(t, sys.Unmap(addr, uintptr(pageSize)))
	at := &AnonConfig{Addr: addr}
	m := mustMap(t)(Anonymous(pageSize, at))
	must(t, m.Close())
	_, err = Anonymous(pageSize, at)
	wantError(t, err, "map", ErrInUse)
	addresses.mu.Lock()
	for i := range addresses.quarantine.ranges {
		addresses.quarantine.ranges[i].since = time.Time{}
	}
	addresses.mu.Unlock()
	mustMap(t)(Anonymous(pageSize, at))
}

// TestNameGrown names what was added as well.
func TestNameGrown(t *testing.T) {
	checkLeaks(t)
	m := mustMap(t)(Anonymous(pageSize, &AnonConfig{Name: "grown"}))
	name := areasIn(readAreas(t), m.now.Load().pages)[0].path
	if name == "" {
		t.Skip("the kernel doesn't name areas")
	}
	must(t, m.Resize(3*pageSize))
	for _, a := range areasIn(readAreas(t), m.now.Load().pages) {
		if a.path != name {
			t.Errorf("got area %v, want the name %s", a, name)
		}
	}
}
