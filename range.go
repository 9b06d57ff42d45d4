package memmap

import "math"

// checkRange reports whether [off, off+n) lies in [0, size). It is the one
// place where offsets and lengths that come from outside are added.
func checkRange(off, n, size int64) error {
	if off < 0 || n < 0 || off > size || n > size-off {
		return ErrRange
	}
	return nil
}

// roundDown and roundUp go to a multiple of unit, a power of two. roundUp's
// argument must be at most maxLen.
func roundDown(x, unit int64) int64 { return x &^ (unit - 1) }
func roundUp(x, unit int64) int64   { return (x + unit - 1) &^ (unit - 1) }

// maxLen is the longest mapping that can exist: an int counts its bytes, and
// rounding it up to pages doesn't overflow.
const maxLen int64 = min(math.MaxInt, 1<<62)

// pageRange returns the pages that hold the bytes [off, off+n) of the mapping,
// as offsets into the view's pages. The range has been checked.
func (v *view) pageRange(off, n int64) (lo, hi int64) {
	if n == 0 {
		return 0, 0
	}
	return roundDown(v.delta+off, v.page), roundUp(v.delta+off+n, v.page)
}

// wholePages is pageRange for operations that change what they cover: the range
// must end on page boundaries, so that no byte outside it is touched. The ends
// of the mapping count as boundaries.
func (v *view) wholePages(off, n int64) (lo, hi int64, err error) {
	lo, hi = v.pageRange(off, n)
	size := int64(len(v.data))
	if n > 0 && (off > 0 && lo != v.delta+off || off+n < size && hi != v.delta+off+n) {
		return 0, 0, errPartialPage
	}
	return lo, hi, nil
}
