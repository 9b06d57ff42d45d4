package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/spf13/cobra"

	"github.com/memmap-go/memmap/conformance/library"
)

// What the command exits with.
const (
	exitOK       = 0
	exitDisagree = 1 // something disagreed, nothing ran, or the run itself failed
	exitUsage    = 2 // the command line or a case file can't be understood
)

func main() {
	library.WorkerMain()
	ctx, stop := signal.NotifyContext(context.Background(), stopSignals...)
	code := run(ctx, os.Args[1:], stdio{
		out:    os.Stdout,
		err:    os.Stderr,
		colour: wantsColour(os.Stdout, os.Getenv),
	}, allRunners())
	stop()
	os.Exit(code)
}

// A stdio is where a command writes: data to out, diagnostics to err.
type stdio struct {
	out, err io.Writer
	colour   bool
}

// run carries out a command line and returns what to exit with.
func run(ctx context.Context, args []string, io stdio, runners []runnerKind) int {
	root := newRootCommand(io, runners)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(io.err, "memmap:", err)
	}
	return exitCode(err)
}

// A failure is an error of a run, not of its command line.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if _, ok := errors.AsType[failure](err); ok {
		return exitDisagree
	}
	return exitUsage
}

func newRootCommand(io stdio, runners []runnerKind) *cobra.Command {
	root := &cobra.Command{
		Use:           "memmap",
		Short:         "Memory mappings: what they do, shown on this system",
		SilenceErrors: true, // run prints them
		SilenceUsage:  true, // a case that disagrees is no reason to explain the flags
	}
	root.SetOut(io.out)
	root.SetErr(io.err)
	root.AddCommand(newTourCommand(io, runners))
	return root
}
