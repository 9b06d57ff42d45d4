//go:build !linux

package sys

import (
	"errors"
	"os"
)

// SetAppendOnly reports that files have no such attribute here.
func SetAppendOnly(*os.File, bool) error { return errors.ErrUnsupported }
