package memmap

import (
	"context"
	"errors"

	"github.com/memmap-go/memmap/internal/sys"
)

// prefaultStep is how much is loaded between two looks at the context.
const prefaultStep = 8 << 20

// Prefault loads the pages that hold the range [off, off+n), so that the first
// access to them doesn't wait. For Read they are loaded as they are; for Write
// they are also made ready for stores: private pages get their copies, holes in
// the file their blocks. A page that can't be had is an error that names it,
// like the fault that an access would raise. Pages loaded before that, or before
// ctx ended, stay loaded.
//
// On Linux 5.14 and later this is MADV_POPULATE_READ and MADV_POPULATE_WRITE;
// elsewhere the pages are touched one by one.
func (m *Mapping) Prefault(ctx context.Context, off, n int64, access Prot) error {
	v, lo, hi, err := m.pagesOf(off, n)
	if err == nil && access != Read && access != Write {
		err = invalid("access is Read or Write")
	}
	if err != nil {
		return m.fail("prefault", off, n, err)
	}
	for lo < hi {
		if err := ctx.Err(); err != nil {
			return m.fail("prefault", off, n, err)
		}
		err := m.prefault(v, lo, min(lo+prefaultStep, hi), access)
		if errors.Is(err, ErrMoved) {
			// The same pages, in another place.
			if v, _, hi, err = m.pagesOf(off, n); err != nil {
				return m.fail("prefault", off, n, err)
			}
			continue
		}
		if err != nil {
			return err
		}
		lo += prefaultStep
	}
	return nil
}

// prefault populates [lo, hi) of a view's pages. If that fails, it goes on page
// by page, to find the one that can't be loaded.
func (m *Mapping) prefault(v *view, lo, hi int64, access Prot) error {
	write := access == Write
	if populate(v.pages.at(lo, hi-lo), write) == nil {
		return nil
	}
	for ; lo < hi; lo += v.page {
		if populate(v.pages.at(lo, v.page), write) == nil {
			continue
		}
		// Looking for the reason loads a page if there is none any more.
		if err := m.faultError("prefault", v, lo, accessOf(access)); !errors.Is(err, ErrAgain) {
			return err
		}
	}
	return nil
}

func accessOf(p Prot) access {
	if p == Write {
		return writing
	}
	return reading
}

// populateNew is Populate of the configurations, for pages that will be a view's:
// it loads them all, but for the room to grow, or says which can't be had and why.
// The mapping's mu is held.
func (m *Mapping) populateNew(v *view) error {
	_, end := v.pageRange(0, int64(len(v.data)))
	access := Read
	if m.flags&sys.Shared == 0 && v.layout[0].prot&Write != 0 {
		access = Write
	}
	if end == 0 || populate(v.pages.at(0, end), access == Write) == nil {
		return nil
	}
	for at := int64(0); at < end; at += v.page {
		if populate(v.pages.at(at, v.page), access == Write) != nil {
			return withHint(&fault{m.reason(v, at, accessOf(access))}, "populating at %d", max(at-v.delta, 0))
		}
	}
	return nil
}

// populate loads pages, or says with an errno that it couldn't: EFAULT where an
// access would fault.
func populate(p span, write bool) error {
	advice := sys.AdvisePopulateRead
	if write {
		advice = sys.AdvisePopulateWrite
	}
	err := sys.Advise(p.addr, p.n, advice)
	if errors.Is(err, errors.ErrUnsupported) || err == sys.EINVAL && populating.missing() {
		return touchPages(p, write)
	}
	return err
}

// touchPages does by accesses what populate does in one call.
func touchPages(p span, write bool) error {
	ok := touchGuarded(p, write)
	if !ok {
		return sys.EFAULT
	}
	return nil
}
