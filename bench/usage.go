package main

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// used is what a thread or the process has used up to a moment.
type used struct {
	faults       int64 // minor and major page faults
	waits        int64 // voluntary context switches: it waited for something
	user, system time.Duration
}

// usage asks for RUSAGE_SELF or RUSAGE_THREAD, which can't fail.
func usage(who int) used {
	var u unix.Rusage
	if err := unix.Getrusage(who, &u); err != nil {
		panic(err)
	}
	return used{u.Minflt + u.Majflt, u.Nvcsw, time.Duration(u.Utime.Nano()), time.Duration(u.Stime.Nano())}
}

func (u used) since(before used) used {
	return used{u.faults - before.faults, u.waits - before.waits, u.user - before.user, u.system - before.system}
}

// eachTakes returns the nanoseconds of processor time that each of n repetitions
// takes: time in which the thread waited for a processor isn't the work's.
func eachTakes(n int, fn func() error) (float64, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := threadTime()
	err := fn()
	return float64(threadTime()-start) / float64(n), err
}

func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err) // Linux has had it since 2.6.12
	}
	return time.Duration(t.Nano())
}
