package memmap

import (
	"fmt"

	"github.com/memmap-go/memmap/internal/sys"
)

// Advice tells the kernel how memory will be used. No advice changes what the
// memory holds; what does is Discard. Advice is a hint: what the kernel makes of
// it is up to the kernel, but advice that it doesn't know is an error.
type Advice uint8

const (
	Normal      Advice = iota // nothing special: moderate read-ahead
	Random                    // no read-ahead
	Sequential                // much read-ahead; pages may go soon after their use
	WillNeed                  // start reading the pages now, without waiting
	Cold                      // the first to go when memory is short (Linux 5.4)
	PageOut                   // reclaim now: write back or swap out (Linux 5.4)
	HugePage                  // transparent huge pages, if the system has them by advice
	NoHugePage                // none
	Collapse                  // make huge pages of what is there, now (Linux 6.1)
	Mergeable                 // let equal pages be one (KSM)
	Unmergeable               // don't
	DontDump                  // leave the pages out of core dumps
	DoDump                    // don't
	DontFork                  // a child of fork(2) doesn't get the pages
	DoFork                    // it does
)

var advices = [...]struct {
	name   string
	advice sys.Advice
}{
	Normal: {"normal", sys.AdviseNormal}, Random: {"random", sys.AdviseRandom},
	Sequential: {"sequential", sys.AdviseSequential}, WillNeed: {"willneed", sys.AdviseWillNeed},
	Cold: {"cold", sys.AdviseCold}, PageOut: {"pageout", sys.AdvisePageOut},
	HugePage: {"hugepage", sys.AdviseHugePage}, NoHugePage: {"nohugepage", sys.AdviseNoHugePage},
	Collapse: {"collapse", sys.AdviseCollapse}, Mergeable: {"mergeable", sys.AdviseMergeable},
	Unmergeable: {"unmergeable", sys.AdviseUnmergeable}, DontDump: {"dontdump", sys.AdviseDontDump},
	DoDump: {"dodump", sys.AdviseDoDump}, DontFork: {"dontfork", sys.AdviseDontFork}, DoFork: {"dofork", sys.AdviseDoFork},
}

func (a Advice) String() string {
	if int(a) >= len(advices) {
		return fmt.Sprintf("Advice(%d)", uint8(a))
	}
	return advices[a].name
}

// Advise gives advice about the pages that hold the range [off, off+n). A hole
// in it is an error (ErrUnmapped), but the rest gets the advice.
//
// Source: madvise(2), posix_madvise(3).
func (m *Mapping) Advise(off, n int64, a Advice) error {
	if int(a) >= len(advices) {
		return m.fail("advise", off, n, invalid("no such advice: %v", a))
	}
	return m.onPages("advise", off, n, func(v *view, lo, hi int64) error {
		return v.each(lo, hi, func(_ run, p span) error { return sys.Advise(p.addr, p.n, advices[a].advice) })
	})
}

// Discarding says how Discard drops pages.
type Discarding uint8

const (
	// DropPages takes the pages away from this mapping. Private anonymous
	// memory is zero afterwards; a private file mapping shows the file again,
	// its own stores are lost; a shared mapping loses nothing.
	DropPages Discarding = iota

	// DropLazily lets the kernel take private anonymous pages when it needs
	// memory: until then, or until the next store, they keep their contents.
	DropLazily

	// PunchHole frees the blocks behind a shared mapping. Everyone who maps
	// or reads the file there sees zeros.
	PunchHole
)

var discardings = [...]sys.Advice{
	DropPages: sys.AdviseDontNeed, DropLazily: sys.AdviseFree, PunchHole: sys.AdviseRemove,
}

// Discard throws away what the pages of the range [off, off+n) hold. The range
// must cover whole pages; the ends of the mapping count as page ends. Locked
// pages can't be discarded (EINVAL).
//
// Source: madvise(2): MADV_DONTNEED, MADV_FREE, MADV_REMOVE.
func (m *Mapping) Discard(off, n int64, how Discarding) error {
	if int(how) >= len(discardings) {
		return m.fail("discard", off, n, invalid("no such discarding: %d", how))
	}
	return m.onWholePages("discard", off, n, func(v *view, lo, hi int64) error {
		if err := v.removable(lo, hi); err != nil {
			return err
		}
		return v.each(lo, hi, func(_ run, p span) error { return sys.Advise(p.addr, p.n, discardings[how]) })
	})
}
