package memmap

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// checkLeaks fails the test if, in its end, the process has more than it has now:
// descriptors, accessible memory in the package's arenas, or address space that
// is neither free nor in quarantine. It comes first in a test, and is not for
// parallel ones.
func checkLeaks(t testing.TB) {
	t.Helper()
	before := takeInventory(t)
	t.Cleanup(func() {
		if t.Skipped() {
			return
		}
		for _, leak := range takeInventory(t).beyond(before) {
			t.Errorf("leaked: %s", leak)
		}
	})
}

// inventory is what a process owns that this package could leak.
type inventory struct {
	descriptors map[string]bool // "number -> target"
	areas       map[string]bool // accessible ones in arenas: "range protection"
	taken       uintptr         // bytes of the arenas in use
	stuck       int             // ranges that wait for being replaced
}

func takeInventory(t testing.TB) inventory {
	t.Helper()
	addresses.mu.Lock()
	arenas := append([]span(nil), addresses.arenas...)
	inv := inventory{taken: takenBytes(addresses), stuck: len(addresses.stuck)}
	addresses.mu.Unlock()
	if runtime.GOOS == "linux" {
		inv.descriptors = descriptors(t)
		inv.areas = accessibleAreas(t, arenas)
	}
	return inv
}

// takenBytes returns how much of the arenas is neither free nor in quarantine.
// The space's mu is held.
func takenBytes(s *space) uintptr {
	var n uintptr
	for _, a := range s.arenas {
		n += a.n
	}
	for _, f := range s.free {
		n -= f.n
	}
	for _, q := range s.quarantine.ranges[s.quarantine.head:] {
		if s.owns(q.span) {
			n -= q.n
		}
	}
	return n
}

// beyond lists what inv has that before hasn't.
func (inv inventory) beyond(before inventory) []string {
	var more []string
	for d := range inv.descriptors {
		if !before.descriptors[d] {
			more = append(more, "descriptor "+d)
		}
	}
	for a := range inv.areas {
		if !before.areas[a] {
			more = append(more, "area "+a)
		}
	}
	if inv.taken > before.taken {
		more = append(more, fmt.Sprintf("%d bytes of address space", inv.taken-before.taken))
	}
	if inv.stuck > before.stuck {
		more = append(more, fmt.Sprintf("%d ranges that are stuck", inv.stuck-before.stuck))
	}
	return more
}

// descriptors lists the open descriptors, but for those that the Go runtime opens
// when it first needs them.
func descriptors(t testing.TB) map[string]bool {
	t.Helper()
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	open := make(map[string]bool)
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		if os.IsNotExist(err) {
			continue // the one by which the list was read
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(target, "anon_inode:") {
			open[e.Name()+" -> "+target] = true
		}
	}
	return open
}

// accessibleAreas lists the areas in the given ranges that can be accessed.
func accessibleAreas(t testing.TB, in []span) map[string]bool {
	t.Helper()
	areas := make(map[string]bool)
	for _, a := range readAreas(t) {
		for _, s := range in {
			if s.holds(a.addr) && a.prot != "---" {
				areas[a.String()] = true
			}
		}
	}
	return areas
}

// area is a line of /proc/self/maps.
type area struct {
	span
	prot   string // "rw-"
	shared bool
	path   string
}

func (a area) String() string {
	return fmt.Sprintf("%#x-%#x %s %s", a.addr, a.end(), a.prot, a.path)
}

func readAreas(t testing.TB) []area {
	t.Helper()
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	var areas []area
	for line := range bytes.Lines(text) {
		var a area
		var end uintptr
		var perms, off, dev string
		var inode uint64
		// The path is missing for anonymous memory, so n may be 6.
		n, err := fmt.Sscanf(string(line), "%x-%x %s %s %s %d %s", &a.addr, &end, &perms, &off, &dev, &inode, &a.path)
		if n < 6 || len(perms) != 4 {
			t.Fatalf("/proc/self/maps: %q: %v", line, err)
		}
		a.n, a.prot, a.shared = end-a.addr, perms[:3], perms[3] == 's'
		areas = append(areas, a)
	}
	return areas
}

// TestCheckLeaks leaks one thing after another, and wants each noticed.
func TestCheckLeaks(t *testing.T) {
	needLinux(t)
	checkLeaks(t)
	tests := []struct {
		name string
		make func() (*Mapping, error)
		want []string // what the leaks begin with
	}{
		{"nothing", func() (*Mapping, error) { return Anonymous(0, nil) }, nil},
		{"memory", func() (*Mapping, error) { return Anonymous(1, nil) }, []string{"area", fmt.Sprint(pageSize, " bytes")}},
		{"inaccessible memory", func() (*Mapping, error) { return Anonymous(1, &AnonConfig{Prot: None}) },
			[]string{fmt.Sprint(pageSize, " bytes")}},
		{"memory file", func() (*Mapping, error) { return Anonymous(0, &AnonConfig{Shared: true}) }, []string{"descriptor"}},
	}
	for _, tt := range tests {
		before := takeInventory(t)
		mustMap(t)(tt.make())
		got := takeInventory(t).beyond(before)
		if len(got) != len(tt.want) {
			t.Errorf("%s: got leaks %q, want %q", tt.name, got, tt.want)
			continue
		}
		for i, leak := range got {
			if !strings.HasPrefix(leak, tt.want[i]) {
				t.Errorf("%s: got leak %q, want %q", tt.name, leak, tt.want[i])
			}
		}
	}
}
