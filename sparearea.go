package memmap

import (
	"sync"

	"github.com/memmap-go/memmap/internal/sys"
)

// spareArea is one area of memory that serves no purpose but to be given up.
//
// At the limit of areas mmap(2) refuses even to replace one area by another, and
// so to close a mapping. If all areas are those of open mappings, none could ever
// be closed. Without the spare area there is one less, and it works; and what was
// closed becomes one area with its closed neighbours.
type spareArea struct {
	mu   sync.Mutex
	addr uintptr // 0: there is none; guarded by mu
}

var spare spareArea

// keep makes sure that there is a spare area, if the process may have one more.
func (a *spareArea) keep() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.renew()
}

// renew maps the area. It is shared memory, which never becomes one area with
// others. mu is held.
func (a *spareArea) renew() {
	if a.addr != 0 {
		return
	}
	addr, err := sys.Map(0, uintptr(sys.PageSize), sys.ProtNone, sys.Shared|sys.Anonymous, -1, 0)
	if err == nil {
		a.addr = addr
	}
}

// spend makes a call while the process has one area less, if there is a spare one.
func (a *spareArea) spend(call func() error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.addr == 0 {
		return sys.ENOMEM
	}
	if err := sys.Unmap(a.addr, uintptr(sys.PageSize)); err != nil {
		return err
	}
	a.addr = 0
	err := call()
	a.renew()
	return err
}
