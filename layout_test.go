package memmap

import (
	"slices"
	"testing"
)

// page is what stands at one page, in the naive model of a layout.
type modelPage struct {
	fileOff int64
	prot    Prot
	lock    LockMode
	advice  standing
	state   runState
}

// model says page by page what a layout says run by run. Pages are 1 byte long.
type model []modelPage

func newModel(n, fileOff int64) (model, layout) {
	pages := make(model, n)
	for i := range pages {
		pages[i] = modelPage{fileOff: fileOff + int64(i), prot: Read}
	}
	return pages, layout{{n: n, fileOff: fileOff, prot: Read}}
}

// pagesOf returns what a layout says about each page from off to end.
func pagesOf(t *testing.T, l layout, off, end int64) model {
	t.Helper()
	var pages model
	for i, r := range l {
		switch {
		case r.off != off:
			t.Fatalf("run %d begins at %d, want %d: %+v", i, r.off, off, l)
		case r.n <= 0:
			t.Fatalf("run %d is empty: %+v", i, l)
		case i > 0 && l[i-1].continues(r):
			t.Fatalf("run %d could be a part of the one before: %+v", i, l)
		}
		for at := range r.n {
			pages = append(pages, modelPage{r.fileOff + at, r.prot, r.lock, r.advice, r.state})
		}
		off = r.end()
	}
	if off != end {
		t.Fatalf("layout ends at %d, want %d: %+v", off, end, l)
	}
	return pages
}

// The operations of the library on a run, by their effect on it: fn changes a run,
// and one changes a page, given its distance from the start of the change.
type layoutChange struct {
	name string
	fn   func(r *run, lo, arg int64)
	one  func(p *modelPage, dist, arg int64)
}

var layoutChanges = []layoutChange{
	{"protect",
		func(r *run, _, arg int64) { r.prot = Prot(arg % 4) },
		func(p *modelPage, _, arg int64) { p.prot = Prot(arg % 4) }},
	{"lock",
		func(r *run, _, arg int64) { r.lock = LockMode(arg % 3) },
		func(p *modelPage, _, arg int64) { p.lock = LockMode(arg % 3) }},
	{"advise",
		func(r *run, _, arg int64) { r.advice[arg%2] = Advice(arg % 3) },
		func(p *modelPage, _, arg int64) { p.advice[arg%2] = Advice(arg % 3) }},
	{"unmap",
		func(r *run, _, _ int64) { *r = run{off: r.off, n: r.n, fileOff: r.fileOff, state: hole} },
		func(p *modelPage, _, _ int64) { *p = modelPage{fileOff: p.fileOff, state: hole} }},
	{"guard",
		func(r *run, _, _ int64) { r.state = guarded },
		func(p *modelPage, _, _ int64) { p.state = guarded }},
	{"unguard",
		func(r *run, _, _ int64) { r.state = mapped },
		func(p *modelPage, _, _ int64) { p.state = mapped }},
	{"remap pages",
		func(r *run, lo, arg int64) { r.fileOff = arg + r.off - lo },
		func(p *modelPage, dist, arg int64) { p.fileOff = arg + dist }},
}

// FuzzLayout applies changes to a layout and to the model. The input is read four
// bytes a step: operation, two offsets, argument.
func FuzzLayout(f *testing.F) {
	f.Add([]byte{0, 2, 5, 3, 2, 3, 4, 0, 5, 0, 9, 1})
	f.Add([]byte{2, 6, 8, 0, 2, 0, 6, 0, 6, 0, 4, 0, 3, 1, 2, 0, 6, 0, 12, 0})
	f.Add([]byte{5, 0, 4, 4, 5, 4, 8, 0, 5, 0, 8, 0, 1, 2, 2, 1})
	f.Fuzz(func(t *testing.T, steps []byte) {
		want, l := newModel(8, 3)
		for ; len(steps) >= 4; steps = steps[4:] {
			op, a, b, arg := int(steps[0])%(len(layoutChanges)+1), int64(steps[1]), int64(steps[2]), int64(steps[3])
			before := slices.Clone(l)
			got := l
			if op == len(layoutChanges) {
				want, got = resizeModel(want, l, 1+b%16)
			} else {
				lo, hi := min(a, b)%int64(len(want)), min(max(a, b), int64(len(want)))
				got = changeModel(layoutChanges[op], want, l, lo, max(lo, hi), arg)
			}
			if !slices.Equal(l, before) {
				t.Fatalf("the layout itself was changed from %+v to %+v", before, l)
			}
			l = got
			if pages := pagesOf(t, l, 0, int64(len(want))); !slices.Equal(pages, want) {
				t.Fatalf("after step %d: got pages %+v, want %+v", op, pages, want)
			}
			checkParts(t, l, want, a, b)
		}
	})
}

