package memmap

import "github.com/memmap-go/memmap/internal/sys"

// stackGap is what the kernel keeps free below an area that grows downwards, and
// therefore how far such an area may grow without meeting anything that was
// mapped meanwhile (stack_guard_gap in mm/mmap.c, 256 pages).
const stackGap = 1 << 20

// takeStack maps the last page of n bytes that grow downwards. Below the n bytes
// the gap must be free as well, or they could not all be used.
func takeStack(n uintptr, prot Prot, flags sys.Flags) (span, error) {
	page := uintptr(sys.PageSize)
	low, err := sys.Map(0, stackGap+n, sys.ProtNone, inaccessible, -1, 0)
	if err != nil {
		return span{}, err
	}
	// The page first: from then on the kernel keeps the rest free.
	top := low + stackGap + n - page
	if _, err := sys.Map(top, page, sysProt(prot), flags|sys.Fixed, -1, 0); err != nil {
		return span{}, joined(err, sys.Unmap(low, stackGap+n))
	}
	if err := sys.Unmap(low, stackGap+n-page); err != nil {
		return span{}, joined(err, sys.Unmap(low, stackGap+n))
	}
	return span{low + stackGap, n}, nil
}
