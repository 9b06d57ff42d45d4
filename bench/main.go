// Bench measures package memmap beside other ways to the same end, in one run:
//
//	go run . [-run REGEXP] [-rounds N] [-dir DIR] [-quick] [-json]
//
// Ours and the peers take turns, round by round; what is printed is the median
// of the rounds' ratios, beside the goal. It runs on Linux. README.md says how to
// read it, and how to add a row.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bench(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is the command. A goal that isn't met is a row like any other, and no
// error.
func bench(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	match := flags.String("run", "", "do only the rows whose name matches this regular expression")
	rounds := flags.Int("rounds", 5, "how often each work is done; short ones twenty times as often")
	parent := flags.String("dir", os.TempDir(), "where files are made: 5 GiB, on a disk")
	quick := flags.Bool("quick", false, "everything small and once: shows that it runs, not how fast")
	asJSON := flags.Bool("json", false, "print one JSON object a line")
	list := flags.Bool("list", false, "print the rows and their goals, and do nothing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	selected, err := regexp.Compile(*match)
	if err != nil {
		return err
	}
	if *list {
		return listRows(stdout, allWorks(), selected)
	}
	dir, err := os.MkdirTemp(*parent, "memmap-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	e := &env{dir: dir, quick: *quick, rounds: *rounds, progress: stderr}
	if *quick {
		e.rounds = 1
	}
	defer func() { fmt.Fprint(stderr, "\r\x1b[K") }()
	if *asJSON {
		enc := json.NewEncoder(stdout)
		enc.SetEscapeHTML(false)
		return run(ctx, e, allWorks(), selected, func(r result) error { return enc.Encode(r) })
	}
	var results []result
	err = run(ctx, e, allWorks(), selected, func(r result) error {
		results = append(results, r)
		return nil
	})
	return errors.Join(err, table(stdout, results))
}

// allWorks are the works, in the order in which they are done and printed.
func allWorks() []work {
	var all []work
	for _, works := range [][]work{
		readWorks(), guardWorks(), scaleWorks(), coldWorks(), scanWorks(), appendWorks(), pauseWorks(), growWorks(),
		openWorks(), prefaultWorks(),
	} {
		all = append(all, works...)
	}
	return all
}

func listRows(w io.Writer, works []work, selected *regexp.Regexp) error {
	for _, work := range works {
		for _, r := range work.selectRows(selected) {
			if _, err := fmt.Fprintf(w, "%-50s  %s\n", r.name, r.goal.text); err != nil {
				return err
			}
		}
	}
	return nil
}
