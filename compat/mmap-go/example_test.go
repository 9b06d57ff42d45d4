package mmap_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/memmap-go/memmap/compat/mmap-go"
)

func Example() {
	dir, err := os.MkdirTemp("", "mmap")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "greeting")
	if err := os.WriteFile(name, []byte("hello, world"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()

	m, err := mmap.Map(f, mmap.RDWR, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	copy(m, "HELLO")
	part := m[:5]
	fmt.Println(part.Flush())
	fmt.Println(m.Unmap(), m == nil)
	fmt.Println(m.Unmap())

	text, err := os.ReadFile(name)
	fmt.Printf("%s %v\n", text, err)
	// Output:
	// <nil>
	// <nil> true
	// memmap: unmap: invalid argument: an empty slice, or one that was unmapped
	// HELLO, world <nil>
}
