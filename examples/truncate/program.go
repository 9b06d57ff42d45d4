package main

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/memmap-go/memmap"
)

// mapping is what the program needs of one: the checksum of a part.
type mapping interface {
	checksum(off, n int) (uint32, error)
	Close() error
}

// kinds are the two mappings; all else in the program is the same.
var kinds = map[string]struct {
	title string
	open  func(name string) (mapping, error)
}{
	"bare":   {"A bare mapping, as mmap(2) gives it", openBare},
	"memmap": {"A mapping of package memmap", openOurs},
}

// waiting is what the program says before it waits for the end of its input.
const waiting = "waiting"

// program reads a file page by page, and goes on after an error.
func program(kind, name string) error {
	m, err := kinds[kind].open(name)
	if err != nil {
		return err
	}
	page := os.Getpagesize()
	for i := range pages {
		sum, err := m.checksum(i*page, page)
		if err != nil {
			report(i, err)
			continue
		}
		fmt.Printf("page %d: checksum %08x\n", i, sum)
		if i == 0 {
			fmt.Println(waiting)
			if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
				return err
			}
		}
	}
	return m.Close()
}

// report shows what an error tells.
func report(page int, err error) {
	fmt.Printf("page %d: error: %v\n", page, err)
	if e := new(memmap.Error); errors.As(err, &e) {
		fmt.Printf("        file %s, offset %d, truncated: %v\n", e.Name, e.Off, errors.Is(err, memmap.ErrTruncated))
	}
}

type ours struct{ *memmap.Mapping }

func openOurs(name string) (mapping, error) {
	m, err := memmap.Open(name, nil)
	return ours{m}, err
}

func (m ours) checksum(off, n int) (sum uint32, err error) {
	err = memmap.Guard(func() error {
		sum = crc32.ChecksumIEEE(m.Bytes()[off : off+n])
		return nil
	}, m.Mapping)
	return sum, err
}