func changeModel(c layoutChange, m model, l layout, lo, hi, arg int64) layout {
	for i := lo; i < hi; i++ {
		c.one(&m[i], i-lo, arg)
	}
	return l.change(lo, hi, func(r *run) { c.fn(r, lo, arg) })
}

// resizeModel makes both n pages long. What ends in a hole can only be cut.
func resizeModel(m model, l layout, n int64) (model, layout) {
	if last := m[len(m)-1]; last.state == hole {
		n = min(n, int64(len(m)))
	}
	for int64(len(m)) < n {
		next := m[len(m)-1]
		next.fileOff++
		next.state = mapped
		m = append(m, next)
	}
	return slices.Clone(m[:n]), l.resized(n)
}

// checkParts compares what the layout says about a part, and about single pages.
func checkParts(t *testing.T, l layout, want model, a, b int64) {
	t.Helper()
	size := int64(len(want))
	lo, hi := min(a, b)%size, min(max(a, b), size)
	if lo < hi {
		if pages := pagesOf(t, l.in(lo, hi), lo, hi); !slices.Equal(pages, want[lo:hi]) {
			t.Errorf("in(%d, %d): got pages %+v, want %+v", lo, hi, pages, want[lo:hi])
		}
	}
	inOrder := true
	for i, p := range want {
		r := l.at(int64(i))
		if got := (modelPage{r.fileOff + int64(i) - r.off, r.prot, r.lock, r.advice, r.state}); got != p {
			t.Errorf("at(%d): got page %+v, want %+v", i, got, p)
		}
		inOrder = inOrder && p.fileOff == want[0].fileOff+int64(i)
	}
	if got := l.inOrder(); got != inOrder {
		t.Errorf("inOrder() = %v, want %v: %+v", got, inOrder, l)
	}
}

// TestLayoutMerges wants what was changed and changed back to be one run again,
// since each run costs a system call, and often an area.
func TestLayoutMerges(t *testing.T) {
	l := layout{{n: 10, fileOff: 100, prot: Read}}
	set := func(lo, hi int64, p Prot) {
		l = l.change(lo, hi, func(r *run) { r.prot = p })
	}
	set(3, 5, Write)
	if len(l) != 3 {
		t.Fatalf("got %d runs, want 3: %+v", len(l), l)
	}
	set(5, 7, Write)
	if want := (layout{
		{off: 0, n: 3, fileOff: 100, prot: Read}, {off: 3, n: 4, fileOff: 103, prot: Write}, {off: 7, n: 3, fileOff: 107, prot: Read},
	}); !slices.Equal(l, want) {
		t.Errorf("got %+v, want %+v", l, want)
	}
	set(0, 10, Read)
	if want := (layout{{n: 10, fileOff: 100, prot: Read}}); !slices.Equal(l, want) {
		t.Errorf("got %+v, want %+v", l, want)
	}
}

func TestLayoutOutside(t *testing.T) {
	l := layout{{n: 4, prot: Read}}
	for _, off := range []int64{-1, 4, 100} {
		if got := l.at(off).state; got != hole {
			t.Errorf("at(%d): got state %d, want a hole", off, got)
		}
	}
	for _, r := range [][2]int64{{-5, 0}, {4, 9}, {2, 2}} {
		if got := l.in(r[0], r[1]); len(got) != 0 {
			t.Errorf("in(%d, %d) = %+v, want nothing", r[0], r[1], got)
		}
	}
	if got := layout(nil).resized(5); got != nil {
		t.Errorf("no layout, resized: got %+v, want none", got)
	}
}
