package memmap

import (
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/memmap-go/memmap/internal/race"
	"github.com/memmap-go/memmap/internal/sys"
)

// TestAddressSpaceLimit maps and closes in turn, far more than RLIMIT_AS allows at
// one time: what is in quarantine must be used again.
func TestAddressSpaceLimit(t *testing.T) {
	if !inChild(t) {
		return
	}
	if race.Enabled {
		t.Skip("the race detector needs more address space")
	}
	checkLeaks(t)
	used, err := addressSpaceUsed()
	must(t, err)
	setLimit(t, syscall.RLIMIT_AS, used+1<<30)
	for i := range 50 {
		m, err := Anonymous(256<<20, &AnonConfig{NoReserve: true})
		if err != nil {
			t.Fatalf("mapping %d: %v", i, err)
		}
		stale := m.Bytes()
		must(t, m.Close())
		if !faults(stale, 0) {
			t.Fatalf("mapping %d is accessible after Close", i)
		}
	}
	_, err = Anonymous(1<<30-1, nil)
	if e := wantError(t, err, "map", sys.ENOMEM); !strings.Contains(e.Error(), "RLIMIT_AS") {
		t.Errorf("got error %q, want RLIMIT_AS in it", e)
	}
	mustMap(t)(Anonymous(256<<20, &AnonConfig{NoReserve: true}))
}

// TestReleaseEmptyArena asks for more than is left, while an arena is unused.
func TestReleaseEmptyArena(t *testing.T) {
	if !inChild(t) {
		return
	}
	if race.Enabled {
		t.Skip("the race detector needs more address space")
	}
	s := testSpace(t)
	used, err := addressSpaceUsed()
	must(t, err)
	setLimit(t, syscall.RLIMIT_AS, used+uint64(firstArena)+uint64(firstArena)/2)
	page := uintptr(pageSize)
	mustGiveBack(t, s, mustTake(t, s, page, page))
	if len(s.arenas) != 1 || s.arenas[0].n != firstArena {
		t.Fatalf("got arenas %x, want one of %#x bytes", s.arenas, firstArena)
	}
	got := mustTake(t, s, firstArena+page, page)
	checkSpace(t, s, []span{got})
}

// atLimit is for child processes that go to the limit of areas: to preempt a
// goroutine at any instruction, the Go runtime may need memory that it doesn't get.
const atLimit = "GODEBUG=asyncpreemptoff=1"

// prepareForLimit makes the Go heap large enough for what comes, and starts enough
// threads: at the limit of areas there can't be more of either, and the program
// would die. It skips the test where the limit is too high to be reached.
func prepareForLimit(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("/proc/sys/vm/max_map_count")
	must(t, err)
	limit, err := strconv.Atoi(strings.TrimSpace(string(text)))
	must(t, err)
	switch {
	case limit > 100_000:
		t.Skipf("vm.max_map_count is %d: too many areas to fill", limit)
	case race.Enabled:
		t.Skip("the race detector needs more areas")
	}
	var ballast [32][]byte
	for i := range ballast {
		ballast[i] = make([]byte, 4<<20)
	}
	runtime.KeepAlive(&ballast)
	ballast = [32][]byte{}
	useAllSizes()
	runtime.GC()
	debug.SetGCPercent(-1)
	runtime.MemProfileRate = 0
	startThreads(32)
}

// useAllSizes has the runtime make its lists of spans, of which there is one for each
// size of objects, with pointers and without.
func useAllSizes() {
	for range 3 {
		for n := 8; n <= 32<<10; n += max(8, n/8) {
			for range 3 * (8<<10/n + 1) {
				runtime.KeepAlive(make([]byte, n))
				runtime.KeepAlive(make([]*byte, n/8))
			}
		}
		runtime.GC()
	}
}

// startThreads makes the runtime have so many threads, which stay.
func startThreads(n int) {
	var here, gone sync.WaitGroup
	here.Add(n)
	for range n {
		gone.Go(func() {
			runtime.LockOSThread() // nobody else can use the thread
			defer runtime.UnlockOSThread()
			here.Done()
			here.Wait()
		})
	}
	gone.Wait()
}

// fillAreas maps areas until the kernel refuses. No two are alike, so each is one.
func fillAreas(t *testing.T) []span {
	t.Helper()
	return fillMore(t, make([]span, 0, 100_000))
}

