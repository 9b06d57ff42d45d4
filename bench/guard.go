package main

import (
	"runtime/debug"

	"github.com/memmap-go/memmap"
)

// Guard around a function that does nothing, beside the bare call.
func guardWorks() []work {
	return []work{{
		many: true, setup: setupGuard,
		rows: []row{
			{name: "guard/empty beside a bare call", unit: "ns", ours: value("ours"), peer: value("bare"), goal: below(9), note: runtimeAlone},
		},
	}}
}

// runtimeAlone says what of a Guard is the runtime's: no guard can cost less.
func runtimeAlone(rounds []round) string {
	return "a deferred recover and two settings of SetPanicOnFault, around the same function, take " +
		number(median(each(rounds, value("the runtime's part")))).String() + " ns"
}

// runtimesPart is the least that a guard has to do.
func runtimesPart(fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		if recover() != nil {
			err = unavailable{"it panicked"}
		}
	}()
	return fn()
}

func setupGuard(e *env) ([]doer, error) {
	m, err := memmap.Anonymous(4096, nil)
	if err != nil {
		return nil, err
	}
	e.after(m.Close)
	n := int(e.size(1<<17, 64))
	// A variable, so that the bare call isn't compiled away.
	var nothing = func() error { return nil }
	calls := func(name string, call func() error) doer {
		return doer{name, func(r round) (err error) {
			r[name], err = eachTakes(n, call)
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
		calls("the runtime's part", func() error {
			for range n {
				if err := runtimesPart(nothing); err != nil {
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
