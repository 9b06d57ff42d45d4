package library

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/memmap-go/memmap"
	"github.com/memmap-go/memmap/conformance"
)

// newWorker returns a worker that lives in this process. It closes everything in the end, and looks for leaks.
func newWorker(t *testing.T) *worker {
	t.Helper()
	w := &worker{page: uint64(os.Getpagesize()), files: map[string]*file{}}
	if err := w.setUp(setup{Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.closeAll(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// mapPages adds anonymous memory of n pages.
func (w *worker) mapPages(t *testing.T, n uint64) *object {
	t.Helper()
	m, err := memmap.Anonymous(int64(n*w.page), nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.add(&object{m: m, name: noName}, n*w.page)
}

// describe writes pieces as "NAME LENGTH", in pages; a piece that its object has left has a "-" before it.
func (w *worker) describe(pieces []piece, names map[*object]string) string {
	var list []string
	for _, p := range pieces {
		name := names[p.o]
		if !p.live {
			name = "-" + name
		}
		list = append(list, name+" "+conformance.Count(p.span.len()/w.page).Format(1<<20))
	}
	return strings.Join(list, ", ")
}

// TestPieces looks up addresses of mappings that live, were closed, became shorter and lie in a region.
func TestPieces(t *testing.T) {
	w := newWorker(t)
	r, err := w.reserve(wish{n: 8 * w.page, lastPlaced: 1})
	if err != nil {
		t.Fatal(err)
	}
	base := r.addr
	place := func(page, n uint64) *object {
		o, err := w.place(wish{addr: base + page*w.page, n: n * w.page, prot: memmap.Read, fixed: true}, w.regions[0])
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	a, b := place(1, 2), place(4, 3)
	names := map[*object]string{a: "a", b: "b"}
	if err := w.close(a); err != nil {
		t.Fatal(err)
	}
	if err := b.m.Resize(int64(w.page)); err != nil {
		t.Fatal(err)
	}
	b.n = w.page
	tests := map[string]struct {
		page, n uint64
		want    string
	}{
		"filler":              {0, 1, " 1"},
		"closed":              {1, 2, "-a 2"},
		"closed, its end":     {2, 1, "-a 1"},
		"shortened":           {4, 1, "b 1"},
		"shortened, the rest": {5, 2, "-b 2"},
		"all":                 {0, 8, " 1, -a 2,  1, b 1, -b 2,  1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			pieces, err := w.pieces(spanOf(base+tt.page*w.page, tt.n*w.page))
			if err != nil {
				t.Fatal(err)
			}
			if got := w.describe(pieces, names); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	c := place(1, 1)
	names[c] = "c"
	pieces, err := w.pieces(spanOf(base+w.page, 2*w.page))
	if got := w.describe(pieces, names); err != nil || got != "c 1, -a 1" {
		t.Errorf("where something is placed again: got %q, %v, want %q", got, err, "c 1, -a 1")
	}
}

func TestPiecesOfNobody(t *testing.T) {
	w := newWorker(t)
	o := w.mapPages(t, 1)
	for _, s := range []span{{0, 1}, spanOf(o.addr, 2*w.page), spanOf(o.addr-1, 1)} {
		if pieces, err := w.pieces(s); err == nil {
			t.Errorf("%v: got %v, want a refusal", s, pieces)
		}
	}
}

// TestReveal looks at the bytes behind the end of a mapping of an odd length.
func TestReveal(t *testing.T) {
	w := newWorker(t)
	m, err := memmap.Anonymous(10, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := w.add(&object{m: m, name: noName}, 10)
	if o.n != w.page {
		t.Errorf("the object has %d bytes, want a page", o.n)
	}
	if err := w.reveal(o, 10); err != nil || m.Len() != 10 {
		t.Errorf("nothing to reveal: got length %d, %v, want 10", m.Len(), err)
	}
	if err := w.reveal(o, 11); err != nil || m.Len() != int64(w.page) {
		t.Errorf("got length %d, %v, want a page", m.Len(), err)
	}
}

// TestShape tells holes from memory without access, both of which /proc shows alike.
func TestShape(t *testing.T) {
	w := newWorker(t)
	o := w.mapPages(t, 5)
	page := int64(w.page)
	if err := o.m.Protect(page, 2*page, memmap.None); err != nil {
		t.Fatal(err)
	}
	if err := o.m.Unmap(2*page, 2*page); err != nil {
		t.Fatal(err)
	}
	o.holed = true
	want := []conformance.Area{
		{Perms: "rw-p", Object: "anon", Len: w.page}, {Perms: "---p", Object: "anon", Len: w.page},
		hole(2 * w.page), {Perms: "rw-p", Object: "anon", Len: w.page},
	}
	got, err := w.shape(o.span())
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if err := w.close(o); err != nil {
		t.Fatal(err)
	}
	got, err = w.shape(o.span())
	if want := []conformance.Area{hole(5 * w.page)}; err != nil || !slices.Equal(got, want) {
		t.Errorf("closed: got %v, %v, want %v", got, err, want)
	}
}

// TestUnknown checks that nothing is said of memory after a step there could not be done.
func TestUnknown(t *testing.T) {
	w := newWorker(t)
	o := w.mapPages(t, 3)
	addr := func(page uint64) arg { return arg{Kind: conformance.ArgExpr, Value: o.addr + page*w.page} }
	one := arg{Kind: conformance.ArgExpr, Value: 1}
	seal := &step{Op: "mseal", Args: []arg{addr(1), one, {}}}
	if _, err := w.attempt(seal); err == nil {
		t.Fatal("mseal is expressible")
	}
	for page, wantErr := range []bool{false, true, false} {
		_, err := w.attempt(&step{Op: "load", Args: []arg{addr(uint64(page)), one}})
		if (err != nil) != wantErr {
			t.Errorf("page %d: got error %v", page, err)
		}
	}
}

// TestCheck makes the books of a worker wrong, and wants each mistake found.
func TestCheck(t *testing.T) {
	tests := map[string]func(w *worker, o *object){
		"closed and alive": func(w *worker, o *object) { o.closed = true },
		"another place":    func(w *worker, o *object) { o.addr += w.page },
		"another name":     func(w *worker, o *object) { o.name = "other" },
		"not in a region":  func(w *worker, o *object) { w.objects = w.objects[:1] },
		"region closed":    func(w *worker, o *object) { w.regions[0].closed = true },
		"region shorter":   func(w *worker, o *object) { w.regions[0].span.Hi -= w.page },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorker(t)
			o := w.mapPages(t, 1)
			if _, err := w.reserve(wish{n: 4 * w.page, lastPlaced: 1}); err != nil {
				t.Fatal(err)
			}
			if err := w.check(); err != nil {
				t.Fatal(err)
			}
			was, objects, reg := *o, w.objects, *w.regions[0]
			spoil(w, o)
			if w.check() == nil {
				t.Error("not found")
			}
			*o, w.objects, *w.regions[0] = was, objects, reg
		})
	}
}

// TestLeaks leaks a descriptor, memory, and a mapping of a file, and wants each found.
func TestLeaks(t *testing.T) {
	w := newWorker(t)
	f, err := os.Create(filepath.Join(w.dir, "leak"))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(1); err != nil {
		t.Fatal(err)
	}
	want(t, w.leakedDescriptors(), "leak")
	m, err := memmap.Map(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	want(t, w.leakedMemory(), "leak")
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	o := w.mapPages(t, 1)
	want(t, w.leakedMemory(), "rw-p")
	if err := w.close(o); err != nil {
		t.Fatal(err)
	}
	if err := w.leakedMemory(); err != nil {
		t.Error(err)
	}
}

func want(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("got error %v, want one with %q", err, text)
	}
}
