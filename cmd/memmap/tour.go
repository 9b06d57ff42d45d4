package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/memmap-go/memmap/conformance"
)

// A tour is the command and what its flags say.
type tour struct {
	stdio
	all []runnerKind

	paths   []string // --cases
	names   []string // --runner
	json    bool
	list    bool
	verbose bool
}

func newTourCommand(io stdio, runners []runnerKind) *cobra.Command {
	t := &tour{stdio: io, all: runners}
	c := &cobra.Command{
		Use:   "tour [SECTION | CASE]...",
		Short: "Run the conformance cases of each section and show what was answered",
		Long:  tourHelp,
		RunE:  func(c *cobra.Command, args []string) error { return t.run(c.Context(), args) },
	}
	f := c.Flags()
	f.StringArrayVar(&t.paths, "cases", nil, "run the cases at `PATH` (a file, a directory of .txt files, or - for standard input) instead of the own suite; repeatable")
	f.StringArrayVar(&t.names, "runner", nil, "use only the runner `NAME`; repeatable")
	f.BoolVar(&t.json, "json", false, "write one JSON object a line")
	f.BoolVar(&t.list, "list", false, "list sections and cases, and run nothing")
	f.BoolVarP(&t.verbose, "verbose", "v", false, "show every step of every case, and why a runner can't express one")
	return c
}

func (t *tour) run(ctx context.Context, args []string) error {
	kinds, err := chooseRunners(t.all, t.names)
	if err != nil {
		return err
	}
	if err := t.checkModes(); err != nil {
		return err
	}
	groups, err := loadGroups(t.paths, t.in)
	if err != nil {
		return err
	}
	if groups, err = selectGroups(groups, args); err != nil {
		return err
	}
	if t.list {
		return failed(writeList(t.out, groups))
	}
	return t.play(ctx, groups, kinds)
}

// checkModes reports modes that exclude each other.
func (t *tour) checkModes() error {
	switch {
	case t.json && t.verbose:
		return errors.New("--json writes every step of every case anyway: leave out --verbose")
	case t.list && (t.json || t.verbose):
		return errors.New("--list runs nothing: leave out --json and --verbose")
	}
	return nil
}

// failed makes err a failure, unless it is nil.
func failed(err error) error {
	if err != nil {
		return failure{err}
	}
	return nil
}

// play runs the cases, and reports.
func (t *tour) play(ctx context.Context, groups []*group, kinds []runnerKind) (err error) {
	kinds, runners, err := startRunners(kinds, t.err)
	if err != nil {
		return err
	}
	env, err := conformance.NewEnv()
	if err != nil {
		return failed(err)
	}
	defer func() { err = errors.Join(err, failed(env.Close())) }()

	p := player{env: env, kinds: kinds, runners: runners}
	if t.json {
		p.report = newJSONReport(t.out, kinds)
	} else {
		p.watch = newWatcher(runners[0])
		p.runners[0] = p.watch
		p.report = newTextReport(t.out, kinds, textOptions{colour: t.colour, verbose: t.verbose})
	}
	sum, err := p.play(ctx, groups)
	if err != nil {
		return failed(err)
	}
	return failed(sum.verdict())
}
