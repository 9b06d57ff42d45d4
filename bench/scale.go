package main

import (
	"runtime"
	"sync"
	"time"
)

// How much faster two goroutines read than one, beside the same for a bare
// loop. What a second processor gives is not the same from one moment to the
// next, least of all on a machine shared with others: so all four take turns of
// milliseconds.
func scaleWorks() []work {
	return []work{
		{many: true, setup: setupScale(offsets{size: 64, within: 16 << 10}, 1<<16), rows: []row{scaleRow("scale/64B/cache")}},
		{many: true, setup: setupScale(offsets{size: 4096, within: 64 << 20}, 1<<12), rows: []row{scaleRow("scale/4KiB/random")}},
	}
}

func scaleRow(name string) row {
	return row{
		name: name + ", two goroutines beside bare", unit: "× of one", goal: atLeast(0.95),
		ours: over("ours, one", "ours, two"), peer: over("bare, one", "bare, two"), note: processors,
	}
}

func processors([]round) string {
	if runtime.GOMAXPROCS(0) < 2 {
		return "there is one processor only"
	}
	return ""
}

func setupScale(o offsets, reads int64) func(*env) ([]doer, error) {
	return func(e *env) ([]doer, error) {
		o := o
		o.within = min(o.within, e.size(o.within, 1<<20))
		f, err := openAll(e, 64<<20)
		if err != nil {
			return nil, err
		}
		n := int(e.size(reads, 64))
		return []doer{{"one and two goroutines", func(r round) error {
			for range e.size(8, 1) {
				for _, err := range []error{
					r.addTime("bare, one", inParallel(1, n, o, f.readBare)), r.addTime("ours, one", inParallel(1, n, o, f.readOurs)),
					r.addTime("bare, two", inParallel(2, n, o, f.readBare)), r.addTime("ours, two", inParallel(2, n, o, f.readOurs)),
				} {
					if err != nil {
						return err
					}
				}
			}
			return nil
		}}}, nil
	}
}

// addTime adds the time that a function takes to what was measured under a name.
func (r round) addTime(name string, fn func() error) error {
	start := time.Now()
	err := fn()
	r[name] += float64(time.Since(start))
	return err
}

// inParallel returns a function that shares 2 n reads among goroutines.
func inParallel(goroutines, n int, o offsets, loop func(int, []byte, offsets) error) func() error {
	return func() error {
		errs := make([]error, goroutines)
		var wg sync.WaitGroup
		for i := range goroutines {
			o := o
			o.state = uint64(i)
			wg.Go(func() { errs[i] = loop(2*n/goroutines, make([]byte, o.size), o) })
		}
		wg.Wait()
		return errs[0]
	}
}
