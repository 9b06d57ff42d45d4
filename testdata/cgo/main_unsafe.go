// Cgo has C code touch a mapping that is inaccessible, under Guard.
package main

/*
static char load(const char *p) { return *p; }
*/
import "C"

import (
	"fmt"
	"os"
	"unsafe"

	"github.com/memmap-go/memmap"
)

func main() {
	m, err := memmap.Anonymous(1, nil)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	b := m.Bytes()
	if err := m.Close(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	// The way out: copy in Go, and give C the copy.
	copied := make([]byte, 1)
	err = memmap.Guard(func() error { copy(copied, b); return nil }, m)
	fmt.Println("copied first:", err)
	err = memmap.Guard(func() error { C.load((*C.char)(unsafe.Pointer(&b[0]))); return nil }, m)
	fmt.Println("by C:", err)
}
