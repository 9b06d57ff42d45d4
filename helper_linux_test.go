package memmap

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/memmap-go/memmap/internal/sys"
)

// What tests on Linux have in common.

// kind is one of the cells of the table of kinds, for tests that run over all.
type kind struct {
	name            string
	private, onFile bool
}

var kinds = []kind{
	{"private file", true, true},
	{"shared file", false, true},
	{"private anonymous", true, false},
	{"shared anonymous", false, false},
}

// forKinds runs a test for each kind of mapping.
func forKinds(t *testing.T, test func(t *testing.T, k kind)) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			checkLeaks(t)
			test(t, k)
		})
	}
}

// place makes a mapping of the kind in a region, at an offset from which the file
// has its pattern, and gives it a pattern that no file has.
func (k kind) place(t *testing.T, r *Region, at, n int64, prot Prot) *Mapping {
	t.Helper()
	if k.onFile {
		f := makeFile(t, pattern(8*pageSize))
		return mustMap(t)(r.MapRange(at, f, pageSize, n, &FileConfig{Prot: prot, Private: k.private}))
	}
	return mustMap(t)(r.Anonymous(at, n, &AnonConfig{Prot: prot, Shared: !k.private}))
}

// scribble stores something into each page of a mapping, and returns all of it.
func scribble(t *testing.T, m *Mapping) []byte {
	t.Helper()
	for at := int64(5); at < m.Len(); at += pageSize {
		if _, err := m.WriteAt(fmt.Appendf(nil, "page %d", at/pageSize), at); err != nil {
			t.Fatal(err)
		}
	}
	return bytes.Clone(m.Bytes())
}

// beyond is what a mapping of the kind shows behind its first n bytes if it was
// placed by place and grew.
func (k kind) beyond(n, more int64) []byte {
	if k.onFile {
		return pattern(8 * pageSize)[pageSize+n : pageSize+n+more]
	}
	return make([]byte, more)
}

func mustReserve(t *testing.T, n int64) *Region {
	t.Helper()
	r, err := Reserve(n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil && !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
	return r
}

// mustMove resizes a mapping that has no room to grow where it lies in an arena.
func mustMove(t *testing.T, m *Mapping, n int64) {
	t.Helper()
	old := m.now.Load().pages
	behind := span{old.end(), uintptr(pageSize)}
	taken := addresses.extend(old, behind.n)
	must(t, m.Remap(n))
	if taken {
		must(t, addresses.giveBack(behind))
	}
	if m.now.Load().pages.addr == old.addr {
		t.Fatal("the mapping has not moved")
	}
}

// needGuardPages skips the test if that is what the kernel hasn't.
func needGuardPages(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	must(t, err)
}

// areasIn returns those of all areas that have pages in a range, cut to it.
func areasIn(all []area, s span) []area {
	var in []area
	for _, a := range all {
		if a.end() <= s.addr || s.end() <= a.addr {
			continue
		}
		lo, hi := max(a.addr, s.addr), min(a.end(), s.end())
		a.addr, a.n = lo, hi-lo
		in = append(in, a)
	}
	return in
}

// wantAreas checks that some ranges are mapped as they were before.
func wantAreas(t *testing.T, before []area, ranges ...span) {
	t.Helper()
	for _, s := range ranges {
		got, want := areasIn(readAreas(t), s), areasIn(before, s)
		if !slices.Equal(got, want) {
			t.Errorf("got areas\n%v, want\n%v", got, want)
		}
	}
}

// statusBytes returns a size from /proc/self/status.
func statusBytes(t *testing.T, name string) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	must(t, err)
	kB, err := strconv.ParseInt(strings.TrimSuffix(field(text, name), " kB"), 10, 64)
	must(t, err)
	return kB << 10
}

// lockedBytes returns how much memory of this process is locked.
func lockedBytes(t *testing.T) int64 {
	t.Helper()
	return statusBytes(t, "VmLck")
}

// needLock skips the test if n bytes can't be locked.
func needLock(t *testing.T, n int64) {
	t.Helper()
	limit, err := sys.LockLimit()
	must(t, err)
	if os.Getuid() != 0 && uint64(lockedBytes(t)+n) > limit {
		t.Skipf("RLIMIT_MEMLOCK is %d", limit)
	}
}

// mustSeal makes pages refuse every change, for ever: mseal(2). For children only.
func mustSeal(t *testing.T, p span) {
	t.Helper()
	const mseal = 462 // on all processors; Linux 6.10
	_, _, errno := syscall.Syscall(mseal, p.addr, p.n, 0)
	if errno == syscall.ENOSYS {
		t.Skip("no mseal(2) here")
	}
	if errno != 0 {
		t.Fatal(errno)
	}
}

// Limits that package syscall has no names for (on MIPS and SPARC, RLIMIT_MEMLOCK is
// another number).
const (
	rlimitMemlock = 8
)

// setLimit sets the soft limit of a resource, in a child process.
func setLimit(t *testing.T, resource int, n uint64) {
	t.Helper()
	var r syscall.Rlimit
	must(t, syscall.Getrlimit(resource, &r))
	r.Cur = min(n, r.Max)
	must(t, syscall.Setrlimit(resource, &r))
}

// becomeUser makes a child process that of an ordinary user.
func becomeUser(t *testing.T) {
	t.Helper()
	if os.Getuid() == 0 {
		must(t, syscall.Setgid(65534))
		must(t, syscall.Setuid(65534))
	}
}

// needPolicy skips the test if the system overcommits in another way.
func needPolicy(t *testing.T, mode OvercommitMode) *Overcommit {
	t.Helper()
	policy, err := ReadOvercommit()
	must(t, err)
	if policy.Mode != mode {
		t.Skipf("vm.overcommit_memory is %d", policy.Mode)
	}
	return policy
}
