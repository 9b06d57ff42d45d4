package memmap

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/memmap-go/memmap/internal/sys"
)

const (
	// prefaultStep is how much is loaded between two looks at the context.
	prefaultStep = 8 << 20

	// maxPrefaulters bounds how many steps are in work at once.
	maxPrefaulters = 4
)

// Prefault loads the pages that hold the range [off, off+n), so that the first
// access to them doesn't wait. For Read they are loaded as they are; for Write
// they are also made ready for stores: private pages get their copies, holes in
// the file their blocks. A page that can't be had is an error that names it,
// like the fault that an access would raise. Pages loaded before that, or before
// ctx ended, stay loaded.
//
// Memory is loaded in several parts at once. A file is loaded in order, by one: the
// kernel reads ahead for who goes through it like that. On Linux 5.14 and later this is
// MADV_POPULATE_READ and MADV_POPULATE_WRITE; elsewhere the pages are touched one
// by one.
func (m *Mapping) Prefault(ctx context.Context, off, n int64, access Prot) error {
	return m.PrefaultFunc(ctx, off, n, access, nil)
}

// PrefaultFunc is Prefault with a report of its progress: after each part it calls
// progress with the number of bytes loaded so far, one call after the other.
func (m *Mapping) PrefaultFunc(ctx context.Context, off, n int64, access Prot, progress func(loaded int64)) error {
	_, _, _, err := m.pagesOf(off, n)
	if err == nil && access != Read && access != Write {
		err = invalid("access is Read or Write")
	}
	if err != nil {
		return m.fail("prefault", off, n, err)
	}
	p := &prefaulting{m: m, ctx: ctx, access: access, next: off, end: off + n, progress: progress}
	workers := min((n+prefaultStep-1)/prefaultStep, int64(runtime.GOMAXPROCS(0)), maxPrefaulters)
	if m.yields {
		workers = min(workers, 1)
	}
	var others sync.WaitGroup
	for range workers - 1 {
		others.Go(p.work)
	}
	p.work()
	others.Wait()
	if errors.Is(p.err, ctx.Err()) && ctx.Err() != nil {
		return m.fail("prefault", off, n, p.err)
	}
	return p.err
}

// prefaulting is a range that several goroutines load.
type prefaulting struct {
	m        *Mapping
	ctx      context.Context
	access   Prot
	end      int64
	progress func(int64) // may be nil; called with mu held

	mu     sync.Mutex
	next   int64 // where the next step begins; guarded by mu
	loaded int64 // guarded by mu
	err    error // the first one, by offset; guarded by mu
	errOff int64 // where its step begins; guarded by mu
}

// work loads one step after the other, until there are no more.
func (p *prefaulting) work() {
	for {
		off, n := p.step()
		if n == 0 {
			return
		}
		err := p.ctx.Err()
		if err == nil {
			err = p.m.prefaultStep(off, n, p.access)
		}
		p.done(off, n, err)
	}
}

// step takes the next step. After an error there is none.
func (p *prefaulting) step() (off, n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return 0, 0
	}
	off, n = p.next, min(prefaultStep, p.end-p.next)
	p.next += n
	return off, n
}

func (p *prefaulting) done(off, n int64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		if p.err == nil || off < p.errOff {
			p.err, p.errOff = err, off
		}
		return
	}
	p.loaded += n
	counted.prefaulted.Add(n)
	if p.progress != nil {
		p.progress(p.loaded)
	}
}

// prefaultStep loads a part, wherever the mapping moves meanwhile.
func (m *Mapping) prefaultStep(off, n int64, access Prot) error {
	for {
		v, lo, hi, err := m.pagesOf(off, n)
		if err != nil {
			return m.fail("prefault", off, n, err)
		}
		if err := m.prefault(v, lo, hi, access); !errors.Is(err, ErrMoved) {
			return err
		}
	}
}

// prefault populates [lo, hi) of a view's pages. If that fails, it goes on page
// by page, to find the one that can't be loaded.
func (m *Mapping) prefault(v *view, lo, hi int64, access Prot) error {
	write := access == Write
	if populate(v.pages.at(lo, hi-lo), write) == nil {
		if v.known != nil {
			v.known.mark(lo, hi)
		}
		return nil
	}
	for ; lo < hi; lo += v.page {
		if populate(v.pages.at(lo, v.page), write) == nil {
			continue
		}
		// Looking for the reason loads a page if there is none any more.
		if err := m.faultError("prefault", v, lo, accessOf(access)); !errors.Is(err, ErrAgain) {
			return err
		}
	}
	return nil
}

func accessOf(p Prot) access {
	if p == Write {
		return writing
	}
	return reading
}

// populateNew is Populate of the configurations, for pages that will be a view's:
// it loads them all, but for the room to grow, or says which can't be had and why.
// The mapping's mu is held.
func (m *Mapping) populateNew(v *view) error {
	_, end := v.pageRange(0, int64(len(v.data)))
	access := Read
	if m.flags&sys.Shared == 0 && v.layout[0].prot&Write != 0 {
		access = Write
	}
	if end == 0 || populate(v.pages.at(0, end), access == Write) == nil {
		return nil
	}
	for at := int64(0); at < end; at += v.page {
		if populate(v.pages.at(at, v.page), access == Write) != nil {
			return withHint(&fault{m.reason(v, at, accessOf(access))}, "populating at %d", max(at-v.delta, 0))
		}
	}
	return nil
}

// populate loads pages, or says with an errno that it couldn't: EFAULT where an
// access would fault.
func populate(p span, write bool) error {
	advice := sys.AdvisePopulateRead
	if write {
		advice = sys.AdvisePopulateWrite
	}
	err := sys.Advise(p.addr, p.n, advice)
	if errors.Is(err, errors.ErrUnsupported) || err == sys.EINVAL && populating.missing() {
		return touchPages(p, write)
	}
	return err
}

// touchPages does by accesses what populate does in one call.
func touchPages(p span, write bool) error {
	ok := touchGuarded(p, sys.PageSize, write)
	if !ok {
		return sys.EFAULT
	}
	return nil
}
