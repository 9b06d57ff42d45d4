package conformance

import "errors"

// A Runner carries out cases on one implementation of memory mappings.
type Runner interface {
	// Name is the word that reports call this runner by.
	Name() string

	// Start begins a case: process "main" exists afterwards.
	// A case's files live in a directory that the runner gets from env.
	Start(c *Case, env *Env) (Session, error)
}

// A Session is one case being run.
// Its methods are called by the goroutine that called Start.
type Session interface {
	// Do carries out one step and says what happened, also if that is an error number or a fault.
	// A success has the kind of result that the operation's line in op.go gives.
	// It never looks at s.Want or s.Repeat; counters are already replaced by their values.
	//
	// An error means that nothing can be said: ErrNotExpressible (wrapped with the reason) if the
	// runner has no way to do the step, any other error if the runner itself failed, which ends the case.
	// Whoever could not do a step must say ErrNotExpressible for each later step that depends on it,
	// by a name or by what it would have done to memory or to a file.
	Do(s *Step) (Result, error)

	// Eval gives the value of an expression in the process's names, in the runner's own address space.
	// The engine asks it for what an expectation says, before the step is done.
	Eval(proc string, e Expr) (uint64, error)

	// Close ends all processes of the case and removes its files.
	Close() error
}

// An Interrupter is a Session that can give up a step that takes long. The engine calls Interrupt, on another goroutine,
// when nobody waits for the case any more. The step then ends with an error, and nothing but Close follows.
type Interrupter interface {
	Interrupt()
}

// ErrNotExpressible is the error of a step that a runner has no way to do.
var ErrNotExpressible = errors.New("not expressible")
