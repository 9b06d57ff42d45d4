package memmap

import (
	"errors"

	"github.com/memmap-go/memmap/internal/sys"
)

// Lock keeps the pages that hold the range [off, off+n) in memory: all of them,
// loaded now (LockNow), or each once it was touched (LockOnFault). RLIMIT_MEMLOCK
// bounds what an ordinary user may lock. If a part can't be locked, none is.
//
// Source: mlock(2), mlock2(2).
func (m *Mapping) Lock(off, n int64, mode LockMode) error {
	if mode != LockNow && mode != LockOnFault {
		return m.fail("lock", off, n, invalid("LockMode is LockNow or LockOnFault"))
	}
	return m.onPages("lock", off, n, func(v *view, lo, hi int64) error {
		if err := v.whole(lo, hi); err != nil {
			return err
		}
		err := v.each(lo, hi, func(r run, p span) error { return m.lockRun(v, r, p, mode) })
		if err != nil {
			// mlock leaves the part before the failure locked.
			undo := v.each(lo, hi, func(r run, p span) error {
				return joined(sys.Unlock(p.addr, p.n), lockPages(p, r.lock))
			})
			return joined(err, undo)
		}
		m.publish(v.with(v.layout.change(lo, hi, func(r *run) { r.lock = mode })))
		return nil
	})
}

// lockRun locks pages and finds out why that fails: mlock says ENOMEM for a page
// that can't be loaded, and for a limit.
func (m *Mapping) lockRun(v *view, r run, p span, mode LockMode) error {
	err := lockPages(p, mode)
	if !errors.Is(err, sys.ENOMEM) {
		return err
	}
	for at := r.off; at < r.end(); at += v.page {
		if populate(v.pages.at(at, v.page), false) != nil {
			return withHint(sys.ENOMEM, "page at %d can't be loaded: %v", at-v.delta, m.reason(v, at, reading))
		}
	}
	return err
}

// Unlock lets the pages that hold the range [off, off+n) be reclaimed again.
func (m *Mapping) Unlock(off, n int64) error {
	return m.onPages("unlock", off, n, func(v *view, lo, hi int64) error {
		err := v.each(lo, hi, func(_ run, p span) error { return sys.Unlock(p.addr, p.n) })
		if err != nil && err != ErrUnmapped {
			return err
		}
		m.publish(v.with(v.layout.change(lo, hi, func(r *run) { r.lock = Unlocked })))
		return err
	})
}

func lockPages(p span, mode LockMode) error {
	if mode == Unlocked {
		return nil
	}
	err := sys.Lock(p.addr, p.n, mode == LockOnFault)
	if err == sys.ENOMEM || err == sys.EAGAIN || err == sys.EPERM {
		return firstOf(lockLimit(err, int64(p.n)), err)
	}
	return err
}
