//go:build linux

package memmap

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/memmap-go/memmap/internal/sys"
)

// TestExplain wants the reason for ENOMEM, and no other errno changed.
func TestExplain(t *testing.T) {
	for _, err := range []error{nil, sys.EINVAL, ErrClosed, syscall.EAGAIN} {
		if got := explain(err, 1<<62); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
	if got := explain(sys.ENOMEM, pageSize); got != sys.ENOMEM {
		t.Errorf("a page of memory is refused for no reason known, but got %v", got)
	}
	policy := needPolicy(t, OvercommitHeuristic)
	if got := explain(sys.ENOMEM, policy.Memory+policy.Swap+pageSize); got != sys.ENOMEM {
		t.Errorf("what is charged nothing is refused by another limit, but got %v", got)
	}
	got := explainCharge(sys.ENOMEM, policy.Memory+policy.Swap+pageSize)
	if text := got.Error(); !strings.Contains(text, "vm.overcommit_memory is 0") {
		t.Errorf("got %q", text)
	}
}

// TestExplainAddressSpace names the limit that is in the way, and what of it is
// left; other requests aren't its business.
func TestExplainAddressSpace(t *testing.T) {
	if !inChild(t) {
		return
	}
	used, err := addressSpaceUsed()
	must(t, err)
	const left = 64 << 20
	setLimit(t, syscall.RLIMIT_AS, used+left)
	if got := explain(sys.ENOMEM, pageSize); got != sys.ENOMEM {
		t.Errorf("a page would be within the limit, but got %v", got)
	}
	got := explain(sys.ENOMEM, 2*left).Error()
	if !strings.Contains(got, "RLIMIT_AS is ") {
		t.Errorf("got %q", got)
	}
}

// TestExplainData has no more private writable memory to give; other memory isn't
// counted. Nor is new memory in an arena: for the kernel it takes the place of as
// many pages, whatever they were.
func TestExplainData(t *testing.T) {
	if !inChild(t) {
		return
	}
	used, err := statusSize("VmData")
	must(t, err)
	const left = 64 << 20
	setLimit(t, syscall.RLIMIT_DATA, used+left)
	m := mustMap(t)(Anonymous(2*left, &AnonConfig{Prot: Read}))
	mustMap(t)(Anonymous(2*left, &AnonConfig{Shared: true}))
	_, err = mustReserve(t, 2*left).Anonymous(0, 2*left, &AnonConfig{Replace: true})
	for op, err := range map[string]error{"place": err, "protect": m.Protect(0, 2*left, Read|Write)} {
		if e := wantError(t, err, op, sys.ENOMEM); !strings.Contains(e.Error(), "RLIMIT_DATA is ") {
			t.Errorf("got %q, which doesn't say why", e)
		}
	}
}

// TestExplainLock tells pages that can't be loaded from too many locked ones.
func TestExplainLock(t *testing.T) {
	if !inChild(t) {
		return
	}
	becomeUser(t)
	setLimit(t, rlimitMemlock, uint64(8*pageSize))
	_, err := Anonymous(9*pageSize, &AnonConfig{Lock: LockNow})
	if e := wantError(t, err, "map", sys.ENOMEM); !strings.Contains(e.Error(), "RLIMIT_MEMLOCK is 32768 bytes, of which 0 are used") {
		t.Errorf("got %q", e)
	}
	m := mustMap(t)(Anonymous(0, &AnonConfig{Shared: true}))
	memory, err := m.File()
	must(t, err)
	defer memory.Close()
	_, err = MapRange(memory, 0, 2*pageSize, &FileConfig{Lock: LockNow})
	if e := wantError(t, err, "map", sys.ENOMEM); strings.Contains(e.Error(), "RLIMIT_MEMLOCK") {
		t.Errorf("got %q, but the pages are beyond the end", e)
	}
}

func TestCountLines(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "one\n": 1, "one\ntwo": 1, strings.Repeat("a line\n", 5000): 5000, "\n" + strings.Repeat("x", 10000) + "\n": 2,
	} {
		name := filepath.Join(t.TempDir(), "lines")
		must(t, os.WriteFile(name, []byte(text), 0o600))
		if got, err := countLines(name); got != want || err != nil {
			t.Errorf("got %d, %v, want %d", got, err, want)
		}
	}
	if _, err := countLines(t.TempDir()); err == nil {
		t.Error("a directory has lines")
	}
}
