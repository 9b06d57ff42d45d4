package memmap

import (
	"runtime"

	"github.com/memmap-go/memmap/internal/sys"
)

// Loading pages without stopping the scheduler.
//
// In a page fault a goroutine keeps its P, the right to run Go code, for as long as
// the disk takes: with GOMAXPROCS of them the whole program stands still. A
// blocking system call is hardly better, since the runtime takes the P away only
// after a while. So before copying access touches pages that it doesn't know to be
// in memory, it has the kernel start to read them (MADV_WILLNEED), lets other
// goroutines run, and only then waits for them (MADV_POPULATE_READ).

const (
	// readAhead is how much more is asked for than is needed, when one page
	// after the other is read. It is what the kernel's own read-ahead does in
	// page faults, which see no misses any more.
	readAhead = 512 << 10

	// loadStep is how much is waited for at a time.
	loadStep = 1 << 20

	// lookEvery bounds how often the kernel is asked in vain whether pages
	// are in memory already.
	lookEvery = 8
)

// load brings the pages that hold n bytes at a page offset into memory, unless they
// are known to be there. It reports nothing: what can't be loaded is found out by
// the access that follows.
func (v *view) load(at int64, n int) {
	if n > 0 && !v.known.has(at, n) {
		v.known.load(at, n, v.layout.at(at).advice[order] == Random)
	}
}

func (k *knownPages) load(at int64, n int, random bool) {
	page := int64(1) << k.shift
	lo := roundDown(at, page)
	hi := roundUp(at+int64(n), page)
	if k.isNew(lo, hi) {
		k.mark(lo, hi)
		return
	}
	misses := k.misses.Add(1)
	if misses == 1 && k.glance(lo, hi) {
		return
	}
	found, end := false, hi
	if k.warm.Load() || misses%lookEvery == 2 {
		if found, end = k.look(lo, hi); !found {
			end = hi
		}
		k.warm.Store(found)
	}
	sequential := k.expected.Swap(end) == lo && !random
	if sequential && hi-lo <= loadStep {
		k.askAhead(lo, end)
	} else if !found {
		k.ask(lo, min(hi, lo+2*loadStep))
	}
	if !found {
		counted.waits.Add(1)
		k.wait(lo, hi)
	}
}

// ask has the kernel start to read pages. It is a hint; if it fails, populating
// them says so too.
func (k *knownPages) ask(lo, hi int64) {
	if lo < hi {
		_ = sys.Advise(k.pages.addr+uintptr(lo), uintptr(hi-lo), sys.AdviseWillNeed)
	}
}

// askAhead asks for the pages from lo on, to beyond end, of who reads one page after
// the other, unless that was done not long ago.
func (k *knownPages) askAhead(lo, end int64) {
	asked := k.asked.Load()
	if asked < lo || asked > end+2*readAhead {
		asked = lo // that was for someone else
	}
	if asked >= end+readAhead/2 {
		return
	}
	to := min(end+readAhead, int64(k.pages.n))
	k.asked.Store(to)
	k.ask(asked, to)
}

// wait loads [lo, hi), of which the first two steps were asked for.
func (k *knownPages) wait(lo, hi int64) {
	for ; lo < hi; lo += loadStep {
		runtime.Gosched()
		end := min(lo+loadStep, hi)
		if populate(k.pages.at(lo, end-lo), false) == nil {
			k.mark(lo, end)
		}
		k.ask(lo+2*loadStep, min(lo+3*loadStep, hi))
	}
}