// fillMore fills up again.
func fillMore(t *testing.T, filled []span) []span {
	t.Helper()
	for len(filled) < cap(filled) {
		prot := sys.ProtNone
		if len(filled)%2 == 0 {
			prot = sys.ProtRead
		}
		addr, err := sys.Map(0, uintptr(pageSize), prot, sys.Private|sys.Anonymous, -1, 0)
		if err == sys.ENOMEM {
			return filled
		}
		must(t, err)
		filled = append(filled, span{addr, uintptr(pageSize)})
	}
	t.Fatal("no limit of areas found")
	return nil
}

func unmapAll(t *testing.T, areas []span) {
	t.Helper()
	for _, s := range areas {
		must(t, sys.Unmap(s.addr, s.n))
	}
}

// loseSpare takes away the spare area, as another thread may that maps something in
// the moment in which it is given up.
func loseSpare(t *testing.T) {
	t.Helper()
	if spare.addr == 0 {
		t.Fatal("there is no spare area")
	}
	must(t, sys.Unmap(spare.addr, uintptr(pageSize)))
	spare.addr = 0
}

func stuckRanges() int {
	addresses.mu.Lock()
	defer addresses.mu.Unlock()
	return len(addresses.stuck)
}

// TestAreaLimit closes at the limit of areas. The spare area makes that work.
func TestAreaLimit(t *testing.T) {
	if !inChild(t, atLimit) {
		return
	}
	prepareForLimit(t)
	checkLeaks(t)
	f := makeFile(t, pattern(4*pageSize))
	m := mustMap(t)(Map(f, nil))
	stale := m.Bytes()
	filled := fillAreas(t)
	_, err := Map(f, nil)
	if e := wantError(t, err, "map", sys.ENOMEM); !strings.Contains(e.Error(), "vm.max_map_count") {
		t.Errorf("got error %q, want vm.max_map_count in it", e)
	}
	must(t, m.Close())
	if !faults(stale, 0) || stuckRanges() != 0 {
		t.Errorf("after Close: accessible %v, stuck %d; want the range replaced", !faults(stale, 0), stuckRanges())
	}
	if spare.addr == 0 {
		t.Error("the spare area is not there again, though Close has freed one")
	}
	unmapAll(t, filled)
	mustMap(t)(Map(f, nil))
}

// TestSpareArea wants the spare area to be one for itself, whatever lies beside it.
func TestSpareArea(t *testing.T) {
	mustMap(t)(Anonymous(1, nil)) // makes it, if it is the first
	for _, a := range readAreas(t) {
		if a.holds(spare.addr) && (a.n != uintptr(pageSize) || !a.shared) {
			t.Errorf("got %v, want one page of shared memory", a)
		}
	}
	if spare.addr == 0 {
		t.Error("there is none")
	}
}

// TestAreaLimitWithoutSpare wants plan B: what can't be replaced is protected, its
// memory freed, and later it is replaced.
func TestAreaLimitWithoutSpare(t *testing.T) {
	if !inChild(t, atLimit) {
		return
	}
	prepareForLimit(t)
	checkLeaks(t)
	const size = 32 << 20
	m := mustMap(t)(Anonymous(size, &AnonConfig{Populate: true}))
	f := mustMap(t)(Map(makeFile(t, pattern(pageSize)), nil))
	stale, place := [][]byte{m.Bytes(), f.Bytes()}, f.now.Load().pages
	resident := statusBytes(t, "RssAnon")
	loseSpare(t)
	filled := fillAreas(t)
	must(t, m.Close())
	must(t, f.Close())
	if got := stuckRanges(); got != 2 {
		t.Fatalf("%d ranges are stuck, want 2", got)
	}
	for i, b := range stale {
		if !faults(b, 0) || !faults(b, len(b)-1) {
			t.Errorf("mapping %d is accessible after Close", i)
		}
	}
	unmapAll(t, filled)
	// Nothing is replaced yet. Looking needs memory, which the Go runtime may not
	// get at the limit.
	if freed := resident - statusBytes(t, "RssAnon"); stuckRanges() != 2 || freed < size/2 {
		t.Errorf("Close freed %d bytes of memory, want about %d; %d ranges are stuck", freed, size, stuckRanges())
	}
	mustMap(t)(Anonymous(1, nil))
	if got := stuckRanges(); got != 0 {
		t.Errorf("%d ranges are stuck though areas are free, want 0", got)
	}
	if a := areasIn(readAreas(t), place); len(a) != 1 || a[0].path != "" {
		t.Errorf("got areas %v where the file was, want inaccessible memory", a)
	}
	if spare.addr == 0 {
		t.Error("there is no spare area though areas are free")
	}
}

