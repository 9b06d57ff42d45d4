package memmap

import "github.com/memmap-go/memmap/internal/sys"

// Protect changes what the pages of the range [off, off+n) may be used for. The
// range must cover whole pages; the ends of the mapping count as page ends.
// Stores can't be allowed into a shared mapping of a file that was opened for
// reading alone (EACCES). If a part can't be changed, none is.
//
// Source: mprotect(2).
func (m *Mapping) Protect(off, n int64, prot Prot) error {
	if !prot.valid() {
		return m.fail("protect", off, n, invalid("Prot %#x is no protection", uint8(prot)))
	}
	return m.onWholePages("protect", off, n, func(v *view, lo, hi int64) error {
		if err := v.whole(lo, hi); err != nil {
			return err
		}
		err := v.each(lo, hi, func(r run, p span) error {
			r.prot = prot
			return m.explain(sys.Protect(p.addr, p.n, sysProt(prot)), r)
		})
		if err != nil {
			// mprotect stops where it fails, and leaves what it has changed.
			undo := v.each(lo, hi, func(r run, p span) error { return sys.Protect(p.addr, p.n, sysProt(r.prot)) })
			return joined(m.forbidden(err, prot), undo)
		}
		m.publish(v.with(v.layout.change(lo, hi, func(r *run) { r.prot = prot })))
		return nil
	})
}

// forbidden adds to the errno of mprotect what it means for this mapping.
func (m *Mapping) forbidden(err error, prot Prot) error {
	if err == sys.EACCES && prot&Write != 0 && m.flags&sys.Shared != 0 {
		return withHint(err, "the file was opened for reading alone, or is sealed")
	}
	return err
}

// Unmap takes the pages of the range [off, off+n) out of the mapping and leaves
// a hole: every access to it faults from then on. The range must cover whole
// pages; the ends of the mapping count as page ends. The length of the mapping
// and the addresses of the rest stay as they are. Nothing else is ever mapped
// into the hole.
//
// Source: munmap(2).
func (m *Mapping) Unmap(off, n int64) error {
	return m.onWholePages("unmap", off, n, func(v *view, lo, hi int64) error {
		next := v.with(v.layout.change(lo, hi, func(r *run) { *r = run{off: r.off, n: r.n, fileOff: r.fileOff, state: hole} }))
		// Readers that fault from now on look at the new layout.
		m.publish(next)
		if err := makeInaccessible(v.pages.at(lo, hi-lo)); err != nil {
			m.publish(v)
			return explain(err, hi-lo)
		}
		return nil
	})
}

// InstallGuard makes the pages of the range [off, off+n) fault on every access,
// without an area of their own for it: thousands of guard pages cost no more
// than one (MADV_GUARD_INSTALL, Linux 6.13; files 6.15). What private memory
// held there is lost. The range must cover whole pages.
func (m *Mapping) InstallGuard(off, n int64) error {
	return m.guard("install guard", off, n, sys.AdviseGuardInstall, guarded)
}

// RemoveGuard makes pages accessible again. Private anonymous memory is zero there, a
// private file mapping shows the file.
func (m *Mapping) RemoveGuard(off, n int64) error {
	return m.guard("remove guard", off, n, sys.AdviseGuardRemove, mapped)
}

func (m *Mapping) guard(op string, off, n int64, advice sys.Advice, state runState) error {
	return m.onWholePages(op, off, n, func(v *view, lo, hi int64) error {
		check := v.whole
		if state == guarded {
			check = v.removable
		}
		if err := check(lo, hi); err != nil {
			return err
		}
		err := v.each(lo, hi, func(_ run, p span) error { return sys.Advise(p.addr, p.n, advice) })
		if err != nil {
			return guardPages.lacking(err)
		}
		m.publish(v.with(v.layout.change(lo, hi, func(r *run) { r.state = state })))
		return nil
	})
}
