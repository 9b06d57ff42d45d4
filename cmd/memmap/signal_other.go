//go:build !unix

package main

import "os"

// stopSignals end a run in good order: its processes are ended and its files removed.
var stopSignals = []os.Signal{os.Interrupt}