// TestAreaLimitInTheMiddle closes memory that is one area with its neighbours, where
// protecting fails, too.
func TestAreaLimitInTheMiddle(t *testing.T) {
	if !inChild(t, atLimit) {
		return
	}
	if guardPages.missing() {
		t.Skip(guardPages.what)
	}
	prepareForLimit(t)
	checkLeaks(t)
	var ms [3]*Mapping
	for i := range ms {
		ms[i] = mustMap(t)(Anonymous(pageSize, nil))
		if _, err := ms[i].WriteAt([]byte{byte(i)}, 0); err != nil {
			t.Fatal(err)
		}
	}
	stale := ms[1].Bytes()
	loseSpare(t)
	filled := fillAreas(t)
	must(t, ms[1].Close())
	if !faults(stale, 0) {
		t.Error("accessible after Close")
	}
	for _, i := range []int{0, 2} {
		if got, err := Load[byte](ms[i], 0); err != nil || got != byte(i) {
			t.Errorf("neighbour %d: got %d, %v; want %[1]d", i, got, err)
		}
	}
	unmapAll(t, filled)
	mustMap(t)(Anonymous(1, nil))
	if got := stuckRanges(); got != 0 {
		t.Errorf("%d ranges are stuck though areas are free, want 0", got)
	}
}

// TestAreaLimitOwn fills the limit with mappings alone. When they are closed,
// nothing else frees areas: closing has to do it.
func TestAreaLimitOwn(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	if !inChild(t, atLimit) {
		return
	}
	prepareForLimit(t)
	checkLeaks(t)
	ms := make([]*Mapping, 0, 100_000)
	var err error
	for err == nil {
		var m *Mapping
		if m, err = Anonymous(1, &AnonConfig{Prot: []Prot{Read, Read | Write}[len(ms)%2]}); err == nil {
			ms = append(ms, m)
		}
	}
	if e := wantError(t, err, "map", sys.ENOMEM); !strings.Contains(e.Error(), "vm.max_map_count") {
		t.Errorf("got error %q, want vm.max_map_count in it", e)
	}
	for _, m := range ms {
		must(t, m.Close())
	}
	mustMap(t)(Anonymous(1, nil))
	if got := stuckRanges(); got != 0 {
		t.Errorf("%d ranges are stuck, want 0", got)
	}
}

func TestTakeAt(t *testing.T) {
	checkLeaks(t)
	m := mustMap(t)(Anonymous(pageSize, nil))
	here := m.now.Load().pages.addr
	_, err := Anonymous(pageSize, &AnonConfig{Addr: here})
	wantError(t, err, "map", ErrInUse, sys.EEXIST)
	must(t, m.Close())
	// What is in quarantine, or free in an arena, isn't free for others.
	_, err = Anonymous(pageSize, &AnonConfig{Addr: here})
	wantError(t, err, "map", ErrInUse)
	free, err := sys.Map(0, uintptr(pageSize), sys.ProtNone, sys.Private|sys.Anonymous, -1, 0)
	must(t, err)
	must(t, sys.Unmap(free, uintptr(pageSize)))
	m = mustMap(t)(Anonymous(pageSize, &AnonConfig{Addr: free}))
	if got := m.now.Load().pages.addr; got != free {
		t.Errorf("mapped at %#x, want %#x", got, free)
	}
}

func TestTakeLow(t *testing.T) {
	checkLeaks(t)
	m, err := Anonymous(pageSize, &AnonConfig{Low32: true})
	if runtime.GOARCH != "amd64" {
		wantError(t, err, "map", errors.ErrUnsupported)
		return
	}
	mustMap(t)(m, err)
	if end := m.now.Load().pages.end(); end > 1<<31 {
		t.Errorf("mapped up to %#x, want the first 2 GiB", end)
	}
}

