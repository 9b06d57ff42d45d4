//go:build unix

package main

import (
	"errors"
	"hash/crc32"
	"os"
	"syscall"
)

type bare []byte

func openBare(name string) (mapping, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	b, err := syscall.Mmap(int(f.Fd()), 0, pages*os.Getpagesize(), syscall.PROT_READ, syscall.MAP_SHARED)
	return bare(b), errors.Join(err, f.Close())
}

func (b bare) checksum(off, n int) (uint32, error) {
	return crc32.ChecksumIEEE(b[off : off+n]), nil
}

func (b bare) Close() error { return syscall.Munmap(b) }
