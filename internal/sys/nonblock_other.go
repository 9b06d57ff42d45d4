//go:build !unix

package sys

// OpenNonblock makes opening a pipe not wait for its other end.
const OpenNonblock = 0
