package memmap

import "slices"

// A layout says what stands at each page of a mapping. Most have one run; parts
// that were unmapped, protected, or remapped to other pages of the file add
// more. A layout is never changed, only replaced: readers need no lock.
//
// Invariants: the runs are in order, the first begins at 0, each begins where
// the one before it ends, none is empty, and no two neighbours could be one.
type layout []run

// run is a part of a mapping, of whole pages, in which all pages are alike.
type run struct {
	off, n  int64    // in bytes, from the mapping's first page
	fileOff int64    // where the first page lies in the file; a hole's lay there
	prot    Prot     // what the pages may be used for
	lock    LockMode // whether they are locked into memory
	advice  standing // how they will be used
	state   runState
}

type runState uint8

const (
	mapped  runState = iota
	hole             // unmapped: inaccessible, nothing behind it
	guarded          // guard pages: every access faults, the mapping is behind them
)

func (r run) end() int64 { return r.off + r.n }

// continues reports whether next could be a part of r.
func (r run) continues(next run) bool {
	return r.prot == next.prot && r.lock == next.lock && r.advice == next.advice && r.state == next.state && r.fileOff+r.n == next.fileOff
}

// cut returns the part of r that lies in [lo, hi).
func (r run) cut(lo, hi int64) run {
	lo, hi = max(lo, r.off), min(hi, r.end())
	r.fileOff += lo - r.off
	r.off, r.n = lo, hi-lo
	return r
}

// at returns the run that holds the page offset.
func (l layout) at(off int64) run {
	i, found := slices.BinarySearchFunc(l, off, func(r run, off int64) int {
		switch {
		case r.end() <= off:
			return -1
		case r.off > off:
			return 1
		}
		return 0
	})
	if !found {
		return run{off: off, state: hole}
	}
	return l[i]
}

// inOrder reports whether the pages lie in the file as they do here.
func (l layout) inOrder() bool {
	return !slices.ContainsFunc(l, func(r run) bool { return r.fileOff-r.off != l[0].fileOff })
}

// in returns the parts of the runs that lie in [lo, hi).
func (l layout) in(lo, hi int64) layout {
	var part layout
	for _, r := range l {
		if r = r.cut(lo, hi); r.n > 0 {
			part = append(part, r)
		}
	}
	return part
}

// change returns a layout in which fn was applied to [lo, hi). What lay in more
// than one run is changed run by run.
func (l layout) change(lo, hi int64, fn func(*run)) layout {
	var out layout
	for _, r := range l {
		for _, part := range []run{r.cut(0, lo), r.cut(lo, hi), r.cut(hi, r.end())} {
			if part.n <= 0 {
				continue
			}
			if lo <= part.off && part.end() <= hi {
				fn(&part)
			}
			out = out.append(part)
		}
	}
	return out
}

// append adds a run behind the last one, or makes it a part of that.
func (l layout) append(r run) layout {
	if i := len(l) - 1; i >= 0 && l[i].continues(r) {
		l[i].n += r.n
		return l
	}
	return append(l, r)
}

// resized returns a layout of n bytes: cut off, or grown as its last run goes
// on, though not its holes and guard pages.
func (l layout) resized(n int64) layout {
	if len(l) == 0 {
		return l
	}
	last := l[len(l)-1]
	if n <= last.end() {
		return l.in(0, n)
	}
	more := last
	more.off, more.n, more.fileOff, more.state = last.end(), n-last.end(), last.fileOff+last.n, mapped
	return slices.Clone(l).append(more)
}
