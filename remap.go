package memmap

import (
	"io/fs"
	"sync"

	"github.com/memmap-go/memmap/internal/sys"
)

// Resize makes the mapping n bytes long where it lies. The file is not touched:
// a longer mapping shows more of it, and faults beyond its end (see Grow). More
// private anonymous memory is zero. If the addresses behind the mapping are
// taken, the error is ENOMEM, and nothing has changed: Remap may move.
//
// Pages that are cut off become inaccessible, and room that MaxLen has reserved is
// given up. What the last page holds behind the end stays there, as in mremap(2).
//
// Source: mremap(2) without MREMAP_MAYMOVE.
func (m *Mapping) Resize(n int64) error {
	return m.resize("resize", n, false)
}

// Remap is Resize for mappings that may move. Their pages move, nothing is
// copied. Slices and pointers into the old place must not be used any more: that
// place is inaccessible, as after Close; under Guard they report ErrMoved. ReadAt,
// WriteAt, Load and Store go on undisturbed.
//
// The new place is any: what Addr and Low32 asked for holds for the first one. If
// the mapping grew, what was added may be an area of its own.
//
// Source: mremap(2) with MREMAP_MAYMOVE.
func (m *Mapping) Remap(n int64) error {
	return m.resize("remap", n, true)
}

func (m *Mapping) resize(op string, n int64, mayMove bool) error {
	defer m.lock().Unlock()
	v, err := m.mappedView()
	if err == nil {
		err = m.checkResize(v, n)
	}
	if err == nil {
		err = m.resizeTo(v, n, mayMove)
	}
	if err != nil {
		return m.fail(op, 0, n, err)
	}
	return nil
}

func (m *Mapping) checkResize(v *view, n int64) error {
	switch {
	case m.flags&sys.GrowsDown != 0:
		return errGrowsDown
	case n <= 0:
		return ErrRange
	case n > maxLen-v.delta-v.page:
		return errTooLong
	case m.device && roundUp(v.delta+n, v.page) > int64(v.pages.n):
		return errDevice
	case len(v.layout) == 0:
		return invalid("an empty mapping has no pages to resize: map the file again")
	case v.layout[len(v.layout)-1].state == hole && roundUp(v.delta+n, v.page) > int64(v.pages.n):
		return withHint(sys.EFAULT, "the mapping ends in a hole")
	}
	return nil
}

func (m *Mapping) resizeTo(v *view, n int64, mayMove bool) error {
	size, old := roundUp(v.delta+n, v.page), int64(v.pages.n)
	next := v.with(v.layout.resized(size))
	next.pages.n = uintptr(size)
	switch {
	case size <= old || m.home.extend(v.pages, uintptr(size-old)):
		next.data = bytesAt(next.pages, v.delta, n)
	case mayMove:
		return m.move(v, next, n)
	default:
		return errNoRoom
	}
	if size < old {
		// First no one goes there any more, then it goes.
		m.publish(next)
		return m.home.giveBack(v.pages.at(size, old-size))
	}
	if err := m.mapRuns(next, old, size); err != nil {
		return joined(err, m.home.giveBack(next.pages.at(old, size-old)))
	}
	m.publish(next)
	return nil
}

// move brings a mapping to a new place, where next describes it, and makes it n
// bytes long.
func (m *Mapping) move(v, next *view, n int64) error {
	if err := m.checkMove(v); err != nil {
		return err
	}
	size, old := int64(next.pages.n), int64(v.pages.n)
	to, err := addresses.take(uintptr(size), alignment(v.page, uintptr(size)))
	if err != nil {
		return explain(err, size)
	}
	next.pages = to
	next.data = bytesAt(to, v.delta, n)
	// What can fail without harm comes first.
	err = m.mapRuns(next, old, size)
	if err == nil {
		err = m.movePages(v, to)
	}
	if err != nil {
		return joined(err, addresses.giveBack(to))
	}
	from := m.home
	if r, ok := from.(*Region); ok {
		r.remove(m)
	}
	m.home = addresses
	m.publish(next)
	return from.giveBack(v.pages)
}

// checkMove reports a mapping that has no pages to move, or can't.
func (m *Mapping) checkMove(v *view) error {
	switch {
	case len(v.layout) == 0:
		return invalid("an empty mapping has no pages")
	case m.flags&sys.GrowsDown != 0:
		return errGrowsDown
	case m.flags&sys.Huge != 0:
		// vma_to_resize in mm/mremap.c refuses MREMAP_DONTUNMAP for them.
		return invalid("private huge pages can't be moved")
	}
	return nil
}

