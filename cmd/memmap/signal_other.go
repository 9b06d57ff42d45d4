//go:build !unix

package main

import (
	"errors"
	"os"
)

// stopSignals end a run in good order: its files are removed.
var stopSignals = []os.Signal{os.Interrupt}

// brokenPipe is an error of other systems.
var brokenPipe = errors.New("broken pipe")

const exitPipe = exitDisagree

func surviveBrokenPipe() {}
