package memmap

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// coldFile returns a file of so many pages of which none is in memory.
func coldFile(t *testing.T, pages int64) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "cold")
	must(t, os.WriteFile(name, pattern(pages*pageSize), 0o600))
	f := openFile(t, name, os.O_RDWR)
	evict(t, f)
	return f
}

// evict drives a file out of memory. File systems that live there don't let it.
func evict(t *testing.T, f *os.File) {
	t.Helper()
	must(t, f.Sync())
	must(t, dropCache(f))
	m := mustMap(t)(Map(f, nil))
	resident, err := m.Resident(0, m.Len())
	must(t, err)
	must(t, m.Close())
	if slices.Contains(resident, true) {
		t.Skip("pages of the file stay in memory")
	}
}

// residentPages counts the pages of a mapping that are in memory.
func residentPages(t *testing.T, m *Mapping) (n int64) {
	t.Helper()
	resident, err := m.Resident(0, m.Len())
	must(t, err)
	for _, r := range resident {
		if r {
			n++
		}
	}
	return n
}

// TestLoad reads from pages that are not in memory: they are loaded, and known
// afterwards.
func TestLoad(t *testing.T) {
	checkLeaks(t)
	f := coldFile(t, 1024)
	for _, advice := range []Advice{Random, Normal} {
		evict(t, f)
		m := mustMap(t)(Map(f, &FileConfig{Prot: Read | Write}))
		must(t, m.Advise(0, m.Len(), advice))
		p := make([]byte, 2*pageSize)
		off := 500*pageSize - 1
		if _, err := m.ReadAt(p[:pageSize], off); err != nil {
			t.Fatal(err)
		}
		wantBytes(t, "read", p[:pageSize], pattern(1024 * pageSize)[off:][:pageSize])
		known := m.now.Load().known
		if !known.has(off, int(pageSize)) {
			t.Errorf("%v: what was read is not known", advice)
		}
		if known.has(off+pageSize, int(pageSize)) {
			t.Errorf("%v: what comes next is known, but nobody asked for it", advice)
		}
		if n := residentPages(t, m); advice == Random && n != 2 {
			t.Errorf("%v: %d pages were loaded for the 2 that were read", advice, n)
		}
		must(t, Store(m, 900*pageSize, uint64(1)))
		if !known.has(900*pageSize, 8) {
			t.Errorf("%v: what was stored to is not known", advice)
		}
		must(t, m.Close())
	}
}

// TestLoadAhead reads one page after the other: those that follow are loaded before
// they are read, unless the mapping is for random access.
func TestLoadAhead(t *testing.T) {
	for _, advice := range []Advice{Normal, Random} {
		t.Run(advice.String(), func(t *testing.T) {
			checkLeaks(t)
			m := mustMap(t)(Map(coldFile(t, 2048), nil))
			must(t, m.Advise(0, m.Len(), advice))
			const read = 200
			want := pattern(2048 * pageSize)
			for i := range int64(read) {
				got, err := Load[[16]byte](m, i*pageSize)
				must(t, err)
				wantBytes(t, "page", got[:], want[i*pageSize:][:16])
			}
			n := residentPages(t, m)
			if ahead := n - read; advice == Random && ahead != 0 || advice == Normal && (ahead < 16 || ahead > 2*readAhead/pageSize) {
				t.Errorf("after %d pages were read, %d are loaded", read, n)
			}
		})
	}
}

// TestLoadMuch reads more in one call than is loaded in one step.
func TestLoadMuch(t *testing.T) {
	checkLeaks(t)
	const size = 4*loadStep + 12345
	f := coldFile(t, (size+pageSize)/pageSize)
	m := mustMap(t)(Map(f, nil))
	p := make([]byte, size)
	if _, err := m.ReadAt(p, 99); err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "read", p, pattern(size + 99)[99:])
	if k := m.now.Load().known; !k.has(99, size) {
		t.Error("what was read is not known")
	}
}

// TestLoadYields reads pages that are in memory, but not known to be, while a goroutine
// waits for the only processor: it gets it before the read is done. The disk has
// no part in it, so that the processor isn't free for another reason.
func TestLoadYields(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	m := mustMap(t)(Map(makeFile(t, pattern(64*pageSize)), nil))
	k := m.now.Load().known
	k.misses.Store(2) // the kernel isn't asked first
	const reads = lookEvery - 1
	turns := 0
	for i := range int64(reads) {
		var ran atomic.Bool
		go ran.Store(true)
		if _, err := Load[byte](m, 8*i*pageSize); err != nil {
			t.Fatal(err)
		}
		if ran.Load() {
			turns++
		}
	}
	// Now and then the scheduler takes who yielded first.
	if turns < reads/2 {
		t.Errorf("in %d of %d reads another goroutine ran", turns, reads)
	}
}

// TestNoYield switches all this off.
func TestNoYield(t *testing.T) {
	checkLeaks(t)
	m := mustMap(t)(Map(makeFile(t, pattern(pageSize)), &FileConfig{NoYield: true}))
	if _, err := Load[uint64](m, 0); err != nil {
		t.Fatal(err)
	}
	if k := m.now.Load().known; k != nil {
		t.Errorf("pages are kept account of: %+v", k)
	}
	twin := mustMap(t)(m.Alias())
	if k := twin.now.Load().known; k != nil {
		t.Errorf("pages of an alias are kept account of: %+v", k)
	}
}