// movePages moves the pages of a view to another range, which is inaccessible
// memory of ours. The old range stays mapped, but empty: nothing else can get in
// there before it is given back. A failure leaves everything where it was.
//
// Pages of a shared mapping are the file's: they are mapped again instead.
func (m *Mapping) movePages(v *view, to span) error {
	for i, r := range v.layout {
		if r.state == hole {
			continue
		}
		if err := m.moveRun(r, v.pages, to); err != nil {
			return joined(m.explain(err, r), m.moveBack(v.layout[:i], v.pages, to))
		}
	}
	return nil
}

// moveBack undoes movePages for some runs.
func (m *Mapping) moveBack(moved layout, pages, from span) error {
	var errs []error
	for _, r := range moved {
		if r.state != hole {
			errs = append(errs, m.moveRun(r, from, pages))
		}
	}
	return joined(errs...)
}

// moveRun moves one run. If it fails, the pages are where they were, though they
// may have lost their locks, which the error then says.
func (m *Mapping) moveRun(r run, from, to span) error {
	if m.flags&sys.Shared != 0 && !m.device {
		return m.mapRun(to, r)
	}
	src, dst := from.at(r.off, r.n), to.at(r.off, r.n)
	err := moveSpan(src, dst, r.lock)
	if err == nil {
		if err = settle(dst, r); err == nil {
			return nil
		}
		err = joined(err, moveSpan(dst, src, r.lock))
	}
	return joined(err, settle(src, r))
}

// moveSpan moves pages, inaccessible and unlocked, and leaves the old range mapped.
//
// Between the move and the end of the old range a reader there would find zeros:
// it must fault, and wait for the new place. And the kernel never takes back what
// a locked range counts against RLIMIT_MEMLOCK if it is left with
// MREMAP_DONTUNMAP (dontunmap_complete in mm/mremap.c, in Linux 6.18 still).
func moveSpan(src, dst span, lock LockMode) error {
	if err := sys.Protect(src.addr, src.n, sys.ProtNone); err != nil {
		return err
	}
	if lock != Unlocked {
		if err := sys.Unlock(src.addr, src.n); err != nil {
			return err
		}
	}
	_, err := sys.Remap(src.addr, src.n, src.n, sys.RemapMayMove|sys.RemapFixed|sys.RemapDontUnmap, dst.addr)
	if err != nil {
		_ = retake(dst) // most often it is still there
	}
	return leavingBehind.lacking(err)
}

// settle gives pages that were moved what they had before.
func settle(p span, r run) error {
	if err := sys.Protect(p.addr, p.n, sysProt(r.prot)); err != nil {
		return err
	}
	return relockPages(p, r)
}

// relockPages locks pages again that have been. Those that can't be loaded any more,
// because nobody may touch them or the file has become shorter, are locked as
// soon as they can be; those that are there are at once.
func relockPages(p span, r run) error {
	err := lockPages(p, r.lock)
	if err != nil && r.lock == LockNow {
		return lockPages(p, LockOnFault)
	}
	return err
}

// Alias returns a second mapping of the same memory: a store through one is seen
// through the other. The mapping must be shared.
//
// Source: mremap(2) with an old size of 0.
func (m *Mapping) Alias() (*Mapping, error) {
	defer m.lock().Unlock()
	v, err := m.mappedView()
	switch {
	case err != nil:
	case m.flags&sys.Shared == 0:
		err = ErrPrivate
	case m.device:
		err = errDevice
	}
	if err != nil {
		return nil, m.fail("alias", 0, 0, err)
	}
	twin, err := m.twin()
	if err == nil {
		err = twin.create(&view{page: v.page, delta: v.delta, layout: v.layout}, int64(len(v.data)), placement{})
	}
	if err != nil {
		return nil, m.fail("alias", 0, 0, joined(err, twin.closeFile()))
	}
	return twin, nil
}

