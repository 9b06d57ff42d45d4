package memmap

import (
	"sync/atomic"
	"unsafe"
)

// mappedString returns a string that lies in the bytes, instead of a copy.
func mappedString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// mappedWord returns the first whole word in the bytes.
func mappedWord(b []byte) *atomic.Uint32 {
	p := unsafe.Pointer(&b[0])
	return (*atomic.Uint32)(unsafe.Add(p, -uintptr(p)&3))
}
