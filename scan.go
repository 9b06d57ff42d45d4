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
	return m.scan(ctx, extent{off, min(size, n)}, off+n, fn)
}

// extent is a part of a mapping, in bytes.
type extent struct{ off, n int64 }

func (m *Mapping) scan(ctx context.Context, b extent, end int64, fn func(off int64, b []byte) error) error {
	var loading sync.WaitGroup
	defer loading.Wait()
	m.loadBlock(b)
	for size := b.n; b.n > 0; {
		if err := ctx.Err(); err != nil {
			return m.fail("scan", b.off, b.n, err)
		}
		next := extent{b.off + b.n, min(size, end-b.off-b.n)}
		loading.Go(func() { m.loadBlock(next) })
		if err := m.visit(b, fn); err != nil {
			return err
		}
		loading.Wait()
		b = next
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

// loadBlock brings a block into memory and into the page table, and has the kernel
// start to read what comes next. What can't be loaded is found out by the access.
func (m *Mapping) loadBlock(b extent) {
	v := m.now.Load()
	if v == nil || len(v.layout) == 0 || b.n <= 0 || checkRange(b.off, b.n, int64(len(v.data))) != nil {
		return
	}
	lo, hi := v.pageRange(b.off, b.n)
	if k := v.known; k != nil {
		k.ask(lo, min(hi+max(readAhead, hi-lo), int64(v.pages.n)))
		k.wait(lo, hi)
		return
	}
	_ = populate(v.pages.at(lo, hi-lo), false)
}
