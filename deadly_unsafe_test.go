package memmap

import (
	"sync/atomic"
	"unsafe"
)

// mappedValue is an atomic.Value that lies in mapped memory, where none should.
func mappedValue(b []byte) *atomic.Value { return (*atomic.Value)(unsafe.Pointer(&b[0])) }