// TakePages moves the pages of a private mapping into a new mapping, which it
// returns, and leaves m mapped without them: anonymous memory reads as zero
// then, a file mapping shows the file again. Nothing is copied. It is how to get
// a snapshot of memory out of the way of those who go on writing.
//
// While the pages move they can't be accessed: guarded copies (ReadAt, WriteAt,
// Load, Store) wait, raw access faults, and under Guard reports ErrAgain.
//
// Source: mremap(2) with MREMAP_DONTUNMAP: Linux 5.7, for files 5.13.
func (m *Mapping) TakePages() (*Mapping, error) {
	defer m.lock().Unlock()
	v, err := m.mappedView()
	if err == nil && m.flags&sys.Shared != 0 {
		err = invalid("the pages of a shared mapping are the file's: see Alias")
	}
	if err == nil {
		err = m.checkMove(v)
	}
	if err != nil {
		return nil, m.fail("take pages", 0, 0, err)
	}
	twin, err := m.takePages(v)
	if err != nil {
		return nil, m.fail("take pages", 0, 0, err)
	}
	return twin, nil
}

func (m *Mapping) takePages(v *view) (*Mapping, error) {
	to, err := addresses.take(v.pages.n, alignment(v.page, v.pages.n))
	if err != nil {
		return nil, explain(err, int64(v.pages.n))
	}
	twin, err := m.twin()
	twin.shadow = newShadow(m.shadow == nil) // it is other memory from now on
	if err == nil {
		err = m.movePages(v, to)
	}
	if err == nil {
		err = m.reopen(v)
		if err != nil {
			err = joined(err, m.moveBack(v.layout, v.pages, to))
		}
	}
	if err != nil {
		return nil, joined(err, twin.closeFile(), addresses.giveBack(to))
	}
	m.publish(v.with(v.layout.change(0, int64(v.pages.n), (*run).leftBehind)))
	twin.adopt(to, v)
	return twin, nil
}

// reopen makes pages accessible again that were left behind by moving: that has
// protected and unlocked them.
func (m *Mapping) reopen(v *view) error {
	err := v.each(0, int64(v.pages.n), func(r run, p span) error {
		return m.explain(sys.Protect(p.addr, p.n, sysProt(r.prot)), r)
	})
	if err == ErrUnmapped {
		return nil
	}
	return err
}

// leftBehind is what remains of a run whose pages were taken: no locks, and no
// guards, which are kept in the pages' place.
func (r *run) leftBehind() {
	r.lock = Unlocked
	if r.state == guarded {
		r.state = mapped
	}
}

// twin returns a mapping of the same file that has no pages yet.
func (m *Mapping) twin() (*Mapping, error) {
	twin := &Mapping{traits: m.traits, fd: -1, home: addresses, mu: new(sync.Mutex)}
	if m.file == nil {
		return twin, nil
	}
	file, err := duplicate(m.file)
	if err != nil {
		return twin, err
	}
	twin.file = file
	twin.fd, err = descriptor(file)
	return twin, err
}

// adopt makes the pages of a view, which were moved, those of a new mapping.
func (m *Mapping) adopt(pages span, v *view) {
	next := v.with(v.layout)
	next.pages = pages
	next.data = bytesAt(pages, v.delta, int64(len(v.data)))
	m.publish(next)
}

// moving is held by those who need the mutexes of two mappings. All others need
// only one, so no order between them is necessary.
var moving sync.Mutex

// Move moves a mapping's pages to an offset of the region. It returns the mapping
// that is there now; m reports ErrClosed. If it fails, m is as it was.
//
// Source: mremap(2) with MREMAP_FIXED.
func (r *Region) Move(at int64, m *Mapping) (*Mapping, error) {
	if m == nil {
		return nil, &Error{Op: "move", Off: at, Err: fs.ErrInvalid}
	}
	moving.Lock()
	defer moving.Unlock()
	defer m.lock().Unlock()
	if m.mu != &r.mu {
		r.mu.Lock()
		defer r.mu.Unlock()
	}
	moved, err := r.moveHere(at, m)
	if err != nil {
		return nil, m.fail("move", at, m.Len(), err)
	}
	return moved, nil
}

func (r *Region) moveHere(at int64, m *Mapping) (*Mapping, error) {
	v, err := m.mappedView()
	if err != nil {
		return nil, err
	}
	if err := m.checkMove(v); err != nil {
		return nil, err
	}
	to, err := (&slot{region: r, at: at}).claim(v, v.pages.n)
	if err != nil {
		return nil, err
	}
	if err := m.movePages(v, to); err != nil {
		return nil, joined(err, r.giveBack(to))
	}
	moved := &Mapping{traits: m.traits, file: m.file, fd: m.fd, home: r, mu: &r.mu, gate: &r.gate}
	moved.adopt(to, v)
	err = m.release()
	r.insert(moved)
	return moved, err
}
