package memmap

import (
	"cmp"
	"errors"
	"io"
	"iter"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/memmap-go/memmap/internal/sys"
)

// Region is reserved address space, to place mappings in at chosen offsets:
// side by side, or in the place of each other. Where nothing is placed, it is
// inaccessible, and costs no memory.
//
// This is MAP_FIXED made safe. Placing can't touch anything outside the region,
// nor a live mapping in it: that is ErrInUse, unless Replace is set and whole
// mappings are replaced, which then report ErrClosed. A placement that fails
// changes nothing. Addresses aren't kept out of use as elsewhere: a raw slice of
// a mapping that was closed shows what is placed there next.
//
// A Region may be used by many goroutines at once.
type Region struct {
	pages span

	mu     sync.Mutex // also the mutex of all mappings in the region
	placed []*Mapping // ordered by address; guarded by mu
	empty  []*Mapping // those that have no pages; guarded by mu
	closed bool       // guarded by mu

	watched runtime.Cleanup // reports r if it is lost

	// gate is held for reading by those who copy into a mapping, while they
	// do. Who takes pages away passes through it before they are used again.
	// It comes after mu.
	gate sync.RWMutex
}

// Reserve reserves n bytes of address space, rounded up to whole pages.
func Reserve(n int64) (*Region, error) {
	fail := func(err error) (*Region, error) {
		return nil, &Error{Op: "reserve", Len: n, Err: err}
	}
	switch {
	case n <= 0:
		return fail(ErrRange)
	case n > maxLen-transparentHuge:
		return fail(errTooLong)
	}
	size := roundUp(n, int64(sys.PageSize))
	pages, err := addresses.take(uintptr(size), alignment(int64(sys.PageSize), uintptr(size)))
	if err != nil {
		return fail(explain(err, size))
	}
	r := &Region{pages: pages}
	r.watched = watch(r, "region", size)
	counted.regions.Add(1)
	return r, nil
}

// Len returns the length in bytes.
func (r *Region) Len() int64 { return int64(r.pages.n) }

// Bytes returns the whole range, what is placed there and what isn't. It is raw:
// see Mapping.Bytes. It stays valid until the region is closed.
func (r *Region) Bytes() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	return bytesAt(r.pages, 0, r.Len())
}

// MapRange maps n bytes of a file, from byte off on, at an offset of the
// region. Both offsets must lie at the same distance from a page boundary.
func (r *Region) MapRange(at int64, f *os.File, off, n int64, cfg *FileConfig) (*Mapping, error) {
	return mapRange("place", f, off, n, cfg, &slot{region: r, at: at, replace: cfg != nil && cfg.Replace})
}

// Anonymous maps n bytes of anonymous memory at an offset of the region, a
// multiple of the page size.
func (r *Region) Anonymous(at, n int64, cfg *AnonConfig) (*Mapping, error) {
	return anonymous("place", n, cfg, &slot{region: r, at: at, replace: cfg != nil && cfg.Replace})
}

// Mappings ranges over the live mappings that have pages, and their offsets, in the
// order of their addresses.
func (r *Region) Mappings() iter.Seq2[int64, *Mapping] {
	return func(yield func(int64, *Mapping) bool) {
		r.mu.Lock()
		placed := slices.Clone(r.placed)
		r.mu.Unlock()
		for _, m := range placed {
			if v := m.now.Load(); v != nil && r.pages.contains(v.pages) && !yield(r.offset(v)+v.delta, m) {
				return
			}
		}
	}
}

// ReadAt reads from whatever is placed at off, as io.ReaderAt does. It is guarded:
// what can't be read is an error with the number of bytes read before it.
func (r *Region) ReadAt(p []byte, off int64) (int, error) {
	part := p[:min(int64(len(p)), max(0, r.Len()-off))]
	n, err := r.transfer("read", part, off, (*Mapping).ReadAt)
	if err == nil && n < len(p) {
		if r.Bytes() == nil {
			return n, &Error{Op: "read", Off: off, Len: int64(len(p)), Err: ErrClosed}
		}
		err = io.EOF
	}
	return n, err
}

