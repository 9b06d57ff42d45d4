package memmap

import (
	"sync"

	"github.com/memmap-go/memmap/internal/sys"
)

// feature is something that not every kernel has. EINVAL is how an old kernel
// says so, but also how a new one says that an argument is wrong: the probe
// tries the plainest case there is.
type feature struct {
	what  string                 // with the version that brought it
	probe func(pages span) error // on two pages of private memory

	mu     sync.Mutex
	known  bool // a probe was conclusive; guarded by mu
	exists bool // its answer; guarded by mu
}

var (
	populating = &feature{what: "MADV_POPULATE needs Linux 5.14", probe: func(p span) error {
		return sys.Advise(p.addr, p.n, sys.AdvisePopulateRead)
	}}
	guardPages = &feature{what: "MADV_GUARD_INSTALL needs Linux 6.13", probe: func(p span) error {
		return sys.Advise(p.addr, p.n, sys.AdviseGuardInstall)
	}}
	droppable = &feature{what: "MAP_DROPPABLE needs Linux 6.11", probe: func(p span) error {
		_, err := sys.Map(p.addr, p.n, sys.ProtRead, sys.Droppable|sys.Anonymous|sys.Fixed, -1, 0)
		return err
	}}
	leavingBehind = &feature{what: "MREMAP_DONTUNMAP needs Linux 5.7, and 5.13 for files", probe: func(p span) error {
		half := p.n / 2
		_, err := sys.Remap(p.addr, half, half, sys.RemapMayMove|sys.RemapFixed|sys.RemapDontUnmap, p.addr+half)
		return err
	}}
)

// missing reports whether the kernel surely lacks the feature. An answer that is
// not conclusive (no memory for the probe) is not kept.
func (f *feature) missing() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.known {
		f.exists, f.known = f.try()
	}
	return f.known && !f.exists
}

func (f *feature) try() (exists, conclusive bool) {
	n := uintptr(2 * sys.PageSize)
	addr, err := sys.Map(0, n, sys.ProtRead|sys.ProtWrite, sys.Private|sys.Anonymous, -1, 0)
	if err != nil {
		return false, false
	}
	err = f.probe(span{addr, n})
	if sys.Unmap(addr, n) != nil {
		return false, false
	}
	switch err {
	case nil:
		return true, true
	case sys.EINVAL, sys.ENOSYS:
		return false, true
	}
	return false, false
}

// lacking turns EINVAL into ErrUnsupported where it means that.
func (f *feature) lacking(err error) error {
	if err == sys.EINVAL && f.missing() {
		return unsupported(f.what)
	}
	return err
}
