package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime/debug"

	edsrzf "github.com/edsrzf/mmap-go"
	xmmap "golang.org/x/exp/mmap"

	"github.com/memmap-go/memmap"
)

// Guarded reads of a resident file. Bare is a copy out of edsrzf's mapping, in
// the loop itself; ours and the other peers are called for each read.
func readWorks() []work {
	var (
		cache     = offsets{size: 64, within: 16 << 10}
		dependent = offsets{size: 64, within: 64 << 20, dependent: true}
		random    = offsets{size: 64, within: 64 << 20}
		pages     = offsets{size: 4096, within: 64 << 20}
	)
	return []work{
		{
			many: true, setup: setupReads(cache, 1<<17),
			rows: []row{
				{name: "read/64B/cache beside bare", unit: "ns", ours: value("ours"), peer: value("bare"), goal: atMostMore(8), note: more},
				{name: "read/64B/cache beside x/exp/mmap", unit: "ns", ours: value("ours"), peer: value("x/exp/mmap")},
			},
		}, {
			many: true, setup: setupReads(dependent, 1<<14),
			rows: []row{
				{name: "read/64B/dependent beside bare", unit: "ns", ours: value("ours"), peer: value("bare"), goal: atMostMore(15), note: more},
			},
		}, {
			many: true, setup: setupReads(random, 1<<14),
			rows: []row{
				{name: "read/64B/random beside os.File", unit: "M/s", ours: perMicrosecond("ours"), peer: perMicrosecond("os.File"), goal: atLeast(5)},
				{name: "read/64B/random/64 in a Guard beside os.File", unit: "M/s", ours: perMicrosecond("ours, 64 in a Guard"), peer: perMicrosecond("os.File"), goal: atLeast(15), note: bareBeside("os.File")},
				{name: "read/64B/random beside bare", unit: "ns", ours: value("ours"), peer: value("bare"), note: more},
				{name: "read/64B/random beside x/exp/mmap", unit: "ns", ours: value("ours"), peer: value("x/exp/mmap")},
			},
		}, {
			many: true, setup: setupReads(pages, 1<<12),
			rows: []row{
				{name: "read/4KiB/random beside bare", unit: "ns", ours: value("ours"), peer: value("bare"), goal: atMost(1.15), note: more},
				{name: "read/4KiB/random beside os.File", unit: "M/s", ours: perMicrosecond("ours"), peer: perMicrosecond("os.File")},
			},
		},
	}
}

// perMicrosecond turns nanoseconds for each into millions a second.
func perMicrosecond(name string) func(round) float64 {
	return func(r round) float64 { return 1e3 / r.value(name) }
}

// more says what ours costs above the bare copy.
func more(rounds []round) string {
	c := compare(rounds, value("ours"), value("bare"))
	least := compare(rounds, value("the runtime's part"), value("bare"))
	return fmt.Sprintf("ours is bare + %v ns; bare with what the runtime wants around it, a deferred recover and two settings of SetPanicOnFault, "+
		"is bare + %v ns", number(c.more), number(least.more))
}

// bareBeside says what a bare copy would reach: ours can't be faster.
func bareBeside(peer string) func([]round) string {
	return func(rounds []round) string {
		c := compare(rounds, perMicrosecond("bare"), perMicrosecond(peer))
		return "a bare copy reaches " + number(c.ratio).String() + " ×"
	}
}

// offsets says where to read. Without dependent the processor can begin the next
// read before this one is done, as far as there is room in it.
type offsets struct {
	size      int
	within    int64 // a power of two
	dependent bool  // the next offset depends on what was read
	state     uint64
}

func (o *offsets) next(p []byte) int64 {
	o.state = o.state*6364136223846793005 + 1442695040888963407
	if o.dependent {
		o.state += binary.LittleEndian.Uint64(p)
	}
	return int64(o.state>>20) & (o.within - 1) &^ int64(o.size-1)
}

// setupReads makes doers that note the nanoseconds of processor time a read takes.
func setupReads(o offsets, reads int64) func(*env) ([]doer, error) {
	return func(e *env) ([]doer, error) {
		o := o
		o.within = min(o.within, e.size(o.within, 1<<20))
		n := int(e.size(reads, 64))
		f, err := openAll(e, 64<<20)
		if err != nil {
			return nil, err
		}
		timed := func(name string, loop func(n int, p []byte, o offsets) error) doer {
			p := make([]byte, o.size)
			return doer{name, func(r round) (err error) {
				// Nobody shall find in the processor's cache what the
				// one before has read.
				o.state = rand.Uint64()
				r[name], err = eachTakes(n, func() error { return loop(n, p, o) })
				return err
			}}
		}
		return []doer{
			timed("bare", f.readBare), timed("the runtime's part", f.readProtected), timed("ours", f.readOurs), timed("ours, 64 in a Guard", f.readGuarded),
			timed("x/exp/mmap", func(n int, p []byte, o offsets) error { return readFrom(f.exp, n, p, o) }),
			timed("os.File", func(n int, p []byte, o offsets) error { return readFrom(f.file, n, p, o) }),
		}, nil
	}
}

// opened is one file, resident, opened in every way there is.
type opened struct {
	ours *memmap.Mapping
	bare edsrzf.MMap
	exp  *xmmap.ReaderAt
	file *os.File
}

// openAll opens a data file, and touches all its pages through each mapping.
func openAll(e *env, n int64) (*opened, error) {
	n = e.size(n, 1<<20)
	name, err := e.dataFile(n)
	if err != nil {
		return nil, err
	}
	f := new(opened)
	e.after(f.close)
	if f.file, err = os.Open(name); err != nil {
		return nil, err
	}
	if f.bare, err = edsrzf.Map(f.file, edsrzf.RDONLY, 0); err != nil {
		return nil, err
	}
	if f.exp, err = xmmap.Open(name); err != nil {
		return nil, err
	}
	if f.ours, err = memmap.Open(name, nil); err != nil {
		return nil, err
	}
	b := make([]byte, 1<<20)
	for off := int64(0); off < n; off += int64(len(b)) {
		for _, r := range []io.ReaderAt{f.file, f.exp, f.ours} {
			if _, err := r.ReadAt(b, off); err != nil {
				return nil, err
			}
		}
		copy(b, f.bare[off:])
	}
	return f, nil
}

func (f *opened) close() error {
	var errs []error
	if f.ours != nil {
		errs = append(errs, f.ours.Close())
	}
	if f.exp != nil {
		errs = append(errs, f.exp.Close())
	}
	if f.bare != nil {
		errs = append(errs, f.bare.Unmap())
	}
	if f.file != nil {
		errs = append(errs, f.file.Close())
	}
	return errors.Join(errs...)
}

func (f *opened) readBare(n int, p []byte, o offsets) error {
	for range n {
		copy(p, f.bare[o.next(p):])
	}
	return nil
}

// readProtected does the least that keeps a fault from killing the process.
func (f *opened) readProtected(n int, p []byte, o offsets) error {
	for range n {
		if !copyProtected(p, f.bare[o.next(p):]) {
			return errors.New("a fault")
		}
	}
	return nil
}

func copyProtected(dst, src []byte) (ok bool) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		if !ok && recover() == nil {
			return // runtime.Goexit
		}
	}()
	copy(dst, src)
	return true
}

func (f *opened) readOurs(n int, p []byte, o offsets) error {
	for range n {
		if _, err := f.ours.ReadAt(p, o.next(p)); err != nil {
			return err
		}
	}
	return nil
}

// readGuarded puts 64 reads in a Guard.
func (f *opened) readGuarded(n int, p []byte, o offsets) error {
	for range n / 64 {
		err := memmap.Guard(func() error {
			b := f.ours.Bytes()
			for range 64 {
				copy(p, b[o.next(p):])
			}
			return nil
		}, f.ours)
		if err != nil {
			return err
		}
	}
	return nil
}

func readFrom(r io.ReaderAt, n int, p []byte, o offsets) error {
	for range n {
		if _, err := r.ReadAt(p, o.next(p)); err != nil {
			return err
		}
	}
	return nil
}
