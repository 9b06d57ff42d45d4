//go:build unix

package sys

import "syscall"

// OpenNonblock makes opening a pipe not wait for its other end.
const OpenNonblock = syscall.O_NONBLOCK
