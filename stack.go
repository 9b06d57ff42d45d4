package memmap

import "github.com/memmap-go/memmap/internal/sys"

// stackGap is what the kernel keeps free below an area that grows downwards, and
// therefore how far such an area may grow without meeting anything that was
// mapped meanwhile (stack_guard_gap in mm/mmap.c, 256 pages).
const stackGap = 1 << 20

// growDown makes the view of one run that of a stack. Below it stands an
// inaccessible page: the kernel looks at the next area below, and lets a stack
// grow as far as that if nobody can access it, but keeps its distance otherwise
// (expand_downwards in mm/vma.c).
func (v *view) growDown() {
	stack := v.layout[0]
	stack.off = v.page
	v.layout = layout{{n: v.page, state: hole}, stack}
	v.delta = v.page
}

// takeStack maps the first of n bytes' pages, inaccessible, and the last one,
// which grows downwards. In between is room that the kernel keeps free, and takeAt.
func (s *space) takeStack(n uintptr, prot Prot, flags sys.Flags) (span, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stack, err := mapStack(n, prot, flags)
	if err == nil {
		s.stacks = append(s.stacks, stack)
	}
	return stack, err
}

func mapStack(n uintptr, prot Prot, flags sys.Flags) (span, error) {
	page := uintptr(sys.PageSize)
	low, err := sys.Map(0, n, sys.ProtNone, inaccessible, -1, 0)
	if err != nil {
		return span{}, err
	}
	// The last page first: from then on the kernel keeps the rest free.
	top := low + n - page
	if _, err := sys.Map(top, page, sysProt(prot), flags|sys.Fixed, -1, 0); err != nil {
		return span{}, joined(err, sys.Unmap(low, n))
	}
	between := span{low + page, n - 2*page}
	if between.n == 0 {
		return span{low, n}, nil
	}
	if err := sys.Unmap(between.addr, between.n); err != nil {
		return span{}, joined(err, sys.Unmap(low, n))
	}
	return span{low, n}, nil
}
