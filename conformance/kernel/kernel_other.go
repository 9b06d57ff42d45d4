//go:build !(linux && amd64)

package kernel

import (
	"errors"

	"github.com/memmap-go/memmap/conformance"
)

func try() error { return errors.ErrUnsupported }

func start(*conformance.Case, *conformance.Env) (conformance.Session, error) {
	return nil, errors.ErrUnsupported
}
