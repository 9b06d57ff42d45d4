package memmap

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/memmap-go/memmap/internal/sys"
)

// OvercommitMode is how the system answers requests for private writable memory
// that may never be touched: vm.overcommit_memory.
type OvercommitMode int

const (
	OvercommitHeuristic OvercommitMode = 0 // refuse a request that alone is larger than all memory and swap
	OvercommitAlways    OvercommitMode = 1 // refuse nothing
	OvercommitNever     OvercommitMode = 2 // promise no more than Limit to all processes together
)

func (m OvercommitMode) String() string {
	switch m {
	case OvercommitHeuristic:
		return "heuristic"
	case OvercommitAlways:
		return "always"
	case OvercommitNever:
		return "never"
	}
	return fmt.Sprintf("OvercommitMode(%d)", int(m))
}

// Overcommit is the system's policy, and what it has promised so far. Sizes are
// in bytes.
//
// Source: Documentation/mm/overcommit-accounting.rst; __vm_enough_memory and
// vm_commit_limit in mm/util.c; proc(5).
type Overcommit struct {
	Mode  OvercommitMode
	Ratio int   // vm.overcommit_ratio, in percent; not used if Fixed is set
	Fixed int64 // vm.overcommit_kbytes, in bytes

	Memory    int64 // all of it: MemTotal
	Swap      int64 // SwapTotal
	HugePages int64 // set aside for the pool of huge pages: Hugetlb

	Limit     int64 // CommitLimit; enforced only if Mode is OvercommitNever
	Committed int64 // Committed_AS: promised to all processes

	// AdminReserve is kept for processes with CAP_SYS_ADMIN, UserReserve for
	// the user's other processes, if Mode is OvercommitNever.
	AdminReserve int64
	UserReserve  int64

	privileged bool  // this process may use the admin reserve
	mappedSize int64 // of this process; bounds what it leaves to UserReserve
}

// ReadOvercommit reads the policy. Linux only.
func ReadOvercommit() (*Overcommit, error) {
	o, err := readOvercommit(os.ReadFile)
	if err != nil {
		return nil, &Error{Op: "read overcommit", Err: err}
	}
	return o, nil
}

// readOvercommit reads from the files of /proc, by the given function.
func readOvercommit(read func(name string) ([]byte, error)) (*Overcommit, error) {
	var o Overcommit
	text, err := read("/proc/meminfo")
	if os.IsNotExist(err) {
		return nil, unsupported("no /proc/meminfo")
	}
	if err != nil {
		return nil, pathCause(err)
	}
	for name, field := range map[string]*int64{
		"MemTotal": &o.Memory, "SwapTotal": &o.Swap, "CommitLimit": &o.Limit, "Committed_AS": &o.Committed,
	} {
		if *field, err = kilobytes(text, name); err != nil {
			return nil, err
		}
	}
	// Kernels built without huge pages have no such line.
	if field(text, "Hugetlb") != "" {
		if o.HugePages, err = kilobytes(text, "Hugetlb"); err != nil {
			return nil, err
		}
	}
	var mode, ratio int64
	for name, field := range map[string]*int64{
		"overcommit_memory": &mode, "overcommit_ratio": &ratio, "overcommit_kbytes": &o.Fixed,
		"admin_reserve_kbytes": &o.AdminReserve, "user_reserve_kbytes": &o.UserReserve,
	} {
		if *field, err = sysctl(read, name); err != nil {
			return nil, err
		}
	}
	o.Mode, o.Ratio = OvercommitMode(mode), int(ratio)
	o.Fixed, o.AdminReserve, o.UserReserve = o.Fixed<<10, o.AdminReserve<<10, o.UserReserve<<10
	return &o, o.readProcess(read)
}

// readProcess reads what the answer depends on besides the system.
func (o *Overcommit) readProcess(read func(string) ([]byte, error)) error {
	statm, err := read("/proc/self/statm")
	if err != nil {
		return pathCause(err)
	}
	var pages int64
	if _, err := fmt.Sscan(string(statm), &pages); err != nil {
		return err
	}
	o.mappedSize = pages * int64(sys.PageSize)
	status, err := read("/proc/self/status")
	if err != nil {
		return pathCause(err)
	}
	const capSysAdmin = 21
	caps, err := strconv.ParseUint(field(status, "CapEff"), 16, 64)
	o.privileged = caps>>capSysAdmin&1 != 0
	return err
}

// CommitLimit is what the kernel calculates as Limit: a share of the memory that
// isn't set aside, and all swap.
func (o *Overcommit) CommitLimit() int64 {
	page := int64(sys.PageSize) // it counts whole ones
	limit := o.Fixed / page
	if o.Fixed == 0 {
		limit = (o.Memory - o.HugePages) / page * int64(o.Ratio) / 100
	}
	return limit*page + o.Swap
}

// Check says whether a request of this process for n bytes of private writable
// memory would be granted now: nil, or ENOMEM with the reason. Memory mapped with
// NoReserve is never refused, unless Mode is OvercommitNever.
func (o *Overcommit) Check(n int64) error {
	err := o.check(n)
	if err != nil {
		return &Error{Op: "commit", Len: n, Err: err}
	}
	return nil
}

func (o *Overcommit) check(n int64) error {
	switch {
	case n < 0:
		return ErrRange
	case o.Mode == OvercommitHeuristic && n > o.Memory+o.Swap:
		return withHint(sys.ENOMEM, "vm.overcommit_memory is 0: no request may exceed memory and swap, %d bytes", o.Memory+o.Swap)
	case o.Mode != OvercommitNever || n == 0:
		return nil
	}
	n = roundUp(min(n, maxLen), int64(sys.PageSize))
	if free := o.allowed() - o.Committed; n >= free {
		return withHint(sys.ENOMEM, "vm.overcommit_memory is 2: of a limit of %d bytes, %d are promised, and %d could be", o.Limit, o.Committed, max(free, 0))
	}
	return nil
}

// allowed is what all processes together may be promised if this one asks.
func (o *Overcommit) allowed() int64 {
	allowed := o.Limit
	if !o.privileged {
		allowed -= o.AdminReserve
	}
	return allowed - min(o.mappedSize/32, o.UserReserve)
}

// field returns what stands behind a name and a colon.
func field(text []byte, name string) string {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func kilobytes(text []byte, name string) (int64, error) {
	value, _ := strings.CutSuffix(field(text, name), " kB")
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc/meminfo: %s: %w", name, err)
	}
	return n << 10, nil
}

func sysctl(read func(string) ([]byte, error), name string) (int64, error) {
	text, err := read("/proc/sys/vm/" + name)
	if err != nil {
		return 0, pathCause(err)
	}
	return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
}

// addressSpaceUsed returns what counts against RLIMIT_AS.
func addressSpaceUsed() (uint64, error) {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, pathCause(err)
	}
	var pages uint64
	_, err = fmt.Sscan(string(statm), &pages)
	return pages * uint64(sys.PageSize), err
}
