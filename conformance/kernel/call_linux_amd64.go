package kernel

import (
	"fmt"
	"syscall"

	"github.com/memmap-go/memmap/conformance"
	"github.com/memmap-go/memmap/internal/sys"
)

// A call is one step on its way into its process.
type call struct {
	*process
	session *session
	step    *conformance.Step
}

// An operation carries out a step.
type operation func(*call) (conformance.Result, error)

// operations are all that the language has.
var operations = map[string]operation{
	"file":      file,
	"open":      open,
	"memfd":     memfd,
	"pipe":      pipe,
	"close":     direct(sys.SysClose),
	"unlink":    unlink,
	"mkdir":     mkdir,
	"chattr":    chattr,
	"ftruncate": direct(sys.SysFtruncate),
	"allocate":  allocate(0),
	"punch":     allocate(sys.PunchHole),
	"fsync":     direct(sys.SysFsync),
	"pread":     pread,
	"pwrite":    pwrite,
	"readto":    transfer(sys.SysPread64),
	"writefrom": transfer(sys.SysPwrite64),
	"size":      size,
	"addseals":  addSeals,
	"mtime":     mtime,

	"mmap":             address(sys.SysMmap, sys.ProtNames(), sys.MmapNames()),
	"munmap":           direct(sys.SysMunmap),
	"mprotect":         direct(sys.SysMprotect, sys.ProtNames()),
	"msync":            direct(sys.SysMsync, sys.MsyncNames()),
	"mremap":           address(sys.SysMremap, sys.MremapNames()),
	"madvise":          direct(sys.SysMadvise, sys.AdviceNames()),
	"mincore":          mincore,
	"mlock":            direct(sys.SysMlock),
	"mlock2":           direct(sys.SysMlock2, sys.Mlock2Names()),
	"munlock":          direct(sys.SysMunlock),
	"mlockall":         direct(sys.SysMlockall, sys.MlockallNames()),
	"munlockall":       direct(sys.SysMunlockall),
	"remap_file_pages": direct(sys.SysRemapFilePages, sys.ProtNames(), sys.RemapNames()),
	"mseal":            direct(sys.SysMseal, sys.FlagSet{}),
	"load":             load,
	"store":            store,
	"execute":          execute,

	"areas":   areas,
	"present": presentPages,
	"vmflags": areaFlags,

	"fork":         fork,
	"spawn":        spawn,
	"exit":         exit,
	"rlimit":       rlimit,
	"unprivileged": unprivileged,
}

// direct is an operation that is a system call with the same arguments in the same order. The flag sets are those
// of its flag arguments, in their order.
func direct(nr uint64, sets ...sys.FlagSet) operation {
	return func(c *call) (conformance.Result, error) {
		_, errno, err := c.invoke(nr, sets)
		return result(conformance.OK(), errno, err)
	}
}

// address is an operation like direct that returns an address, which is kept under the step's name.
func address(nr uint64, sets ...sys.FlagSet) operation {
	return func(c *call) (conformance.Result, error) {
		addr, errno, err := c.invoke(nr, sets)
		if c.step.Var != "" && errno == 0 && err == nil {
			c.addrs[c.step.Var] = addr
		}
		return result(conformance.Address(addr), errno, err)
	}
}

// transfer is an operation like direct that counts bytes. Its arguments are those of pread(2), but for their order.
func transfer(nr uint64) operation {
	return func(c *call) (conformance.Result, error) {
		v, err := c.values()
		if err != nil {
			return conformance.Result{}, err
		}
		fd, off, addr, n := v[0], v[1], v[2], v[3]
		count, errno, err := c.syscall(nr, fd, addr, n, off)
		return result(conformance.Count(count), errno, err)
	}
}

// invoke does a system call with the step's arguments.
func (c *call) invoke(nr uint64, sets []sys.FlagSet) (uint64, syscall.Errno, error) {
	args, err := c.values(sets...)
	if err != nil {
		return 0, 0, err
	}
	return c.syscall(nr, args...)
}

// result is r, unless the call failed.
func result(r conformance.Result, errno syscall.Errno, err error) (conformance.Result, error) {
	switch {
	case err != nil:
		return conformance.Result{}, err
	case errno != 0:
		return conformance.Errno(sys.ErrnoName(errno)), nil
	}
	return r, nil
}

// values gives the step's arguments their numbers.
func (c *call) values(sets ...sys.FlagSet) ([]uint64, error) {
	var list []uint64
	for i, a := range c.step.Args {
		v, err := c.num(i)
		if a.Kind == conformance.ArgFlags {
			v, err = flagBits(a.Flags, sets[0])
			sets = sets[1:]
		}
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// num gives the number of an argument that is an expression or a descriptor.
func (c *call) num(i int) (uint64, error) {
	a := c.step.Args[i]
	if a.Kind == conformance.ArgFD && a.Name != "" {
		fd, ok := c.fds[a.Name]
		if !ok {
			return 0, fmt.Errorf("%s has no descriptor", a.Name)
		}
		return uint64(fd), nil
	}
	return c.eval(a.Expr)
}

// flagBits is what the system call takes for the flags.
func flagBits(f conformance.Flags, set sys.FlagSet) (uint64, error) {
	bits := f.Bits
	for _, name := range f.Names {
		b, ok := set[name]
		if !ok {
			return 0, fmt.Errorf("%w: no flag %s", conformance.ErrNotExpressible, name)
		}
		bits |= b
	}
	return bits, nil
}
