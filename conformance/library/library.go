// Package library runs conformance cases on package memmap, and through nothing but its exported API. It is the
// runner that judges the library: break an exported method, and a case must differ.
//
// # How it works
//
// Each process of a case is a process of its own: this program started again as a worker, see [WorkerMain]. So
// limits, lost privileges and crashes are real, and stay with the case. A worker does its steps through package
// memmap and answers with what happened: with the bytes that a guarded access gave, with the errno or the reason of a
// fault that an error wraps, with what /proc says about its memory.
//
// A case speaks of addresses, the library of mappings and offsets. So a worker keeps for each range of addresses the
// mapping that has it, or once had it; an access to an address that was left goes through the slice that was
// kept from then, under memmap.Guard.
//
// # What becomes of system calls
//
//   - mmap is MapRange, and where the arguments allow it also Map, Open, MapPages, or MapRange with room to grow; without a
//     file it is Anonymous. Memory without any access that a later step places mappings in is a Region, filled with a mapping
//     that is nothing but inaccessible; the parts of it that are placed over or unmapped are cut out.
//   - munmap is Close, for a part Unmap; of a whole region, Region.Close.
//   - mremap is Resize without leave to move, else Remap; Region.Move to a fixed place, Alias for old length 0,
//     TakePages for MREMAP_DONTUNMAP.
//   - fork starts another worker, which gets what can be shared: descriptors, and shared mappings through
//     Mapping.File. Go can't fork, so private memory isn't handed on.
//
// The kernel counts in whole pages where the library counts in bytes. Lengths of steps that change whole pages are
// rounded up before the library sees them; a step into the rest of a mapping's last page first makes that a part
// of the mapping, with Resize.
//
// # What can't be expressed
//
// The library refuses by design some of what the kernel does, or does without a part of it. Such a step is not expressible;
// its error says why. The steps that depend on it aren't either: by its name, by the addresses it was about, by
// contents that it would have stored.
package library

import (
	"errors"
	"fmt"
	"os"

	"github.com/memmap-go/memmap/conformance"
)

// A Runner runs cases on package memmap.
type Runner struct {
	program string // what is started as a worker: this program
}

// workerVariable is the environment variable that makes a process of this program a worker.
const workerVariable = "MEMMAP_CONFORMANCE_WORKER"

// New returns a runner, after it has tried that this program can be started as a worker. On systems other than Linux
// the error is errors.ErrUnsupported.
func New() (*Runner, error) {
	if os.Getenv(workerVariable) != "" {
		return nil, errors.New("conformance/library: this process was started as a worker; the program must call WorkerMain first")
	}
	program, err := os.Executable()
	if err == nil {
		err = try(program)
	}
	if err != nil {
		return nil, fmt.Errorf("conformance/library: %w", err)
	}
	return &Runner{program: program}, nil
}

// Name returns "library".
func (*Runner) Name() string { return "library" }

// Start starts the case's first process.
func (r *Runner) Start(c *conformance.Case, env *conformance.Env) (conformance.Session, error) {
	return start(r.program, c, env)
}

// WorkerMain makes this process a worker if it was started as one; it never returns then. Otherwise it returns at once.
// A program that uses this package calls it first of all: in main, and in TestMain.
func WorkerMain() {
	if os.Getenv(workerVariable) != "" {
		work()
	}
}
