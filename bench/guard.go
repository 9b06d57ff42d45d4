package main

import (
	"time"

	"github.com/memmap-go/memmap"
)

// Guard around a function that does nothing, beside the bare call.
func guardWorks() []work {
	return []work{{
		many: true, setup: setupGuard,
		rows: []row{
			{name: "guard/empty beside a bare call", unit: "ns", ours: value("ours"), peer: value("bare"), goal: below(9)},
		},
	}}
}

func setupGuard(e *env) ([]doer, error) {
	m, err := memmap.Anonymous(4096, nil)
	if err != nil {
		return nil, err
	}
	e.after(m.Close)
	n := int(e.size(1<<20, 64))
	// A variable, so that the bare call isn't compiled away.
	var nothing = func() error { return nil }
	calls := func(name string, call func() error) doer {
		return doer{name, func(r round) error {
			start := time.Now()
			err := call()
			r[name] = float64(time.Since(start)) / float64(n)
			return err
		}}
	}
	return []doer{
		calls("ours", func() error {
			for range n {
				if err := memmap.Guard(nothing, m); err != nil {
					return err
				}
			}
			return nil
		}),
		calls("bare", func() error {
			for range n {
				if err := nothing(); err != nil {
					return err
				}
			}
			return nil
		}),
	}, nil
}
