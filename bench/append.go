package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Appending 1 GiB in records of 64 bytes, while none, one, or two goroutines read
// records that are there already.
func appendWorks() []work {
	var works []work
	for readers := range 3 {
		name := fmt.Sprintf("append/1GiB/%d readers", readers)
		beside := func(peer string, g goal) row {
			return row{name: name + " beside " + peer, unit: "M/s", ours: value("ours"), peer: value(peer), goal: g, note: appendFaults}
		}
		works = append(works, work{
			setup: func(e *env) ([]doer, error) { return setupAppend(e, readers) },
			rows: []row{
				beside("remapping", atLeast(2)), beside("mremap", atLeast(1)), beside("ristretto", atLeast(1)), beside("ours, huge pages", goal{}),
				{name: name + ", stored in one Guard, beside remapping", unit: "M/s", ours: value("ours, in one Guard"), peer: value("remapping"), note: appendFaults},
				{name: name + ", stored in one Guard, beside mremap", unit: "M/s", ours: value("ours, in one Guard"), peer: value("mremap"), note: appendFaults},
			},
		})
	}
	return works
}

// appendFaults says what most of the time goes to.
func appendFaults(rounds []round) string {
	var parts []string
	for _, who := range []string{"ours", "ours, in one Guard", "ours, huge pages", "remapping", "mremap", "ristretto"} {
		of := func(what string) string { return number(median(each(rounds, value(who+what)))).String() }
		parts = append(parts, fmt.Sprintf("%s %s, %s s, %s s", who, of(" faults"), of(" kernel"), of(" user")))
	}
	return "thousands of page faults, time in the kernel, time outside: " + strings.Join(parts, "; ")
}

func setupAppend(e *env, readers int) ([]doer, error) {
	limit, step := e.size(1<<30, 4<<20), e.size(growStep, 1<<20)
	appends := func(who string, create maker) doer {
		return doer{who, func(r round) error {
			l, remove, err := createLog(e, create, step, limit)
			if err != nil {
				return err
			}
			before := usage(unix.RUSAGE_SELF)
			start := time.Now()
			err = appendAll(l, limit, readers, readRecords)
			seconds := time.Since(start).Seconds()
			spent := usage(unix.RUSAGE_SELF).since(before)
			r[who] = float64(limit) / recordSize / seconds / 1e6
			r[who+" faults"] = float64(spent.faults) / 1e3
			r[who+" kernel"] = spent.system.Seconds()
			r[who+" user"] = spent.user.Seconds()
			return errors.Join(err, l.close(), remove())
		}}
	}
	return []doer{
		appends("ours", newInPlace), appends("ours, in one Guard", newStored), appends("ours, huge pages", newHuge), appends("remapping", newRemapped), appends("mremap", newMoved), appends("ristretto", newRistretto),
	}, nil
}

// createLog makes a log in a file that remove takes away, unwritten pages and all.
func createLog(e *env, create maker, step, limit int64) (l log, remove func() error, err error) {
	name := filepath.Join(e.dir, "log")
	if l, err = create(name, step, limit); err != nil {
		return nil, nil, err
	}
	return l, func() error { return os.Remove(name) }, nil
}

// A reader reads what was appended until done is closed.
type reader func(l log, tail *atomic.Int64, done <-chan struct{}) error

// appendAll appends limit bytes, and lets goroutines read beside.
func appendAll(l log, limit int64, readers int, read reader) error {
	var tail atomic.Int64
	done := make(chan struct{})
	errs := make([]error, readers)
	var wg sync.WaitGroup
	for i := range readers {
		wg.Go(func() { errs[i] = read(l, &tail, done) })
	}
	appendToIt := func() error { return appendRecords(l, limit, &tail) }
	var err error
	if g, ok := l.(interface{ guard(func() error) error }); ok {
		err = g.guard(appendToIt)
	} else {
		err = appendToIt()
	}
	close(done)
	wg.Wait()
	return errors.Join(append(errs, err)...)
}

// appendRecords makes what it appended known page by page. A record's length and
// its offset stand in it.
func appendRecords(l log, limit int64, tail *atomic.Int64) error {
	rec := make([]byte, recordSize)
	binary.BigEndian.PutUint32(rec, recordSize-4)
	for off := int64(0); off < limit; off += recordSize {
		binary.LittleEndian.PutUint64(rec[8:], uint64(off))
		if err := l.append(rec); err != nil {
			return err
		}
		if off%4096 == 0 {
			tail.Store(off)
		}
	}
	return nil
}

func readRecords(l log, tail *atomic.Int64, done <-chan struct{}) error {
	rec := make([]byte, recordSize)
	return readAtRandom(tail, done, func(off int64) error { return readRecord(l, rec, off) })
}

// readAtRandom reads at random in what was appended until done is closed.
func readAtRandom(tail *atomic.Int64, done <-chan struct{}, read func(off int64) error) error {
	o := offsets{size: recordSize, within: 1 << 40}
	for {
		select {
		case <-done:
			return nil
		default:
		}
		for range 64 {
			end := tail.Load()
			if end == 0 {
				break
			}
			if err := read(o.next(nil) % end); err != nil {
				return err
			}
		}
	}
}

func readRecord(l log, rec []byte, off int64) error {
	if err := l.read(rec, off); err != nil {
		return err
	}
	if got := int64(binary.LittleEndian.Uint64(rec[8:])); got != off {
		return fmt.Errorf("the record at %d says it is at %d", off, got)
	}
	return nil
}
