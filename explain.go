package memmap

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/memmap-go/memmap/internal/sys"
)

// explain adds to an errno what the user can do about it. ENOMEM stands for
// several limits; which one it was is found by looking.
func explain(err error, size int64) error {
	if err != sys.ENOMEM {
		return err
	}
	// One after the other: at a limit, there may be little memory to look with.
	if why := areaLimit(err); why != nil {
		return why
	}
	return firstOf(addressLimit(err, size), err)
}

// explainCharge is explain for what may have asked for size bytes more of private
// writable memory.
func explainCharge(err error, size int64) error {
	if err = explain(err, size); err != sys.ENOMEM {
		return err
	}
	if why := dataLimit(err, size); why != nil {
		return why
	}
	return firstOf(commitLimit(err, size), err)
}

// areaLimit reports that the process has as many areas as it may have.
func areaLimit(err error) error {
	text, readErr := os.ReadFile("/proc/sys/vm/max_map_count")
	if readErr != nil {
		return nil
	}
	limit, parseErr := strconv.Atoi(strings.TrimSpace(string(text)))
	areas, countErr := countLines("/proc/self/maps")
	if parseErr != nil || countErr != nil {
		return nil
	}
	// A call may need some areas more while it works: mremap wants six.
	if areas >= limit-6 {
		return withHint(err, "the process has %d areas, and vm.max_map_count is %d", areas, limit)
	}
	return nil
}

// limitBuffer is for reading files at the limit of areas: there the Go heap can't
// grow, and the program dies if it has to.
var limitBuffer struct {
	mu    sync.Mutex
	bytes [8 << 10]byte // guarded by mu
}

func countLines(name string) (int, error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	limitBuffer.mu.Lock()
	defer limitBuffer.mu.Unlock()
	lines := 0
	for {
		n, err := f.Read(limitBuffer.bytes[:])
		lines += bytes.Count(limitBuffer.bytes[:n], []byte("\n"))
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

func addressLimit(err error, size int64) error {
	limit, limitErr := sys.AddressSpaceLimit()
	if limitErr != nil || limit == ^uint64(0) {
		return nil
	}
	used, usedErr := addressSpaceUsed()
	if usedErr != nil || used+uint64(size) <= limit {
		return nil
	}
	return withHint(err, "RLIMIT_AS is %d bytes, of which %d are used", limit, used)
}

// dataLimit reports that no more private writable memory may be had.
func dataLimit(err error, size int64) error {
	limit, limitErr := sys.DataLimit()
	if limitErr != nil || limit == ^uint64(0) {
		return nil
	}
	used, usedErr := statusSize("VmData")
	if usedErr != nil || used+uint64(size) <= limit {
		return nil
	}
	return withHint(err, "RLIMIT_DATA is %d bytes, of which %d are used", limit, used)
}

// statusSize returns a size from /proc/self/status.
func statusSize(name string) (uint64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, pathCause(err)
	}
	n, err := kilobytes(status, name)
	return uint64(n), err
}

func commitLimit(err error, size int64) error {
	policy, readErr := ReadOvercommit()
	if readErr != nil {
		return nil
	}
	var refused *hinted
	if errors.As(policy.Check(size), &refused) {
		return withHint(err, "%s", refused.hint)
	}
	return nil
}

// lockLimit reports that no more memory may be locked. If it may, pages can't be
// loaded, for which mlock has the same errno.
func lockLimit(err error, size int64) error {
	limit, limitErr := sys.LockLimit()
	used, usedErr := statusSize("VmLck")
	if limitErr != nil || usedErr != nil || used+uint64(size) <= limit {
		return nil
	}
	return withHint(err, "RLIMIT_MEMLOCK is %d bytes, of which %d are used", limit, used)
}
