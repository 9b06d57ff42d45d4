package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
)

// A work is one thing that ours and the peers do.
type work struct {
	rows []row

	// many is for works so short that many rounds cost nothing.
	many bool

	// setup makes what the doers work on, and the doers. What it leaves behind
	// it hands to env.after.
	setup func(*env) ([]doer, error)
}

// A doer does the work once, in its own way, and notes what it measured.
type doer struct {
	name string
	do   func(round) error
}

// A row compares, of what the doers of a work measured, ours with a peer's.
type row struct {
	name       string
	unit       string
	ours, peer func(round) float64
	goal       goal

	// note says what limits the row, or what one has to know to read it, from
	// what was measured in the same run. It may be nil.
	note func([]round) string
}

// value is the simplest thing to compare: what was measured under a name.
func value(name string) func(round) float64 {
	return func(r round) float64 { return r.value(name) }
}

// over divides two of them.
func over(name, by string) func(round) float64 {
	return func(r round) float64 { return r.value(name) / r.value(by) }
}

// unavailable is the error of a doer that can't work here. Its rows stay, and
// say why they are empty.
type unavailable struct{ why string }

func (u unavailable) Error() string { return u.why }

// manyRounds is how many rounds of a short work stand for one of a long one. Each
// takes few milliseconds: many of them are free of what else the machine does.
const manyRounds = 20

// run does the works of which a row was selected, and gives the rows to emit as
// they are ready. A work that fails costs its rows their numbers, not the others
// theirs.
func run(ctx context.Context, e *env, works []work, selected *regexp.Regexp, emit func(result) error) error {
	var failed []error
	for _, w := range works {
		rows := w.selectRows(selected)
		if len(rows) == 0 {
			continue
		}
		rounds, lacking, err := w.run(ctx, e)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", rows[0].name, err))
			lacking, rounds = append(lacking, "failed: "+err.Error()), nil
		}
		for _, r := range rows {
			if err := emit(r.result(rounds, lacking)); err != nil {
				return err
			}
		}
	}
	return errors.Join(failed...)
}

func (w work) selectRows(selected *regexp.Regexp) []row {
	var rows []row
	for _, r := range w.rows {
		if selected.MatchString(r.name) {
			rows = append(rows, r)
		}
	}
	return rows
}

// run lets the doers take turns. It returns the rounds, and why some doer had no
// part in them.
func (w work) run(ctx context.Context, e *env) (rounds []round, lacking []string, err error) {
	defer func() { err = errors.Join(err, e.cleanUp()) }()
	doers, err := w.setup(e)
	if err != nil {
		return nil, nil, err
	}
	n := e.rounds
	if w.many && !e.quick {
		n *= manyRounds
	}
	for i := range n {
		r := round{}
		var absent []string
		// Each round begins with another doer: what one leaves to the next,
		// a warm cache or dirty pages, is not always to the same one's good.
		for j := range doers {
			d := doers[(i+j)%len(doers)]
			e.tell("%s: round %d of %d: %s", w.rows[0].name, i+1, n, d.name)
			err := d.do(r)
			var u unavailable
			switch {
			case errors.As(err, &u):
				absent = append(absent, d.name+": "+u.why)
			case err != nil:
				return nil, nil, fmt.Errorf("%s: %w", d.name, err)
			case ctx.Err() != nil:
				return nil, nil, ctx.Err()
			}
		}
		rounds, lacking = append(rounds, r), absent
	}
	return rounds, lacking, nil
}
