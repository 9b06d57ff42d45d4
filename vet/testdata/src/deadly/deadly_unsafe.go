// Package deadly has what the analyzer reports.
package deadly

import (
	"context"
	"sync"
	"time"
	"unsafe"

	"github.com/memmap-go/memmap"
)

type pair struct {
	a, b int64
	c    [4]int16
}

func sends(m *memmap.Mapping, r *memmap.Region, ch chan byte, pairs chan pair) error {
	ch <- m.Bytes()[3] // want `send reads mapped memory`
	ch <- r.Bytes()[3] // want `send reads mapped memory`
	b := m.Bytes()
	b = b[4:]
	tail := b[10:20:30]
	ch <- (tail[0])         // want `send reads mapped memory`
	ch <- (*[16]byte)(b)[2] // want `send reads mapped memory`
	ch <- *(&b[7])          // want `send reads mapped memory`
	p, err := memmap.Pointer[pair](m, 8)
	if err != nil {
		return err
	}
	pairs <- *p // want `send reads mapped memory`
	numbers := make(chan int16, 1)
	numbers <- p.c[1]    // want `send reads mapped memory`
	numbers <- p.c[:][1] // want `send reads mapped memory`
	s, err := memmap.Slice[pair](m, 0, 10)
	if err != nil {
		return err
	}
	for i := range s {
		pairs <- s[i]        // want `send reads mapped memory`
		numbers <- s[i].c[0] // want `send reads mapped memory`
	}
	var later []byte
	later = m.Bytes()
	func() {
		ch <- later[0] // want `send reads mapped memory`
	}()
	return m.Scan(context.Background(), 0, 100, 10, func(off int64, block []byte) error {
		ch <- block[off] // want `send reads mapped memory`
		return nil
	})
}

func prints(m *memmap.Mapping) {
	b := m.Bytes()
	s := unsafe.String(&b[0], len(b))
	println("text", s[1:])                       // want `println reads a mapped string`
	print(unsafe.String(unsafe.SliceData(b), 3)) // want `print reads a mapped string`
}

func keys(m *memmap.Mapping, names map[string]int, pairs map[pair]int, bytes map[byte]int) error {
	b := m.Bytes()
	names[unsafe.String(&b[0], 10)] = 1 // want `map keeps a key`
	bytes[b[0]]++                       // want `map reads its key in mapped memory`
	p, err := memmap.Pointer[pair](m, 0)
	if err != nil {
		return err
	}
	pairs[*p] = 1     // want `map reads its key in mapped memory`
	pairs[*p] += 1    // want `map reads its key in mapped memory`
	delete(pairs, *p) // want `map reads its key in mapped memory`
	return nil
}

func goroutines(m *memmap.Mapping) error {
	b := m.Bytes()
	sum := 0
	return memmap.Guard(func() error {
		go func() {
			sum += int(b[0]) // want `mapped memory is used in another goroutine`
			sum += int(b[1])
		}()
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, x := range b { // want `mapped memory is used in another goroutine`
				sum += int(x)
			}
		})
		go func() {
			println(len(b), string(b)) // want `mapped memory is used in another goroutine`
		}()
		time.AfterFunc(0, func() {
			copy(b, "text") // want `mapped memory is used in another goroutine`
		})
		return nil
	}, m)
}
