//go:build !(linux && amd64)

package kernel_test

import (
	"errors"
	"testing"

	"github.com/memmap-go/memmap/conformance/kernel"
)

func TestNewUnsupported(t *testing.T) {
	if r, err := kernel.New(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v, %v, want %v", r, err, errors.ErrUnsupported)
	}
}
