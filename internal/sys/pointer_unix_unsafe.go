//go:build unix && !linux

package sys

import "unsafe"

// pointer turns an address outside Go's heap into the pointer that the calls
// of x/sys want. The detour keeps vet's rule for heap pointers out of it.
func pointer(addr uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&addr)) }

func bytes(addr, n uintptr) []byte { return unsafe.Slice((*byte)(pointer(addr)), n) }
