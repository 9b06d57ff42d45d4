package mmap

import (
	"slices"
	"sync"

	"github.com/memmap-go/memmap"
)

// A slice has no room for the mapping that it belongs to. So the mappings are
// found by address: a slice belongs to the live mapping in which it lies. That
// can't be mistaken as long as nobody uses a slice after Unmap; and if somebody
// does, it lies in no mapping while its addresses are in quarantine.

// registry knows the live mappings.
type registry struct {
	mu     sync.RWMutex
	mapped []mapped // ordered by address, none overlap; guarded by mu
}

type mapped struct {
	addr, n uintptr // the memory that Map returned
	mapping *memmap.Mapping
}

// live are the mappings of this process. There is only one set of addresses.
var live registry

func (r *registry) add(b []byte, m *memmap.Mapping) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := mapped{address(b), uintptr(len(b)), m}
	r.mapped = slices.Insert(r.mapped, r.after(e.addr), e)
}

// after returns the index of the first mapping that begins after addr. mu is
// held.
func (r *registry) after(addr uintptr) int {
	i, _ := slices.BinarySearchFunc(r.mapped, addr, func(e mapped, addr uintptr) int {
		if e.addr <= addr {
			return -1
		}
		return 1
	})
	return i
}

// find returns the mapping that a slice lies in, and where.
func (r *registry) find(op string, b []byte) (*memmap.Mapping, int64, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	i, err := r.index(op, b)
	if err != nil {
		return nil, 0, err
	}
	e := r.mapped[i]
	return e.mapping, int64(address(b) - e.addr), nil
}

// remove forgets the mapping that a slice is the whole of, and returns it. From
// then on nobody finds it; its addresses are still taken until it is closed.
func (r *registry) remove(b []byte) (*memmap.Mapping, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, err := r.index("unmap", b)
	if err != nil {
		return nil, err
	}
	e := r.mapped[i]
	off, n := address(b)-e.addr, uintptr(len(b))
	if n != e.n {
		return nil, &memmap.Error{Op: "unmap", Name: e.mapping.Name(), Off: int64(off), Len: int64(n),
			Err: invalid("a part of the %d bytes that Map returned, which stay mapped", e.n)}
	}
	r.mapped = slices.Delete(r.mapped, i, i+1)
	return e.mapping, nil
}

// index returns which mapping a slice lies in. mu is held.
func (r *registry) index(op string, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, &memmap.Error{Op: op, Err: invalid("an empty slice, or one that was unmapped")}
	}
	addr := address(b)
	i := r.after(addr) - 1
	if i < 0 || addr-r.mapped[i].addr >= r.mapped[i].n {
		return 0, &memmap.Error{Op: op, Len: int64(len(b)), Err: invalid("memory that Map didn't return, or that was unmapped")}
	}
	return i, nil
}
