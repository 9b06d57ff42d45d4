package library

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/memmap-go/memmap/conformance"
	"github.com/memmap-go/memmap/internal/sys"
)

// rlimit sets a soft limit of this process.
func rlimit(w *worker, s *step) (conformance.Result, error) {
	which, soft := s.Args[0].Name, s.Args[1].Value
	w.limited = true
	switch which {
	case "as":
		w.frozen = "RLIMIT_AS counts address space that the library has reserved before, by design"
		return conformance.Result{}, refuse("%s", w.frozen)
	case "data":
		// __mmap_region in mm/vma.c looks at the limit with the pages that are more than before.
		w.frozen = "RLIMIT_DATA doesn't count what replaces reserved address space, as mappings of the library do by design"
		if soft != sys.NoLimit {
			used, err := dataSize()
			if err != nil {
				return conformance.Result{}, err
			}
			soft += used
		}
	}
	return done(sys.SetSoftLimit(which, soft), noReasons)
}

// dataSize is what counts against RLIMIT_DATA now.
func dataSize() (uint64, error) {
	hoard()
	value, err := status("VmData")
	if err != nil {
		return 0, err
	}
	kb, err := strconv.ParseUint(strings.TrimSuffix(value, " kB"), 10, 64)
	return kb << 10, err
}

// hoard has the Go runtime ask for all the memory that it may need for the rest of the case: under a limit it could
// not go on. Besides heap it needs room for its own lists, one for each size of objects.
func hoard() {
	const enough = 32 << 20
	for range 3 {
		runtime.KeepAlive(make([]byte, enough))
		for n := 8; n <= 32<<10; n += max(8, n/8) {
			for range 3 * (8<<10/n + 1) {
				runtime.KeepAlive(make([]byte, n))
				runtime.KeepAlive(make([]*byte, n/8))
			}
		}
		runtime.GC()
	}
}

// status returns a field of /proc/self/status.
func status(field string) (string, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("/proc/self/status has no %s", field)
}

// unprivileged gives up all capabilities, and becomes another user.
func unprivileged(w *worker, s *step) (conformance.Result, error) {
	if has, err := hasCapabilities(); err != nil || !has {
		return conformance.OK(), err
	}
	w.limited = true
	if err := sys.BecomeNobody(); err != nil {
		return conformance.Result{}, err
	}
	has, err := hasCapabilities()
	if err == nil && has {
		err = errors.New("the process kept capabilities")
	}
	return conformance.OK(), err
}

func hasCapabilities() (bool, error) {
	value, err := status("CapEff")
	return strings.Trim(value, "0") != "", err
}
