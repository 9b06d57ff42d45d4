//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// stopSignals end a run in good order: its processes are ended and its files removed.
var stopSignals = []os.Signal{os.Interrupt, syscall.SIGTERM}

// What `memmap tour | head` comes to: the error of a write that nobody reads, and the exit status that a shell gives
// programs that SIGPIPE ends.
const (
	brokenPipe = syscall.EPIPE
	exitPipe   = 128 + int(syscall.SIGPIPE)
)

// surviveBrokenPipe has such a write fail, where it would end the program: a run must remove its files. The signal
// is not ignored, because programs that we start would inherit that.
func surviveBrokenPipe() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }
