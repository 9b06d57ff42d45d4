package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	edsrzf "github.com/edsrzf/mmap-go"
	"golang.org/x/sys/unix"

	"github.com/memmap-go/memmap"
)

// One goroutine computes while 64 read pages that are on the disk alone, at
// random: how much does it get done, and how many reads are there? A page fault
// holds up the processor that Go's scheduler thinks the goroutine runs on.
func coldWorks() []work {
	var works []work
	for procs := 1; procs <= 2; procs++ {
		works = append(works, coldWork(procs))
	}
	return works
}

func coldWork(procs int) work {
	name := func(s string) string { return fmt.Sprintf("cold/64 readers/P=%d/%s", procs, s) }
	w := work{
		setup: func(e *env) ([]doer, error) { return setupCold(e, procs) },
		rows: []row{
			{name: name("computing beside no readers"), unit: "M/s", ours: value("ours computes"), peer: value("nobody computes"), goal: atLeast(0.8), note: coldReads},
			{name: name("computing beside edsrzf"), unit: "M/s", ours: value("ours computes"), peer: value("edsrzf computes"), goal: atLeast(25)},
			{name: name("computing beside os.File"), unit: "M/s", ours: value("ours computes"), peer: value("os.File computes")},
			{name: name("reading beside os.File"), unit: "k/s", ours: value("ours reads"), peer: value("os.File reads")},
			{name: name("reading beside edsrzf"), unit: "k/s", ours: value("ours reads"), peer: value("edsrzf reads")},
		},
	}
	if procs > 1 {
		w.rows[3].goal = atLeast(1)
	}
	return w
}

// coldReads says what the processors do: they have one second each a second.
func coldReads(rounds []round) string {
	of := func(name string) string { return number(median(each(rounds, value(name)))).String() }
	return fmt.Sprintf("processors used, of them in the kernel: no readers %s, %s; ours %s, %s; os.File %s, %s; edsrzf %s, %s",
		of("nobody uses"), of("nobody kernel"), of("ours uses"), of("ours kernel"), of("os.File uses"), of("os.File kernel"),
		of("edsrzf uses"), of("edsrzf kernel"))
}

const coldReaders = 64

// A source is a file that the readers read from, cold at first.
type source interface {
	io.ReaderAt
	io.Closer
}

func setupCold(e *env, procs int) ([]doer, error) {
	size := e.size(1<<30, 64<<20)
	name, err := e.dataFile(size)
	if err != nil {
		return nil, err
	}
	window := time.Duration(e.size(int64(time.Second), int64(20*time.Millisecond)))
	reads := func(who string, open func(name string) (source, error)) doer {
		return doer{who, func(r round) error {
			if err := evict(name); err != nil {
				return err
			}
			s, err := open(name)
			if err != nil {
				return err
			}
			err = beside(r, who, procs, window, &cold{source: s, pages: size / pageSize})
			return errors.Join(err, s.Close())
		}}
	}
	return []doer{
		{"nobody", func(r round) error { return beside(r, "nobody", procs, window, nil) }},
		reads("ours", coldOurs), reads("edsrzf", coldEdsrzf), reads("os.File", coldFile),
	}, nil
}

const pageSize = 4096

// cold is where the readers are in a cold file.
type cold struct {
	source
	pages int64 // a power of two
	taken atomic.Int64
}

// read reads a page that nobody has read, in an order without a pattern. It
// returns io.EOF when there is none left.
func (c *cold) read(p []byte) error {
	i := c.taken.Add(1)
	if i > c.pages {
		return io.EOF
	}
	page := (i * 0x9E3779B1) & (c.pages - 1) // odd: each page comes up once
	_, err := c.ReadAt(p, page*pageSize)
	return err
}

// beside computes for a while, beside readers if there are any. When they have
// read the whole file, it is over early: the rates are right all the same.
func beside(r round, who string, procs int, window time.Duration, c *cold) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
	var stop atomic.Bool
	var wg sync.WaitGroup
	errs := make(chan error, coldReaders)
	if c != nil {
		for range coldReaders {
			wg.Go(func() { errs <- c.readUntil(&stop) })
		}
	}
	before := usage(unix.RUSAGE_SELF)
	start := time.Now()
	steps := compute(start.Add(window), &stop)
	took := time.Since(start).Seconds()
	spent := usage(unix.RUSAGE_SELF).since(before)
	if c != nil {
		r[who+" reads"] = float64(min(c.taken.Load(), c.pages)) / took / 1e3
	}
	stop.Store(true)
	wg.Wait()
	close(errs)
	r[who+" computes"] = float64(steps) / took / 1e6
	r[who+" uses"] = (spent.user + spent.system).Seconds() / took
	r[who+" kernel"] = spent.system.Seconds() / took
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// readUntil reads until it shall stop. It makes all others stop when there is
// nothing left to read, or if it fails.
func (c *cold) readUntil(stop *atomic.Bool) error {
	defer stop.Store(true)
	p := make([]byte, pageSize)
	for !stop.Load() {
		if err := c.read(p); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// compute does steps that touch no memory until a time has come, or it shall
// stop.
func compute(until time.Time, stop *atomic.Bool) (steps int64) {
	x := uint64(1)
	for x != 0 && !stop.Load() && time.Now().Before(until) {
		for range 10_000 {
			x = x*6364136223846793005 | 1
		}
		steps += 10_000
	}
	return steps
}

func coldOurs(name string) (source, error) {
	m, err := memmap.Open(name, nil)
	if err != nil {
		return nil, err
	}
	return m, m.Advise(0, m.Len(), memmap.Random)
}

func coldFile(name string) (source, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return f, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM)
}

func coldEdsrzf(name string) (source, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	m, err := edsrzf.Map(f, edsrzf.RDONLY, 0)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &mapped{m, f}, unix.Madvise(m, unix.MADV_RANDOM)
}

// mapped is a mapping of edsrzf's that can be read from.
type mapped struct {
	edsrzf.MMap
	file *os.File
}

func (m *mapped) ReadAt(p []byte, off int64) (int, error) { return copy(p, m.MMap[off:]), nil }
func (m *mapped) Close() error                            { return errors.Join(m.Unmap(), m.file.Close()) }