// TestRefusedMappingLeavesNoGap asks for huge pages that there are not: the kernel
// refuses them after it has unmapped what is there, and in a gap the Go heap could
// settle.
func TestRefusedMappingLeavesNoGap(t *testing.T) {
	checkLeaks(t)
	if freeHugePages(t) > 0 {
		t.Skip("there are huge pages")
	}
	huge, log2 := DefaultHuge.page()
	fd, err := sys.MemoryFile("huge", false, log2)
	must(t, err)
	f := os.NewFile(uintptr(fd), "huge")
	defer f.Close()
	must(t, f.Truncate(huge))
	pages, err := addresses.take(uintptr(huge), uintptr(huge))
	must(t, err)
	defer func() { must(t, addresses.giveBack(pages)) }()
	m := &Mapping{traits: traits{name: "huge", flags: sys.Shared}, file: f, fd: fd}
	if err := m.mapRun(pages, run{n: huge, prot: Read}); !errors.Is(err, sys.ENOMEM) {
		t.Fatalf("got error %v, want ENOMEM", err)
	}
	var mapped uintptr
	for _, a := range areasIn(readAreas(t), pages) {
		mapped += a.n
	}
	if mapped != pages.n {
		t.Errorf("%d of %d bytes are still mapped", mapped, pages.n)
	}
}

// TestRegain takes back ranges that a mapping has failed to take: what is a hole by
// now, or was left alone, is ours; what somebody else has taken is not.
func TestRegain(t *testing.T) {
	page := uintptr(pageSize)
	tests := []struct {
		name   string
		happen func(t *testing.T, r span)
		ours   bool
	}{
		{"left alone", func(*testing.T, span) {}, true},
		{"unmapped", func(t *testing.T, r span) { must(t, sys.Unmap(r.addr, r.n)) }, true},
		{"taken", func(t *testing.T, r span) {
			_, err := sys.Map(r.addr, r.n, sys.ProtRead|sys.ProtWrite, sys.Private|sys.Anonymous|sys.Fixed, -1, 0)
			must(t, err)
		}, false},
		{"taken in part", func(t *testing.T, r span) {
			must(t, sys.Unmap(r.addr, r.n))
			_, err := sys.Map(r.addr+page, page, sys.ProtRead, sys.Private|sys.Anonymous|sys.Fixed, -1, 0)
			must(t, err)
		}, false},
		{"taken by inaccessible memory of a file", func(t *testing.T, r span) {
			f := makeFile(t, pattern(10))
			_, err := sys.Map(r.addr, r.n, sys.ProtNone, sys.Private|sys.Fixed, int(f.Fd()), 0)
			must(t, err)
		}, false},
		{"unmapped at its end", func(t *testing.T, r span) { must(t, sys.Unmap(r.addr+2*page, page)) }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := testSpace(t)
			r := mustTake(t, s, 3*page, page)
			tt.happen(t, r)
			before := areasIn(readAreas(t), r)
			s.regain(r)
			if got := s.quarantine.holds(r.addr); got != tt.ours {
				t.Errorf("given back: %v, want %v", got, tt.ours)
			}
			if after := areasIn(readAreas(t), r); !tt.ours && !slices.Equal(after, before) {
				t.Errorf("areas were %v, and are %v", before, after)
			}
			if a := areasIn(readAreas(t), r); tt.ours && (len(a) != 1 || a[0].span != r || a[0].prot != "---") {
				t.Errorf("got areas %v", a)
			}
		})
	}
}

// TestFailedMapping fails in mmap itself, again and again: no address space is lost.
func TestFailedMapping(t *testing.T) {
	checkLeaks(t)
	f := makeFile(t, pattern(pageSize))
	// What older tests have closed must not become free meanwhile.
	defer SetQuarantine(SetQuarantine(Quarantine{Time: time.Hour, Bytes: defaultQuarantine.Bytes}))
	before := ReadStats()
	for range 100 {
		if _, err := Map(f, &FileConfig{Sync: true, Prot: Read | Write}); !errors.Is(err, errors.ErrUnsupported) {
			t.Skipf("a file system that maps with MAP_SYNC: %v", err)
		}
	}
	if now := ReadStats(); now.Quarantined-before.Quarantined != 100*pageSize || now.Reserved != before.Reserved && before.Reserved != 0 {
		t.Errorf("it was %+v, and is %+v", before, now)
	}
}
