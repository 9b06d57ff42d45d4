package main

import (
	"context"
	"errors"
	"os/exec"
	"time"

	"github.com/memmap-go/memmap"
)

// Loading a cold file of 1 GiB: its pages are on the disk alone. read(2) shows
// what the disk gives.
func prefaultWorks() []work {
	return []work{{
		setup: setupPrefault,
		rows: []row{
			{name: "prefault/cold 1GiB beside vmtouch -t", unit: "s", ours: value("ours"), peer: value("vmtouch"), goal: atMost(1), note: diskTime},
			{name: "prefault/cold 1GiB beside read(2)", unit: "s", ours: value("ours"), peer: value("read(2)")},
		},
	}}
}

func diskTime(rounds []round) string {
	return "reading the file with read(2) in blocks of 1 MiB takes " + number(median(each(rounds, value("read(2)")))).String() + " s"
}

func setupPrefault(e *env) ([]doer, error) {
	name, err := e.dataFile(e.size(1<<30, 4<<20))
	if err != nil {
		return nil, err
	}
	cold := func(who string, load func(string) error) doer {
		return doer{who, func(r round) error {
			if err := evict(name); err != nil {
				return err
			}
			start := time.Now()
			err := load(name)
			r[who] = time.Since(start).Seconds()
			return err
		}}
	}
	return []doer{cold("ours", prefault), cold("vmtouch", vmtouch), cold("read(2)", load)}, nil
}

func prefault(name string) error {
	m, err := memmap.Open(name, nil)
	if err != nil {
		return err
	}
	return errors.Join(m.Prefault(context.Background(), 0, m.Len(), memmap.Read), m.Close())
}

func vmtouch(name string) error {
	path, err := exec.LookPath("vmtouch")
	if err != nil {
		return unavailable{"not installed"}
	}
	return exec.Command(path, "-q", "-t", name).Run()
}