// TestAge drives pages out that are known to be in memory. A comparison with the
// truth finds it, and forgets everything; a comparison before it finds nothing.
func TestAge(t *testing.T) {
	checkLeaks(t)
	f := coldFile(t, 4096)
	m := mustMap(t)(Map(f, nil))
	for i := range int64(4096) {
		if _, err := Load[byte](m, i*pageSize); err != nil {
			t.Fatal(err)
		}
	}
	must(t, m.Close()) // so that no page table holds the pages
	m = mustMap(t)(Map(f, nil))
	k := m.now.Load().known
	k.look(0, m.Len())
	if !k.has(0, int(m.Len())) {
		t.Skip("the pages have not stayed in memory")
	}
	k.age()
	if !k.has(0, int(m.Len())) || k.period != 2*firstAge || !k.armed.Load() {
		t.Errorf("nothing has changed: known %v, next comparison after %v", k.has(0, int(m.Len())), k.period)
	}
	must(t, f.Sync())
	must(t, dropCache(f))
	if n := residentPages(t, m); n > 0 {
		t.Skipf("%d pages stay in memory", n)
	}
	k.age()
	if k.has(0, 1) || k.period != firstAge || k.armed.Load() {
		t.Errorf("all pages are gone: known %v, next comparison after %v", k.has(0, 1), k.period)
	}
	must(t, m.Close())
	k.mark(0, pageSize) // by a reader that comes late
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.timer != nil && k.timer.Stop() {
		t.Error("the mapping is closed, but comparisons go on")
	}
}

// TestAgeBlind ages pages whose residency the kernel doesn't tell us.
func TestAgeBlind(t *testing.T) {
	k := newKnown(span{0, uintptr(100 * pageSize)}, false)
	k.mark(0, 10*pageSize)
	if all, _ := k.look(0, pageSize); all {
		t.Error("a kernel that doesn't tell was believed")
	}
	k.age()
	if k.has(0, 1) {
		t.Error("pages are known for ever")
	}
	k.stop()
}

// TestGrownIsKnown writes to pages that the file got a moment ago: there is nothing
// to wait for.
func TestGrownIsKnown(t *testing.T) {
	checkLeaks(t)
	m := mustMap(t)(Map(makeFile(t, pattern(3*pageSize)), &FileConfig{Prot: Read | Write, MaxLen: int64(firstArena)}))
	must(t, m.Grow(100*pageSize))
	must(t, m.Grow(200*pageSize))
	k := m.now.Load().known
	for at, want := range map[int64]bool{0: false, 2 * pageSize: false, 3 * pageSize: true, 199 * pageSize: true, 200 * pageSize: false} {
		if got := k.isNew(at, at+pageSize); got != want {
			t.Errorf("page at %d is new: got %v, want %v", at, got, want)
		}
	}
	must(t, Store(m, 150*pageSize, byte(1)))
	if !k.has(150*pageSize, 1) {
		t.Error("a new page that was stored to is not known")
	}
	k.age()
	if k.isNew(150*pageSize, 151*pageSize) {
		t.Error("pages are new for ever")
	}
}

// TestKnownPages marks ranges, and asks for ranges, as a set of pages would.
func TestKnownPages(t *testing.T) {
	const pages = 3 * 64 * 512 // words and chunks, and their borders
	rnd := rand.New(rand.NewPCG(49, 6))
	k := newKnown(span{0, uintptr(pages * pageSize)}, true)
	defer k.stop()
	var model [pages]bool
	near := func() int64 { // a page near a border
		return max(0, min(pages-1, rnd.Int64N(4)*pages/3+rnd.Int64N(400)-200))
	}
	for range 2000 {
		lo := near()
		hi := min(pages, lo+1+rnd.Int64N(200))
		all := !slices.Contains(model[lo:hi], false)
		if got := k.has(lo*pageSize+rnd.Int64N(2), int((hi-lo)*pageSize-1)); got != all {
			t.Fatalf("pages %d to %d known: got %v, want %v", lo, hi, got, all)
		}
		if rnd.IntN(4) == 0 {
			k.mark(lo*pageSize, hi*pageSize)
			for i := lo; i < hi; i++ {
				model[i] = true
			}
		}
	}
	k.forget()
	if k.has(0, pages*int(pageSize)) || k.has(5*pageSize, 1) {
		t.Error("something is known after all was forgotten")
	}
}

// TestLoadClosed closes the mapping while others load its pages.
func TestLoadClosed(t *testing.T) {
	checkLeaks(t)
	f := coldFile(t, 256)
	end := time.Now().Add(200 * time.Millisecond)
	for time.Now().Before(end) {
		m := mustMap(t)(Map(f, nil))
		done := make(chan error)
		go func() {
			for {
				if _, err := Load[byte](m, rand.Int64N(256*pageSize)); err != nil {
					done <- err
					return
				}
			}
		}()
		time.Sleep(time.Duration(rand.IntN(200)) * time.Microsecond)
		must(t, m.Close())
		wantError(t, <-done, "read", ErrClosed)
	}
}

// TestMarkBesideForget marks pages while everything is forgotten again and again.
func TestMarkBesideForget(t *testing.T) {
	k := newKnown(span{0, uintptr(pageSize)}, true)
	defer k.stop()
	stop := make(chan struct{})
	var marking sync.WaitGroup
	for range 2 {
		marking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					k.mark(0, pageSize)
				}
			}
		})
	}
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
		for range 1000 {
			k.forget()
		}
	}
	close(stop)
	marking.Wait()
}
