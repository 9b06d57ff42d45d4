package sys

import "golang.org/x/sys/unix"

const map32Bit = unix.MAP_32BIT
