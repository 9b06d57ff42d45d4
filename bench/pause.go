package main

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Do readers wait while a log grows? By the clock alone nobody can tell: with
// more threads than processors a reader loses its processor in any case. So each
// read is looked at from outside, by its thread's counters: a long read in which
// the thread took a page fault, or gave up the processor by itself, was held up
// in the kernel or by a lock. The control reads while as much is appended to a
// file that needs no growing.
func pauseWorks() []work {
	var works []work
	for readers := 1; readers <= 2; readers++ {
		name := fmt.Sprintf("pauses/append 1GiB/%d readers", readers)
		works = append(works, work{
			setup: func(e *env) ([]doer, error) { return setupPauses(e, readers) },
			rows: []row{
				{name: name + " beside control", unit: "held up", ours: value("ours"), peer: value("control"), goal: noMore, note: longPauses},
				{name: name + " beside remapping", unit: "held up", ours: value("ours"), peer: value("remapping")},
			},
		})
	}
	return works
}

func longPauses(rounds []round) string {
	of := func(name string) string { return number(median(each(rounds, value(name)))).String() }
	about := func(who string) string {
		return fmt.Sprintf("%s %s (%s, %s, %s ms)", who, of(who+" long"), of(who+" faulted"), of(who+" waited"), of(who+" longest"))
	}
	return fmt.Sprintf("reads longer than %v for whatever reason (with a fault, with a voluntary switch, the longest): %s; %s; %s",
		longRead, about("ours"), about("control"), about("remapping"))
}

// longRead is what counts as a pause: a read takes a thousandth of it.
const longRead = 300 * time.Microsecond

// yieldEvery is less than the runtime lets a goroutine run.
const yieldEvery = 2 * time.Millisecond

// pauses are those of one reader.
type pauses struct {
	long    int // reads that took long
	faulted int // those with a page fault in them
	waited  int // those with a voluntary switch in them
	heldUp  int // those with one of both
	longest time.Duration
}

func setupPauses(e *env, readers int) ([]doer, error) {
	limit, step := e.size(1<<30, 4<<20), e.size(growStep, 1<<20)
	watch := func(who string, create maker) doer {
		return doer{who, func(r round) error {
			l, remove, err := createLog(e, create, step, limit)
			if err != nil {
				return err
			}
			p, err := countPauses(l, limit, readers)
			r[who] = float64(p.heldUp)
			r[who+" long"] = float64(p.long)
			r[who+" faulted"] = float64(p.faulted)
			r[who+" waited"] = float64(p.waited)
			r[who+" longest"] = p.longest.Seconds() * 1e3
			return errors.Join(err, l.close(), remove())
		}}
	}
	return []doer{watch("ours", newInPlace), watch("control", newGrown), watch("remapping", newRemapped)}, nil
}

// countPauses appends beside readers that watch themselves. Go's scheduler and
// its garbage collector stay out of it: each goroutine has a thread and a P.
// A goroutine that runs for 10 ms is preempted even so, which is a switch of its
// thread; so readers yield before that, between two reads.
func countPauses(l log, limit int64, readers int) (pauses, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(readers + 2))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	found := make(chan pauses, readers)
	err := appendAll(l, limit, readers, func(l log, tail *atomic.Int64, done <-chan struct{}) error {
		p, err := watchedReads(l, tail, done)
		found <- p
		return err
	})
	close(found)
	var all pauses
	for p := range found {
		all.long += p.long
		all.faulted += p.faulted
		all.waited += p.waited
		all.heldUp += p.heldUp
		all.longest = max(all.longest, p.longest)
	}
	return all, err
}

// add counts what held up a read that took long.
func (p *pauses) add(spent used) {
	if spent.faults > 0 {
		p.faulted++
	}
	if spent.waits > 0 {
		p.waited++
	}
	if spent.faults > 0 || spent.waits > 0 {
		p.heldUp++
	}
}

func watchedReads(l log, tail *atomic.Int64, done <-chan struct{}) (p pauses, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	rec := make([]byte, recordSize)
	yielded := time.Now()
	err = readAtRandom(tail, done, func(off int64) error {
		if time.Since(yielded) > yieldEvery {
			runtime.Gosched()
			yielded = time.Now()
		}
		before := usage(unix.RUSAGE_THREAD)
		start := time.Now()
		err := readRecord(l, rec, off)
		took := time.Since(start)
		spent := usage(unix.RUSAGE_THREAD).since(before)
		p.longest = max(p.longest, took)
		if took >= longRead {
			p.long++
			p.add(spent)
		}
		return err
	})
	return p, err
}
