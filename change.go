package memmap

import (
	"errors"

	"github.com/memmap-go/memmap/internal/sys"
)

// What the operations on a part of a mapping have in common.

// pagesOf returns the pages that hold a range of bytes. No lock is held: by the
// time they are used, the mapping may have changed.
func (m *Mapping) pagesOf(off, n int64) (v *view, lo, hi int64, err error) {
	if v, err = m.view(); err == nil {
		lo, hi, err = v.pagesOf(off, n)
	}
	return v, lo, hi, err
}

func (v *view) pagesOf(off, n int64) (lo, hi int64, err error) {
	if err := checkRange(off, n, int64(len(v.data))); err != nil {
		return 0, 0, err
	}
	if n > 0 && len(v.layout) == 0 {
		return 0, 0, errNotMapped
	}
	lo, hi = v.pageRange(off, n)
	return lo, hi, nil
}

// onPages runs an operation on the pages that hold a range, under the lock.
func (m *Mapping) onPages(op string, off, n int64, do func(v *view, lo, hi int64) error) error {
	defer m.lock().Unlock()
	v, lo, hi, err := m.pagesOf(off, n)
	if err == nil && lo < hi {
		err = do(v, lo, hi)
	}
	if errors.Is(err, sys.ENOMEM) && m.flags&sys.GrowsDown != 0 {
		err = withHint(err, "GrowsDown memory is only mapped as far as it has grown")
	}
	if err != nil {
		return m.fail(op, off, n, err)
	}
	return nil
}

// onWholePages is onPages for operations that change what they cover, and must
// not touch bytes outside the range.
func (m *Mapping) onWholePages(op string, off, n int64, do func(v *view, lo, hi int64) error) error {
	return m.onPages(op, off, n, func(v *view, lo, hi int64) error {
		if _, _, err := v.wholePages(off, n); err != nil {
			return withHint(err, "of %d bytes", v.page)
		}
		return do(v, lo, hi)
	})
}

// each calls fn for the runs of a part of the pages. Holes are passed over, and
// reported in the end, as the kernel does it; another error ends it.
func (v *view) each(lo, hi int64, fn func(r run, p span) error) error {
	var missing error
	for _, r := range v.layout.in(lo, hi) {
		if r.state == hole {
			missing = ErrUnmapped
			continue
		}
		if err := fn(r, v.pages.at(r.off, r.n)); err != nil {
			return explain(err, r.n)
		}
	}
	return missing
}

// whole reports an error if the part has holes: for operations that must do all
// of it, or nothing.
func (v *view) whole(lo, hi int64) error {
	return v.each(lo, hi, func(run, span) error { return nil })
}

// removable reports an error if the part has holes or locked pages: those the
// kernel doesn't take away, but only after it has taken what comes before them.
func (v *view) removable(lo, hi int64) error {
	return v.each(lo, hi, func(r run, _ span) error {
		if r.lock != Unlocked {
			return withHint(sys.EINVAL, "the pages are locked")
		}
		return nil
	})
}

// with returns the view with another layout.
func (v *view) with(l layout) *view {
	next := *v
	next.layout = l
	return &next
}
