// Cat writes files to the standard output, by mapping them.
//
//	go run ./examples/cat FILE…
//
// A file that is truncated while it is written is an error here, and not the
// end of the program.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/memmap-go/memmap"
)

func main() {
	status := 0
	for _, name := range os.Args[1:] {
		if err := cat(os.Stdout, name); err != nil {
			fmt.Fprintln(os.Stderr, "cat:", err)
			status = 1
		}
	}
	os.Exit(status)
}

func cat(w io.Writer, name string) (err error) {
	m, err := memmap.Open(name, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	if err := m.Advise(0, m.Len(), memmap.Sequential); err != nil {
		return err
	}
	return write(w, m)
}

// write hands the mapped memory itself to w, a block at a time. The block is
// loaded first, so that a page that can't be read is an error with its place;
// the guard is for what happens after that.
func write(w io.Writer, m *memmap.Mapping) error {
	const block = 1 << 20
	for off := int64(0); off < m.Len(); off += block {
		n := min(block, m.Len()-off)
		if err := m.Prefault(context.Background(), off, n, memmap.Read); err != nil {
			return err
		}
		err := memmap.Guard(func() error {
			_, err := w.Write(m.Bytes()[off : off+n])
			return err
		}, m)
		if err != nil {
			return err
		}
	}
	return nil
}
