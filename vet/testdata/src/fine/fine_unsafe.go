// Package fine has what looks like it, and recovers.
package fine

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"unsafe"

	"github.com/memmap-go/memmap"
)

type pair struct{ a, b int64 }

var global []byte

type holder struct{ b []byte }

func sends(m *memmap.Mapping, ch chan byte, boxes chan any, slices chan []byte, wide chan int) {
	b := m.Bytes()
	x := b[0]
	ch <- x
	ch <- b[0] + 1
	wide <- int(b[0])
	boxes <- b[0]
	slices <- b
	slices <- b[3:]
	for _, x := range b {
		ch <- x
	}
	select {
	case ch <- b[0]:
	default:
	}
	select {
	case ch <- b[0]:
	}
	ch <- unsafe.String(&b[0], 10)[3]
	ch <- []byte(string(b))[3]
	ch <- bytes.Clone(b)[0]
	ch <- append([]byte(nil), b...)[0]
}

func sometimes(m *memmap.Mapping, ch chan byte) {
	b := m.Bytes()
	b = bytes.Clone(b)
	ch <- b[0]
	var none []byte
	none = none[:0]
	ch <- none[0]
	c := m.Bytes()
	read(&c)
	ch <- c[0]
	var d []byte
	for _, d = range [][]byte{c} {
		ch <- d[0]
	}
}

func read(p *[]byte) { *p = nil }

func parameter(b []byte, ch chan byte) { ch <- b[0] }

func other(m interface{ Bytes() []byte }, buf *bytes.Buffer, h holder, ch chan byte) {
	ch <- m.Bytes()[0]
	ch <- buf.Bytes()[0]
	ch <- global[0]
	ch <- h.b[0]
}

func scan(m *memmap.Mapping, ch chan byte) error {
	var sum byte
	err := m.Scan(context.Background(), 0, 100, 10, func(off int64, block []byte) error {
		for _, x := range block {
			sum += x
		}
		return nil
	})
	ch <- sum
	return err
}

func prints(m *memmap.Mapping) {
	b := m.Bytes()
	println(b[0], len(b), string(b))
	println(strings.Clone(unsafe.String(&b[0], len(b))))
	fmt.Println(unsafe.String(&b[0], len(b)))
}

func keys(m *memmap.Mapping, names map[string]int, words map[uint32]int, pairs map[pair]int, boxes map[any]int) (int, error) {
	b := m.Bytes()
	names[string(b)] = 1
	names[strings.Clone(unsafe.String(&b[0], 10))] = 1
	delete(names, unsafe.String(&b[0], 10))
	s, err := memmap.Slice[uint32](m, 0, 10)
	if err != nil {
		return 0, err
	}
	words[s[0]]++
	p, err := memmap.Pointer[pair](m, 0)
	if err != nil {
		return 0, err
	}
	key := *p
	pairs[key] = 1
	boxes[*p] = 1
	return pairs[*p] + names[unsafe.String(&b[0], 10)], nil
}

func goroutines(m *memmap.Mapping) error {
	b := m.Bytes()
	go func() {
		_ = memmap.Guard(func() error { clear(b); return nil }, m)
	}()
	return memmap.Guard(func() error {
		var wg sync.WaitGroup
		n := b[0]
		wg.Go(func() { fmt.Println(n, len(b)) })
		go func() {
			_ = memmap.Guard(func() error { clear(b); return nil }, m)
		}()
		go func() { fmt.Println(len((*[10]byte)(b)), &b[3] == nil) }()
		part := b[:10]
		wg.Go(func() { keep(m) })
		wg.Wait()
		clear(part)
		return nil
	}, m)
}

func keep(*memmap.Mapping) {}
