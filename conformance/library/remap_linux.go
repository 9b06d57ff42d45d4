package library

import (
	"errors"
	"math"
	"slices"
	"strings"
	"syscall"

	"github.com/memmap-go/memmap"
	"github.com/memmap-go/memmap/conformance"
)

// A remapping is what the arguments of mremap ask for.
type remapping struct {
	*worker
	o        *object
	old, new uint64
	to       uint64 // fixed
	mayMove  bool
	fixed    bool
	keep     bool // MREMAP_DONTUNMAP

	part *piece // where a second view of a part of the mapping begins; nil for the whole
}

func mremap(w *worker, s *step) (conformance.Result, error) {
	r, err := w.parseRemap(s)
	if err != nil {
		return conformance.Result{}, err
	}
	locked, err := w.locked(r.o)
	if err != nil {
		return conformance.Result{}, err
	}
	o, err := r.do()
	if err == nil {
		return conformance.Address(o.addr), nil
	}
	if locked && errors.Is(err, syscall.ENOMEM) {
		return conformance.Result{}, refuse("locking more is mlock and says ENOMEM, where mremap says EAGAIN")
	}
	return result(conformance.Result{}, err, forRemap)
}

// parseRemap translates the arguments, or says what the library has no word for.
func (w *worker) parseRemap(s *step) (*remapping, error) {
	addr, f := s.Args[0].Value, s.Args[3].Flags
	r := &remapping{
		worker: w, old: s.Args[1].Value, new: s.Args[2].Value,
		mayMove: f.Has("maymove"), fixed: f.Has("fixed"), keep: f.Has("dontunmap"),
	}
	if len(s.Args) > 4 {
		r.to = s.Args[4].Value
	}
	switch {
	case f.Bits != 0 || addr%w.page != 0 || r.to%w.page != 0 || (r.fixed || r.keep) && !r.mayMove:
		return nil, refuse("flags and addresses that mremap refuses can't be said in the library")
	case w.frozen != "":
		return nil, diverge("%s", w.frozen)
	case r.new > math.MaxInt64:
		return nil, refuse("lengths are int64")
	}
	p, err := w.pieceAt(span{addr, addr + 1})
	if err != nil {
		return nil, err
	}
	r.o = p.o
	return r, r.check(p)
}

// check reports what the library can't do by design.
func (r *remapping) check(p piece) error {
	if !p.live {
		return nil // the library must say so
	}
	size := roundUp(r.old, r.page)
	if r.old == 0 {
		size = r.o.n // a second view
	}
	switch {
	case r.old == 0 && !r.mayMove:
		return refuse("a second view always lies elsewhere")
	case r.old == 0 && (p.off() != 0 || roundUp(r.new, r.page) != r.o.n):
		r.part = &p
		return nil
	case p.off() != 0 || size != r.o.n:
		return diverge("mappings are remapped as wholes by design")
	case r.o.page != r.worker.page && r.new > r.o.n:
		return refuse("the library grows huge pages as it does others")
	case r.keep && roundUp(r.new, r.page) != r.o.n:
		return refuse("TakePages takes all pages")
	case r.fixed && r.regionAt(r.to) == nil:
		return diverge("a fixed mapping outside a Region is impossible by design")
	}
	return r.checkShape()
}

// checkShape reports mappings that are several areas: the library moves and grows them like any others.
func (r *remapping) checkShape() error {
	list, err := r.shape(r.o.span())
	if err != nil {
		return err
	}
	stays := roundUp(r.new, r.page) <= r.o.n && !r.fixed && !r.keep && r.old != 0
	if list[0].Perms == "" || len(list) > 1 && !stays {
		return diverge("the library remaps a mapping whatever areas it consists of")
	}
	return nil
}

// do remaps, and returns the object that the step gives.
func (r *remapping) do() (*object, error) {
	switch {
	case r.fixed:
		return r.move()
	case r.old == 0:
		return r.alias()
	case r.keep:
		return r.take()
	}
	return r.o, r.resize()
}

