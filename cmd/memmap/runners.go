package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/memmap-go/memmap/conformance"
	"github.com/memmap-go/memmap/conformance/kernel"
	"github.com/memmap-go/memmap/conformance/library"
)

// A runnerKind is a way to run cases that may be available here.
type runnerKind struct {
	name  string
	about string // one line, what it runs them with
	start func() (conformance.Runner, error)
}

// allRunners lists the ways to run cases, in the order of their columns.
func allRunners() []runnerKind {
	return []runnerKind{
		{"kernel", "raw system calls, loads and stores in traced processes",
			func() (conformance.Runner, error) { return kernel.New() }},
		{"memmap", "package memmap, through its exported API, in worker processes",
			func() (conformance.Runner, error) { return library.New() }},
	}
}

// chooseRunners returns the named kinds, or all if no name is given. The order of the columns stays.
func chooseRunners(all []runnerKind, names []string) ([]runnerKind, error) {
	var known []string
	for _, k := range all {
		known = append(known, k.name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("unknown runner %q, there are: %s", name, strings.Join(known, ", "))
		}
	}
	if len(names) == 0 {
		return all, nil
	}
	return slices.DeleteFunc(slices.Clone(all), func(k runnerKind) bool { return !slices.Contains(names, k.name) }), nil
}

// startRunners starts the runners that work on this system, and says on w which don't.
func startRunners(kinds []runnerKind, w io.Writer) (started []runnerKind, runners []conformance.Runner, err error) {
	for _, k := range kinds {
		r, err := k.start()
		if errors.Is(err, errors.ErrUnsupported) {
			fmt.Fprintf(w, "memmap: runner %s does not work on this system: %v\n", k.name, err)
			continue
		}
		if err != nil {
			return nil, nil, failure{fmt.Errorf("start runner %s (--runner names those to use): %w", k.name, err)}
		}
		started, runners = append(started, k), append(runners, r)
	}
	if len(runners) == 0 {
		return nil, nil, failure{errors.New("no runner works on this system")}
	}
	return started, runners, nil
}
