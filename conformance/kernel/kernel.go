// Package kernel runs conformance cases on the kernel itself. It is the oracle: nothing stands between a case's
// step and the kernel's answer.
//
// # How it works
//
// A case's processes are copies of this program that were stopped by ptrace(2) before their first instruction.
// None of our code ever runs in them, and their address space is emptied but for the stack, a page of instructions
// and a buffer, far away from where the kernel puts mappings. A system call is done by setting the process's registers, letting it run over one syscall instruction,
// and reading the registers again. A load or a store is a real instruction as well. If it faults, the kernel stops
// the process with the signal before anyone sees it, and PTRACE_GETSIGINFO tells the signal's code and the address:
// faults are observed, and never concluded from what we believe about mappings.
//
// Memory that a case maps is touched by instructions of its process only, never through /proc/PID/mem.
//
// This runner exists for Linux on amd64.
package kernel

import (
	"fmt"

	"github.com/memmap-go/memmap/conformance"
)

// A Runner runs cases on this system's kernel.
type Runner struct{}

// New returns a runner, after it has tried that processes can be traced here. On systems other than Linux on amd64
// the error is errors.ErrUnsupported.
func New() (*Runner, error) {
	if err := try(); err != nil {
		return nil, fmt.Errorf("conformance/kernel: %w", err)
	}
	return &Runner{}, nil
}

// Name returns "kernel".
func (*Runner) Name() string { return "kernel" }

// Start starts the case's first process.
func (*Runner) Start(c *conformance.Case, env *conformance.Env) (conformance.Session, error) {
	return start(c, env)
}
