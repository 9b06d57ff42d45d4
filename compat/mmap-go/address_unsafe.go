package mmap

import "unsafe"

// address returns where a slice begins. It is only compared: mapped memory does
// not move.
func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }
