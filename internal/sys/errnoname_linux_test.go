package sys

import (
	"syscall"
	"testing"
)

func TestErrnoName(t *testing.T) {
	for errno, want := range map[syscall.Errno]string{
		syscall.ENOMEM:     "ENOMEM",
		syscall.EAGAIN:     "EAGAIN",
		syscall.EOPNOTSUPP: "EOPNOTSUPP",
	} {
		if got := ErrnoName(errno); got != want {
			t.Errorf("%d: got %s, want %s", errno, got, want)
		}
	}
}
