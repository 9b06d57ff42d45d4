package kernel

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/memmap-go/memmap/conformance"
	"github.com/memmap-go/memmap/internal/sys"
)

func fork(c *call) (conformance.Result, error) {
	child, errno, err := c.fork()
	if err == nil && errno == 0 {
		c.session.procs[c.step.Args[0].Name] = child
	}
	return result(conformance.OK(), errno, err)
}

func spawn(c *call) (conformance.Result, error) {
	return conformance.OK(), c.session.spawn(c.step.Args[0].Name)
}

func exit(c *call) (conformance.Result, error) {
	_, errno, err := c.syscall(sys.SysExitGroup, 0)
	if !errors.Is(err, errKilled) {
		return conformance.Result{}, fmt.Errorf("the process did not end: %v, %w", errno, err)
	}
	delete(c.session.procs, c.step.Proc)
	return conformance.OK(), nil
}

// rlimit sets the soft limit and leaves the hard one.
func rlimit(c *call) (conformance.Result, error) {
	which := c.step.Args[0].Name
	soft, err := c.num(1)
	if err != nil {
		return conformance.Result{}, err
	}
	used, err := c.used(which)
	if err != nil {
		return conformance.Result{}, err
	}
	if soft != math.MaxUint64 { // RLIM_INFINITY
		soft += used
	}
	resource := sys.LimitNames()[which]
	if _, err := c.must(sys.SysPrlimit64, 0, resource, 0, c.buffer()); err != nil {
		return conformance.Result{}, err
	}
	limit, err := c.read(16) // struct rlimit: soft and hard
	if err != nil {
		return conformance.Result{}, err
	}
	binary.LittleEndian.PutUint64(limit, soft)
	if err := c.write(limit); err != nil {
		return conformance.Result{}, err
	}
	_, errno, err := c.syscall(sys.SysPrlimit64, 0, resource, c.buffer(), 0)
	return result(conformance.OK(), errno, err)
}

// used is what the process already has of a resource whose limit counts from there.
func (c *call) used(which string) (uint64, error) {
	field, ok := map[string]string{"as": "VmSize", "data": "VmData"}[which]
	if !ok {
		return 0, nil
	}
	value, err := status(c.pid, field)
	if err != nil {
		return 0, err
	}
	kb, err := strconv.ParseUint(strings.TrimSuffix(value, " kB"), 10, 64)
	return kb << 10, err
}

// unprivileged empties all sets of capabilities, capset(2). The process remains one of the same user: a process
// that changes its user closes its /proc files to a tracer who isn't allowed everything himself.
func unprivileged(c *call) (conformance.Result, error) {
	if has, err := c.hasCapabilities(); err != nil || !has {
		return conformance.OK(), err
	}
	const headerLen, dataLen = 8, 24 // version and process; two times effective, permitted, inheritable
	args := make([]byte, headerLen+dataLen)
	binary.LittleEndian.PutUint32(args, sys.CapVersion)
	if err := c.write(args); err != nil {
		return conformance.Result{}, err
	}
	if _, err := c.must(sys.SysCapset, c.buffer(), c.buffer()+headerLen); err != nil {
		return conformance.Result{}, err
	}
	if has, err := c.hasCapabilities(); err != nil || has {
		return conformance.Result{}, cmp.Or(err, errors.New("the process kept capabilities"))
	}
	return conformance.OK(), nil
}

func (c *call) hasCapabilities() (bool, error) {
	value, err := status(c.pid, "CapEff")
	return strings.Trim(value, "0") != "", err
}
