//go:build race

// Package race tells the race detector of accesses to memory that it doesn't watch
// by itself. Without the detector its functions do nothing.
package race

import (
	"runtime"
	"unsafe"
)

// Enabled says that the race detector is at work.
const Enabled = true

// Read tells of a read of b, which is in Go's heap.
func Read(b []byte) {
	if len(b) > 0 {
		runtime.RaceReadRange(unsafe.Pointer(unsafe.SliceData(b)), len(b))
	}
}

// Write tells of a write to b.
func Write(b []byte) {
	if len(b) > 0 {
		runtime.RaceWriteRange(unsafe.Pointer(unsafe.SliceData(b)), len(b))
	}
}
