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
	surviveBrokenPipe()
	ctx, stop := signal.NotifyContext(context.Background(), stopSignals...)
	code := run(ctx, os.Args[1:], stdio{
		in:     os.Stdin,
		out:    os.Stdout,
		err:    os.Stderr,
		colour: wantsColour(os.Stdout, os.Getenv),
	}, allRunners())
	stop()
	os.Exit(code)
}

// A stdio is where a command reads, and where it writes: data to out, diagnostics to err.
type stdio struct {
	in       io.Reader
	out, err io.Writer
	colour   bool
}

// An output is a writer that knows whether its reader is gone.
type output struct {
	io.Writer
	broken bool
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	o.broken = o.broken || errors.Is(err, brokenPipe)
	return n, err
}

// run carries out a command line and returns what to exit with. If nobody reads on, that is no error to tell.
func run(ctx context.Context, args []string, io stdio, runners []runnerKind) int {
	out := &output{Writer: io.out}
	io.out = out
	root := newRootCommand(io, runners)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if out.broken {
		return exitPipe
	}
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
