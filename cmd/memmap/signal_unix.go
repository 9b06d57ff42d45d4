//go:build unix

package main

import (
	"os"
	"syscall"
)

// stopSignals end a run in good order: its processes are ended and its files removed.
// SIGPIPE is among them for `memmap tour | head`.
var stopSignals = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE}
