package library

import (
	"slices"

	"github.com/memmap-go/memmap"
)

// An object is a mapping that a step made.
type object struct {
	m      *memmap.Mapping
	region *region // that it lies in, or nil
	addr   uint64  // of its first page
	n      uint64  // in whole pages
	page   uint64  // the size of its pages
	closed bool

	shared    bool   // a store is seen by others
	anonymous bool   // shared memory of no file of the case
	readOnly  bool   // its descriptor was not open for writing
	fileOff   uint64 // where in the file it begins
	name      string // what the library must call it

	// filler is memory without any access, to which nothing was done yet: it can be cut, for there is
	// nothing in it.
	filler bool

	holed    bool // a part was unmapped
	remapped bool // its pages are in another order than the file's

	// grownElsewhere is private memory that had to move to grow. The new part is mapped at the new place before the
	// old part comes, so the two may be areas of their own, where the kernel moves one area that is longer then.
	grownElsewhere bool
}

func (o *object) span() span { return spanOf(o.addr, o.n) }

// A region is address space that mappings are placed in.
type region struct {
	r          *memmap.Region
	span       span
	lastPlaced int // line of the last step that places a mapping here
	closed     bool
}

// A held is a range of addresses that an object had at one time.
type held struct {
	span span
	raw  []byte // the memory, as it was handed out
	o    *object
}

// add keeps a new mapping of n bytes.
func (w *worker) add(o *object, n uint64) *object {
	if o.page == 0 {
		o.page = w.page
	}
	o.n = roundUp(n, o.page)
	o.addr = roundDown(addressOf(o.m.Bytes()), w.page)
	w.objects = append(w.objects, o)
	w.hold(o)
	return o
}

// hold keeps an object's memory in mind, for accesses that come too late.
func (w *worker) hold(o *object) {
	raw := o.m.Bytes()
	w.held = append(w.held, held{spanOf(o.addr, uint64(len(raw))), raw, o})
}

// live returns the object that has the address now, or nil.
func (w *worker) live(addr uint64) *object {
	for _, o := range w.objects {
		if !o.closed && o.span().holds(addr) {
			return o
		}
	}
	return nil
}

// inside lists the live objects that have addresses in s, in the order of their addresses.
func (w *worker) inside(s span) []*object {
	var list []*object
	for _, o := range w.objects {
		if !o.closed && o.span().overlaps(s) {
			list = append(list, o)
		}
	}
	slices.SortFunc(list, func(a, b *object) int {
		if a.addr < b.addr {
			return -1
		}
		return 1
	})
	return list
}

// was returns the object that had the address last, though it has it no more.
func (w *worker) was(addr uint64) *held {
	for i := range slices.Backward(w.held) {
		h := &w.held[i]
		if (span{h.span.Lo, roundUp(h.span.Hi, h.o.page)}).holds(addr) {
			return h
		}
	}
	return nil
}

// regionAt returns the region that the address lies in, or nil.
func (w *worker) regionAt(addr uint64) *region {
	for _, r := range w.regions {
		if !r.closed && r.span.holds(addr) {
			return r
		}
	}
	return nil
}

// A piece is a part of a range of addresses that belongs to one object.
type piece struct {
	o    *object
	span span
	live bool // false: the object has left these addresses
}

// off is where the piece begins in its object.
func (p piece) off() int64 { return int64(p.span.Lo - p.o.addr) }

// whole reports whether the piece is all of its object.
func (p piece) whole() bool { return p.live && p.span == p.o.span() }

// pieces says whose the addresses of a range are, in their order.
func (w *worker) pieces(s span) ([]piece, error) {
	var list []piece
	for at := s.Lo; at < s.Hi; {
		p, err := w.pieceAt(span{at, s.Hi})
		if err != nil && list != nil {
			return nil, refuse("the range reaches beyond every mapping of the case")
		}
		if err != nil {
			return nil, err
		}
		list = append(list, p)
		at = p.span.Hi
	}
	return list, nil
}

// pieceAt returns the piece that a range begins with.
func (w *worker) pieceAt(s span) (piece, error) {
	if o := w.live(s.Lo); o != nil {
		return piece{o, s.clip(o.span()), true}, nil
	}
	h := w.was(s.Lo)
	if h == nil {
		return piece{}, refuse("no mapping of the case ever lay at the address")
	}
	s.Hi = min(s.Hi, roundUp(h.span.Hi, h.o.page))
	if next := w.inside(s); len(next) > 0 {
		s.Hi = next[0].addr
	}
	return piece{h.o, s, false}, nil
}

// reveal makes the whole of an object's last page a part of the mapping, if a step is about bytes there. A mapping
// of an odd length has them, but its owner doesn't see them.
func (w *worker) reveal(o *object, end int64) error {
	if end <= o.m.Len() {
		return nil
	}
	if err := o.m.Resize(int64(o.n)); err != nil {
		return err
	}
	w.hold(o)
	return nil
}