// resize changes the length, and with leave to move the place.
func (r *remapping) resize() error {
	before, closed := r.o.span(), r.o.closed
	var err error
	if r.mayMove {
		err = r.o.m.Remap(int64(r.new))
	} else {
		err = r.o.m.Resize(int64(r.new))
	}
	if err != nil || closed {
		return err
	}
	r.o.n = roundUp(r.new, r.o.page)
	r.o.addr = addressOf(r.o.m.Bytes())
	if r.o.addr != before.Lo {
		r.o.region = nil
		r.o.grownElsewhere = r.o.grownElsewhere || r.o.n > before.len() && !r.o.shared
	}
	r.o.filler = false
	r.hold(r.o)
	return nil
}

// alias makes a second view. For a part of the mapping it maps its file, which Alias does for the whole.
func (r *remapping) alias() (*object, error) {
	if r.part != nil && r.o.shared {
		return r.aliasPart()
	}
	m, err := r.o.m.Alias()
	if err != nil {
		return nil, err
	}
	return r.another(m), nil
}

func (r *remapping) aliasPart() (*object, error) {
	lines, err := readMaps()
	if err != nil {
		return nil, err
	}
	f, err := r.o.m.File()
	if err != nil {
		return nil, err
	}
	addr := r.part.span.Lo
	i := slices.IndexFunc(lines, func(l mapsLine) bool { return l.span.holds(addr) })
	if i < 0 || !strings.HasSuffix(lines[i].perms, "s") {
		return nil, errors.Join(refuse("there is a hole, which a second view doesn't begin with"), f.Close())
	}
	off := int64(lines[i].offset + addr - lines[i].span.Lo)
	m, err := memmap.MapRange(f, off, int64(r.new), &memmap.FileConfig{Prot: protOf(lines[i].perms)})
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	o := r.another(m)
	o.fileOff = uint64(off)
	return o, nil
}

// take moves the pages away and leaves the range. Of shared memory there is nothing to take: both ranges show it, so it
// is a second view.
func (r *remapping) take() (*object, error) {
	if r.o.shared {
		return r.alias()
	}
	m, err := r.o.m.TakePages()
	if err != nil {
		return nil, err
	}
	return r.another(m), nil
}

// another makes an object of a mapping that came from r.o.
func (r *remapping) another(m *memmap.Mapping) *object {
	o := *r.o
	o.m, o.region, o.filler, o.closed = m, nil, false, false
	return r.add(&o, uint64(m.Len()))
}

// move brings the mapping, or a second view of it, or its pages alone, to a place in a region. The length changes before
// if it shrinks, and after if it grows.
func (r *remapping) move() (*object, error) {
	reg := r.regionAt(r.to)
	from := *r
	from.fixed = false
	target := spanOf(r.to, roundUp(r.new, r.page))
	if err := r.replaceable(reg, target); err != nil {
		return nil, err
	}
	if r.o.span().overlaps(target) {
		return nil, refuse("a move onto itself is no move to a free place")
	}
	o := r.o
	var err error
	if r.old == 0 || r.keep || r.new < r.old {
		o, err = from.do()
	}
	if err != nil {
		return nil, err
	}
	cut, err := r.empty(reg, target)
	if err != nil {
		return nil, err
	}
	moved, err := reg.r.Move(int64(r.to-reg.span.Lo), o.m)
	if err != nil {
		return nil, errors.Join(err, r.restore(reg, cut))
	}
	o.closed = true
	from.o = from.another(moved)
	from.o.region = reg
	if r.new > r.old && r.old != 0 {
		from.mayMove = false
		return from.o, from.resize()
	}
	return from.o, nil
}

// empty makes room for a move, which replaces nothing by itself.
func (r *remapping) empty(reg *region, target span) ([]span, error) {
	cut, err := r.clear(reg, target, true)
	for _, o := range r.inside(target) {
		err = errors.Join(err, r.close(o))
	}
	return cut, err
}

// locked reports whether the object's first page is locked in memory.
func (w *worker) locked(o *object) (bool, error) {
	if o.closed {
		return false, nil
	}
	return w.hasFlag(o.addr, "lo")
}
