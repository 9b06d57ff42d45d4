package memmap

import (
	"runtime"
	"runtime/debug"
	"slices"

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
// What fn did before the fault stays done; a mutex that it holds stays locked
// unless defer unlocks it. Only the goroutine that calls Guard is covered, not those
// that fn starts. Some faults the Go runtime can't turn into panics, and the process
// dies: a send of mapped memory on a channel (ch <- b[i]; copy it to a variable
// first, or send in a select), a map store or delete whose key lies there, C code,
// and under the race detector atomic stores. docs/guard.md lists them.
//
// The error's Off is where the memory was touched, which needn't be the first byte
// that can't be: copying touches the end early. ReadAt says where the good bytes end.
func Guard(fn func() error, ms ...*Mapping) error { return guard("guard", fn, ms) }

func guard(op string, fn func() error, ms []*Mapping) (err error) {
	old := debug.SetPanicOnFault(true)
	ok := false
	defer func() {
		if !ok {
			debug.SetPanicOnFault(old)
			err = mustBeFault(op, ms, recover())
		}
	}()
	err = fn()
	ok = true
	debug.SetPanicOnFault(old)
	return err
}

// mustBeFault counts a fault in the memory of one of the mappings, and returns it
// as an error. Every other panic goes on. There is none if the goroutine is about
// to end (runtime.Goexit).
func mustBeFault(op string, ms []*Mapping, panicked any) error {
	if panicked == nil {
		return nil
	}
	err := faultIn(op, ms, panicked)
	if err == nil {
		panic(panicked)
	}
	counted.faults.Add(1)
	return err
}

// faultIn returns the error for a panic, if it is a fault in the memory of one of
// the mappings, or where they have been and nothing else is now. A live mapping
// comes before one that had the same addresses earlier.
func faultIn(op string, ms []*Mapping, panicked any) error {
	addr, ok := faultAddr(panicked)
	if !ok {
		return nil
	}
	ms = slices.DeleteFunc(slices.Clone(ms), func(m *Mapping) bool { return m == nil })
	for _, m := range ms {
		if v := m.now.Load(); v != nil && v.pages.holds(addr) {
			return m.faultError(op, v, int64(addr-v.pages.addr), anyAccess)
		}
	}
	for _, m := range ms {
		if p := m.left(addr); p != nil {
			return m.staleError(op, int64(addr-p.addr)-p.delta)
		}
	}
	return nil
}

// left returns a place that the mapping has left and nothing has taken since, if it
// holds an address.
func (m *Mapping) left(addr uintptr) *place {
	for p := m.places.Load(); p != nil; p = p.before {
		if !p.holds(addr) {
			continue
		}
		m.lock().Unlock() // who is leaving it just now has left it then
		if p.home.vacant(addr) {
			return p
		}
	}
	return nil
}

// staleError describes a fault in a place that the mapping has left.
func (m *Mapping) staleError(op string, off int64) error {
	reason := ErrClosed
	if m.now.Load() != nil {
		reason = ErrMoved
	}
	return m.fail(op, max(off, 0), 1, &fault{reason})
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

// faultError describes a fault at a page offset of a view.
func (m *Mapping) faultError(op string, v *view, at int64, a access) error {
	// The first page may begin before the mapping does.
	off := max(at-v.delta, 0)
	defer m.lock().Unlock()
	var reason error
	switch now := m.now.Load(); {
	case now == nil:
		reason = ErrClosed
	case now.pages.addr != v.pages.addr:
		reason = ErrMoved
	default:
		// The fault came of what is there now; v may be older.
		reason = m.reason(now, at, a)
	}
	return m.fail(op, off, 1, &fault{reason})
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
	}
	page := r.fileOff + roundDown(at-r.off, v.page)
	var err error
	for range 3 {
		err = m.truncated(page)
		if err == nil {
			err = m.askKernel(v, at, a)
		}
		// If someone truncates the file and extends it between the two
		// questions, it looks as if the disk were broken.
		if err != sys.EIO {
			break
		}
	}
	return err
}

// truncated reports that a page lies beyond the end of the file.
func (m *Mapping) truncated(page int64) error {
	if m.file == nil {
		return nil
	}
	info, err := m.file.Stat()
	if err == nil && info.Mode().IsRegular() && page >= info.Size() {
		return withHint(ErrTruncated, "page at %d, file has %d bytes", page, info.Size())
	}
	return nil
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
		return ErrAgain
	case err == sys.ENOMEM && m.flags&sys.GrowsDown != 0:
		return withHint(ErrUnmapped, "GrowsDown memory is only mapped as far as it has grown")
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
