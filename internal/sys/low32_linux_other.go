//go:build linux && !amd64

package sys

// MAP_32BIT exists on amd64 alone.
const map32Bit = 0
