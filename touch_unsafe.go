package memmap

import (
	"runtime/debug"
	"sync/atomic"
	"unsafe"
)

// touchGuarded touches a word of a range every so many bytes, and reports whether
// none faulted. Adding nothing is a store that changes nothing, whoever else stores
// there.
func touchGuarded(p span, every int, write bool) (ok bool) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		if r := recover(); r != nil {
			if addr, isFault := faultAddr(r); !isFault || !p.holds(addr) {
				panic(r)
			}
		}
	}()
	b := bytesAt(p, 0, int64(p.n))
	for off := 0; off < len(b); off += every {
		word := (*uint32)(unsafe.Pointer(&b[off]))
		if write {
			atomic.AddUint32(word, 0)
		} else {
			atomic.LoadUint32(word)
		}
	}
	return true
}