// WriteAt writes to whatever is placed at off, guarded as ReadAt is. A range that
// doesn't lie in the region is an error, and nothing is written.
func (r *Region) WriteAt(p []byte, off int64) (int, error) {
	if err := checkRange(off, int64(len(p)), r.Len()); err != nil {
		return 0, &Error{Op: "write", Off: off, Len: int64(len(p)), Err: err}
	}
	return r.transfer("write", p, off, (*Mapping).WriteAt)
}

// transfer does one guarded access after another, mapping by mapping.
func (r *Region) transfer(op string, p []byte, off int64, do func(*Mapping, []byte, int64) (int, error)) (int, error) {
	if off < 0 {
		return 0, &Error{Op: op, Off: off, Len: int64(len(p)), Err: ErrRange}
	}
	done := 0
	for done < len(p) {
		m, v, at := r.at(off + int64(done))
		if m == nil {
			return done, &Error{Op: op, Off: off + int64(done), Len: int64(len(p) - done), Err: r.missing()}
		}
		n, err := do(m, p[done:][:min(len(p)-done, len(v.data)-int(at))], at)
		done += n
		// If the mapping was closed, moved or resized meanwhile, something
		// else may be there now.
		if err != nil && m.now.Load() == v {
			return done, inRegion(err, off+int64(done))
		}
	}
	return done, nil
}

// inRegion tells an error of a mapping by an offset of the region.
func inRegion(err error, off int64) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	there := *e
	there.Off = off
	return &there
}

// at returns the mapping at an offset, its view, and the offset in it.
func (r *Region) at(off int64) (*Mapping, *view, int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	addr := r.pages.addr + uintptr(off)
	for _, m := range r.overlapping(span{addr, 1}) {
		v := m.now.Load()
		if at := int64(addr-v.pages.addr) - v.delta; at >= 0 && at < int64(len(v.data)) {
			return m, v, at
		}
	}
	return nil, nil, 0
}

func (r *Region) missing() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	return &fault{ErrUnmapped}
}

// Close closes all mappings in the region and gives the address space back.
func (r *Region) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return &Error{Op: "close", Name: "region", Err: ErrClosed}
	}
	r.closed = true
	r.watched.Stop()
	counted.regions.Add(-1)
	var errs []error
	for _, m := range slices.Concat(r.placed, r.empty) {
		m.unpublish()
		errs = append(errs, m.closeFile())
	}
	r.placed, r.empty = nil, nil
	errs = append(errs, addresses.giveBack(r.pages))
	if err := joined(errs...); err != nil {
		return &Error{Op: "close", Name: "region", Err: err}
	}
	return nil
}

// slot is where in a region a new mapping goes.
type slot struct {
	region  *Region
	at      int64
	replace bool
}

// claim returns the pages for a view of n bytes in whole pages. What is there
// must be free, or replaceable: then it is still there. The region's mu is held.
func (s *slot) claim(v *view, n uintptr) (span, error) {
	start := s.at - v.delta
	switch {
	case s.region.closed:
		return span{}, ErrClosed
	case s.at < 0 || start < 0 || start > s.region.Len() || int64(n) > s.region.Len()-start:
		return span{}, withHint(ErrRange, "the region has %d bytes", s.region.Len())
	case (int64(s.region.pages.addr)+start)%v.page != 0:
		return span{}, withHint(errUnaligned, "placing at %d what begins %d bytes into a page", s.at, v.delta)
	}
	pages := s.region.pages.at(start, int64(n))
	for _, m := range s.region.overlapping(pages) {
		old := m.now.Load().pages
		if !s.replace || !pages.holds(old.addr) || old.end() > pages.end() {
			return span{}, withHint(ErrInUse, "by %s at %d", m.name, s.region.offset(m.now.Load()))
		}
	}
	return pages, nil
}

// overlapping returns the live mappings that have pages in s. mu is held.
func (r *Region) overlapping(s span) []*Mapping {
	lo, _ := slices.BinarySearchFunc(r.placed, s.addr, func(m *Mapping, addr uintptr) int {
		if m.now.Load().pages.end() <= addr {
			return -1
		}
		return 1
	})
	hi := lo
	for hi < len(r.placed) && r.placed[hi].now.Load().pages.addr < s.end() {
		hi++
	}
	return slices.Clone(r.placed[lo:hi])
}

// insert adds a mapping that has been mapped. mu is held.
func (r *Region) insert(m *Mapping) {
	if m.now.Load().pages.n == 0 {
		r.empty = append(r.empty, m)
		return
	}
	addr := m.now.Load().pages.addr
	i, _ := slices.BinarySearchFunc(r.placed, addr, func(m *Mapping, addr uintptr) int {
		return cmp.Compare(m.now.Load().pages.addr, addr)
	})
	r.placed = slices.Insert(r.placed, i, m)
}

// remove forgets a mapping. mu is held.
func (r *Region) remove(m *Mapping) {
	is := func(p *Mapping) bool { return p == m }
	r.placed, r.empty = slices.DeleteFunc(r.placed, is), slices.DeleteFunc(r.empty, is)
}

// offset returns where a view's pages lie in the region.
func (r *Region) offset(v *view) int64 { return int64(v.pages.addr - r.pages.addr) }

// giveBack makes a part of the region inaccessible; it stays the region's.
func (r *Region) giveBack(s span) error {
	if s.n == 0 {
		return nil
	}
	r.waitForWriters()
	if err := makeInaccessible(s); err != nil {
		return disarm(s, err)
	}
	return nil
}

// waitForWriters returns when nobody copies any more into what is no longer there.
func (r *Region) waitForWriters() {
	r.gate.Lock()
	defer r.gate.Unlock()
}

// extend takes the n bytes behind s, if nothing is placed there. mu is held.
func (r *Region) extend(s span, n uintptr) bool {
	return s.n > 0 && n <= r.pages.end()-s.end() && len(r.overlapping(span{s.end(), n})) == 0
}

func (r *Region) vacant(addr uintptr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || !r.pages.holds(addr) {
		return addresses.vacant(addr)
	}
	return len(r.overlapping(span{addr, 1})) == 0
}

// replace puts a mapping of one run in the place of those that lie there. The
// new pages are mapped elsewhere first: whatever the kernel has against them is
// found before the old ones are touched. Then they move, in one step.
func (r *Region) replace(m *Mapping, v *view, at placement) error {
	scratch, err := m.mapScratch(v, at)
	if err != nil {
		return m.explain(err, v.layout[0])
	}
	old := r.overlapping(v.pages)
	views := make([]*view, len(old))
	for i, m := range old {
		views[i] = m.now.Swap(nil)
	}
	r.waitForWriters()
	if _, err := sys.Remap(scratch.addr, scratch.n, scratch.n, sys.RemapMayMove|sys.RemapFixed, v.pages.addr); err != nil {
		// It failed before it touched anything: see mremap_to.
		for i, m := range old {
			m.now.Store(views[i])
		}
		return joined(m.explain(err, v.layout[0]), sys.Unmap(scratch.addr, scratch.n))
	}
	r.placed = slices.DeleteFunc(r.placed, func(p *Mapping) bool { return slices.Contains(old, p) })
	for i, m := range old {
		m.ended(views[i])
		m.lost = m.closeFile()
	}
	return nil
}

// mapScratch maps a view's one run where the kernel likes, complete with locks
// and loaded pages.
func (m *Mapping) mapScratch(v *view, at placement) (span, error) {
	r := v.layout[0]
	scratch, err := m.mapAnywhere(r)
	if err != nil {
		return span{}, m.refused(err, r)
	}
	err = lockPages(scratch, r.lock)
	if err == nil && at.populate {
		there := v.with(v.layout)
		there.pages = scratch
		err = m.populateNew(there)
	}
	if err != nil {
		return span{}, joined(err, sys.Unmap(scratch.addr, scratch.n))
	}
	return scratch, nil
}
