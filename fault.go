package memmap

import (
	"runtime"
	"runtime/debug"

	"github.com/memmap-go/memmap/internal/sys"
)

// Guard runs fn, and turns a fault in the memory of one of the mappings into an
// error. Inside it, raw bytes may be used as if nothing could happen to them:
//
//	err := memmap.Guard(func() error {
//		sum = crc32.ChecksumIEEE(m.Bytes())
//		return nil
//	}, m)
//
// All other panics go on unchanged, faults in other memory among them. Guards
// nest; the goroutine's debug.SetPanicOnFault setting is restored.
//
// What fn did before the fault stays done, and a mutex it held stays locked. Only
// the goroutine that calls Guard is covered, not those that fn starts. Some
// faults the Go runtime can't turn into panics, and the process dies: sending
// mapped memory on a channel (ch <- b[i]; copy it to a variable first), the
// builtin print, C code.
func Guard(fn func() error, ms ...*Mapping) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		r := recover()
		if r == nil {
			return
		}
		m, v, at := attribute(r, ms)
		if m == nil {
			panic(r)
		}
		err = m.faultError("guard", v, at, anyAccess)
	}()
	return fn()
}

// attribute finds the mapping whose memory a panic is about. A live mapping comes
// before one that had the same addresses earlier.
func attribute(panicked any, ms []*Mapping) (owner *Mapping, v *view, at int64) {
	addr, ok := faultAddr(panicked)
	if !ok {
		return nil, nil, 0
	}
	for _, m := range ms {
		if v := m.now.Load(); v != nil && v.pages.holds(addr) {
			return m, v, int64(addr - v.pages.addr)
		}
	}
	for _, m := range ms {
		for _, s := range *m.spans.Load() {
			if s.holds(addr) {
				return m, nil, int64(addr - s.addr)
			}
		}
	}
	return nil, nil, 0
}

// faultAddr returns the address of a fault that the runtime turned into a panic.
func faultAddr(panicked any) (uintptr, bool) {
	if _, ok := panicked.(runtime.Error); !ok {
		return 0, false
	}
	f, ok := panicked.(interface{ Addr() uintptr })
	if !ok {
		return 0, false
	}
	return f.Addr(), true
}

// access is what was tried when a fault came.
type access uint8

const (
	reading access = iota
	writing
	anyAccess // not known
)

// faultError describes a fault at a page offset of a view, or of a range that
// the mapping has left, if v is nil.
func (m *Mapping) faultError(op string, v *view, at int64, a access) error {
	if v == nil {
		return m.fail(op, at, 1, &fault{ErrClosed})
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.now.Load() == nil {
		return m.fail(op, at-v.delta, 1, &fault{ErrClosed})
	}
	return m.fail(op, at-v.delta, 1, &fault{m.reason(v, at, a)})
}

// reason looks for the reason why a page can't be accessed. mu is held.
func (m *Mapping) reason(v *view, at int64, a access) error {
	r := v.layout.at(at)
	switch {
	case r.state == hole:
		return ErrUnmapped
	case r.state == guarded:
		return withHint(ErrProtected, "guard page")
	case r.prot&(Read|Write|Exec) == 0 || a == writing && r.prot&Write == 0:
		return withHint(ErrProtected, "pages are %s", r.prot)
	case m.file == nil:
		return m.askKernel(v, at, a)
	}
	info, err := m.file.Stat()
	page := r.fileOff + roundDown(at-r.off, v.page)
	if err == nil && info.Mode().IsRegular() && page >= info.Size() {
		return withHint(ErrTruncated, "page at %d, file has %d bytes", page, info.Size())
	}
	return m.askKernel(v, at, a)
}

// askKernel populates the page, which fails for the reason that the access
// failed for.
func (m *Mapping) askKernel(v *view, at int64, a access) error {
	r := v.layout.at(at)
	p := v.pages.at(roundDown(at, v.page), v.page)
	err := populate(p, false)
	if err == nil && a != reading {
		if r.prot&Write == 0 {
			return withHint(ErrProtected, "pages are %s", r.prot)
		}
		err = populate(p, true)
	}
	switch {
	case err == nil:
		return errNotNow
	case err != sys.EFAULT:
		return firstOf(errnoCause(err), errUnknownCause)
	}
	if m.file != nil {
		if free, err := sys.FreeBytes(m.fd); err == nil && free < uint64(v.page) {
			return sys.ENOSPC
		}
	}
	return sys.EIO
}

// errnoCause returns what populating says of a page by itself: that the memory
// is broken, or exhausted. EINVAL says only that the call isn't known.
func errnoCause(err error) error {
	if err == sys.EINVAL {
		return nil
	}
	return err
}
