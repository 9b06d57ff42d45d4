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
	stays  aspect
}{
	Normal:      {"normal", sys.AdviseNormal, order},
	Random:      {"random", sys.AdviseRandom, order},
	Sequential:  {"sequential", sys.AdviseSequential, order},
	WillNeed:    {"willneed", sys.AdviseWillNeed, passing},
	Cold:        {"cold", sys.AdviseCold, passing},
	PageOut:     {"pageout", sys.AdvisePageOut, passing},
	HugePage:    {"hugepage", sys.AdviseHugePage, huge},
	NoHugePage:  {"nohugepage", sys.AdviseNoHugePage, huge},
	Collapse:    {"collapse", sys.AdviseCollapse, passing},
	Mergeable:   {"mergeable", sys.AdviseMergeable, merging},
	Unmergeable: {"unmergeable", sys.AdviseUnmergeable, merging},
	DontDump:    {"dontdump", sys.AdviseDontDump, dumping},
	DoDump:      {"dodump", sys.AdviseDoDump, dumping},
	DontFork:    {"dontfork", sys.AdviseDontFork, forking},
	DoFork:      {"dofork", sys.AdviseDoFork, forking},
}

// aspect is what a piece of advice that stays with pages is about: there can be
// one for each.
type aspect uint8

const (
	order aspect = iota
	huge
	merging
	dumping
	forking
	passing // advice that doesn't stay

	aspects = passing
)

// standing is the advice that stays with pages, one for each aspect; Normal where
// nothing was advised.
type standing [aspects]Advice

// give repeats the advice for pages that were mapped anew.
func (s standing) give(p span) error {
	for _, a := range s {
		if a == Normal {
			continue
		}
		if err := sys.Advise(p.addr, p.n, advices[a].advice); err != nil {
			return err
		}
	}
	return nil
}

func (a Advice) String() string {
	if int(a) >= len(advices) {
		return fmt.Sprintf("Advice(%d)", uint8(a))
	}
	return advices[a].name
}

// Advise gives advice about the pages that hold the range [off, off+n). A hole
// in it is an error (ErrUnmapped), but the rest gets the advice. What isn't about
// the moment (Random, DontDump, …) goes with the pages when they move.
//
// Source: madvise(2), posix_madvise(3).
func (m *Mapping) Advise(off, n int64, a Advice) error {
	if int(a) >= len(advices) {
		return m.fail("advise", off, n, invalid("no such advice: %v", a))
	}
	return m.onPages("advise", off, n, func(v *view, lo, hi int64) error {
		err := v.each(lo, hi, func(_ run, p span) error { return sys.Advise(p.addr, p.n, advices[a].advice) })
		if stays := advices[a].stays; stays != passing && (err == nil || err == ErrUnmapped) {
			m.publish(v.with(v.layout.change(lo, hi, func(r *run) { r.advice[stays] = a })))
		}
		return err
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
	// or reads the file there sees zeros. The ends of the mapping only count
	// as page ends if the file has nothing else in those pages.
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
		if how == PunchHole {
			if err := m.onlyOurs(v, off, n, lo, hi); err != nil {
				return err
			}
		}
		return v.each(lo, hi, func(_ run, p span) error { return sys.Advise(p.addr, p.n, discardings[how]) })
	})
}

// onlyOurs reports an error if pages of the file hold bytes besides those of the
// range: a hole would swallow them. At the ends of the mapping there can be some.
func (m *Mapping) onlyOurs(v *view, off, n, lo, hi int64) error {
	if m.file == nil {
		return nil // the kernel refuses it
	}
	before, behind := v.delta+off-lo, hi-(v.delta+off+n)
	if before == 0 && behind == 0 {
		return nil
	}
	info, err := m.file.Stat()
	if err != nil {
		return pathCause(err)
	}
	last := v.layout.at(hi - v.page)
	if end := last.fileOff + hi - behind - last.off; before > 0 || end < info.Size() {
		return withHint(errPartialPage, "the file has other bytes in them")
	}
	return nil
}
