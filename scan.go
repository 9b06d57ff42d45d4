package memmap

import (
	"context"
	"sync"
)

// scanBlock is how long a block is if Scan isn't told.
const scanBlock = 1 << 20

// Scan calls fn for the range [off, off+n), one block of size bytes after the
// other (0: a MiB), and loads the next block while fn works on this one. off is
// where the block lies in the mapping.
//
// The block is the memory itself, and valid until fn returns. It is guarded: a
// fault in it ends the scan with an error, as under Guard, with the same limits.
// Scan also ends with the first error of fn, which it returns as it is, and when
// ctx ends. fn is called on the caller's goroutine.
func (m *Mapping) Scan(ctx context.Context, off, n, size int64, fn func(off int64, b []byte) error) error {
	v, err := m.view()
	if err == nil {
		_, _, err = v.pagesOf(off, n)
	}
	if size == 0 {
		size = scanBlock
	}
	if err == nil && size < 0 {
		err = ErrRange
	}
	if err != nil {
		return m.fail("scan", off, n, err)
	}
	return m.scan(ctx, extent{off, n}, size, fn)
}

// extent is a part of a mapping, in bytes.
type extent struct{ off, n int64 }

func (e extent) end() int64 { return e.off + e.n }

// scanAhead is how much is loaded at a time, if blocks aren't longer: the two
// goroutines needn't meet for each block.
const scanAhead = 4 << 20

func (m *Mapping) scan(ctx context.Context, all extent, size int64, fn func(off int64, b []byte) error) error {
	ahead := &loader{m: m, end: all.end(), step: max(size, scanAhead), coming: all.off}
	defer ahead.loading.Wait()
	for b := (extent{off: all.off}); b.end() < all.end(); {
		b = extent{b.end(), min(size, all.end()-b.end())}
		ahead.reach(b.end())
		if err := ctx.Err(); err != nil {
			return m.fail("scan", b.off, b.n, err)
		}
		if err := m.visit(b, fn); err != nil {
			return err
		}
	}
	return nil
}

// visit calls fn for a block.
func (m *Mapping) visit(b extent, fn func(off int64, b []byte) error) error {
	return guard("scan", func() error {
		v, err := m.view()
		if err == nil {
			err = checkRange(b.off, b.n, int64(len(v.data)))
		}
		if err != nil {
			return m.fail("scan", b.off, b.n, err)
		}
		return fn(b.off, v.data[b.off:][:b.n:b.n])
	}, []*Mapping{m})
}

// loader loads one part of a mapping while another is being read.
type loader struct {
	m       *Mapping
	end     int64 // where there is no more to load
	step    int64
	ready   int64 // up to where all is loaded
	coming  int64 // up to where it is being loaded
	loading sync.WaitGroup
}

// reach returns when all is loaded up to an offset, and what follows is coming.
func (l *loader) reach(off int64) {
	for l.ready < off {
		l.loading.Wait()
		l.ready = l.coming
		next := extent{l.coming, min(l.step, l.end-l.coming)}
		l.coming = next.end()
		if next.n > 0 {
			l.loading.Go(func() { l.m.loadExtent(next) })
		}
	}
}

// loadExtent brings a part into memory and into the page table; the kernel reads
// ahead. What can't be loaded is found out by the access.
func (m *Mapping) loadExtent(e extent) {
	v := m.now.Load()
	if v == nil || len(v.layout) == 0 || checkRange(e.off, e.n, int64(len(v.data))) != nil {
		return
	}
	lo, hi := v.pageRange(e.off, e.n)
	k := v.known
	switch {
	case k == nil:
		_ = populate(v.pages.at(lo, hi-lo), false)
	case k.has(lo, int(hi-lo)) || k.lookAt(lo, hi):
		_ = touchGuarded(v.pages.at(lo, hi-lo), faultAround, false)
	case populate(v.pages.at(lo, hi-lo), false) == nil:
		k.mark(lo, hi)
	}
}

// faultAround is how much of what is in memory one page fault brings into the page
// table (fault_around_bytes in mm/memory.c). It costs less than populating.
const faultAround = 64 << 10
