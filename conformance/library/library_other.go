//go:build !linux

package library

import (
	"errors"

	"github.com/memmap-go/memmap/conformance"
)

func try(string) error { return errors.ErrUnsupported }

func start(string, *conformance.Case, *conformance.Env) (conformance.Session, error) {
	return nil, errors.ErrUnsupported
}

// work does nothing: without a runner nobody starts a worker.
func work() {}
