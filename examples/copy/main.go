// Copy copies a file by mapping both.
//
//	go run ./examples/copy FROM TO
//
// A full disk is an error when the target grows, before anything is stored.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/memmap-go/memmap"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: copy FROM TO")
		os.Exit(2)
	}
	if err := copyFile(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "copy:", err)
		os.Exit(1)
	}
}

func copyFile(from, to string) (err error) {
	src, err := memmap.Open(from, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	dst, err := create(to, src.Len())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	err = memmap.Guard(func() error {
		copy(dst.Bytes(), src.Bytes())
		return nil
	}, src, dst)
	if err != nil {
		return err
	}
	return dst.Sync()
}

// create maps a new file of n bytes, with disk blocks for all of them.
func create(name string, n int64) (*memmap.Mapping, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the mapping has a descriptor of its own
	m, err := memmap.Map(f, &memmap.FileConfig{Prot: memmap.Read | memmap.Write, MaxLen: n})
	if err != nil {
		return nil, err
	}
	if err := m.Grow(n); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}
