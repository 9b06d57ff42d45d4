package kernel

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/memmap-go/memmap/conformance"
	"github.com/memmap-go/memmap/internal/sys"
)

// A process is a stopped process of a case, and what the case calls things in it.
type process struct {
	pid   int
	tools uint64   // address of the tools
	regs  sys.Regs // as it stopped first; each use begins with a copy of them

	forked int // the last child

	interrupted *atomic.Bool // the session's

	addrs map[string]uint64
	fds   map[string]int
}

// The tools are what we need in a process: a page of instructions, and a buffer after it through which
// arguments and results of system calls go. They lie far below the addresses that the kernel gives to mappings,
// so that no mapping of a case is ever their neighbour.
const (
	toolsHint  = 0x1000_0000_0000
	bufferSize = 256 << 10
)

// The instructions, each followed by int3, which stops the process again.
var code = []byte{
	0x0f, 0x05, 0xcc, // syscall
	0xf3, 0xa4, 0xcc, // rep movsb: copy rcx bytes from rsi to rdi
	0xcc, 0xcc, // where a function under test returns to
}

// Where they begin.
const (
	codeSyscall = 0
	codeCopy    = 3
	codeReturn  = 6
)

// maxErrno is MAX_ERRNO of linux/err.h: results from -maxErrno to -1 are negated error numbers.
const maxErrno = 4095

const (
	protRW = uint64(sys.ProtRead | sys.ProtWrite)
	protRX = uint64(sys.ProtRead | sys.ProtExec)
)

// errKilled is the error of a process that ended while it did something else than exit.
var errKilled = errors.New("the process died")

// errInterrupted is the error of a step that nobody waits for any more.
var errInterrupted = errors.New("interrupted")

// newProcess starts a process and empties it.
func newProcess(interrupted *atomic.Bool) (*process, error) {
	pid, err := sys.StartTraced()
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	p := &process{pid: pid, interrupted: interrupted, addrs: map[string]uint64{}, fds: map[string]int{}}
	if err := p.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare process: %w", err), sys.KillTracee(pid))
	}
	return p, nil
}

// prepare moves from the program's first page, which the tools overwrite, to a place of our own, and removes
// the program from memory.
func (p *process) prepare() (err error) {
	if p.regs, err = sys.TraceeRegs(p.pid); err != nil {
		return err
	}
	entry := p.regs.Rip
	if err := sys.PokeTracee(p.pid, uintptr(entry), code); err != nil {
		return err
	}
	p.tools = entry
	tools, err := p.must(sys.SysMmap, toolsHint, uint64(sys.PageSize)+bufferSize, protRW, sys.MapAnonymous, math.MaxUint64, 0)
	if err != nil {
		return err
	}
	if err := sys.WriteTracee(p.pid, uintptr(tools), code); err != nil {
		return err
	}
	if _, err := p.must(sys.SysMprotect, tools, uint64(sys.PageSize), protRX); err != nil {
		return err
	}
	p.tools = tools
	if err := p.unmapProgram(); err != nil {
		return err
	}
	_, err = p.must(sys.SysUmask, 0) // other users may open the case's files
	return err
}

// unmapProgram removes what exec mapped, but for the stack and the pages that the kernel put there for itself.
func (p *process) unmapProgram() error {
	list, err := readMaps(p.pid)
	if err != nil {
		return err
	}
	for _, a := range list {
		if a.start == p.tools || a.start == p.buffer() || strings.HasPrefix(a.path, "[") {
			continue
		}
		if _, err := p.must(sys.SysMunmap, a.start, a.end-a.start); err != nil {
			return err
		}
	}
	return nil
}

// buffer is the address of the buffer among the tools.
func (p *process) buffer() uint64 { return p.tools + uint64(sys.PageSize) }

// eval gives an expression's value in the process's names.
func (p *process) eval(e conformance.Expr) (uint64, error) {
	return e.Eval(uint64(sys.PageSize), func(name string) (uint64, bool) {
		addr, ok := p.addrs[name]
		return addr, ok
	})
}

// syscall does a system call in the process.
func (p *process) syscall(nr uint64, args ...uint64) (uint64, syscall.Errno, error) {
	regs := p.regs
	regs.Rip = p.tools + codeSyscall
	regs.Rax = nr
	regs.Orig_rax = math.MaxUint64 // we come from no system call that could be restarted
	for i, r := range []*uint64{&regs.Rdi, &regs.Rsi, &regs.Rdx, &regs.R10, &regs.R8, &regs.R9}[:len(args)] {
		*r = args[i]
	}
	if sig, err := p.run(&regs, sys.ContinueTracee); err != nil || sig.Number != syscall.SIGTRAP {
		return 0, 0, cmp.Or(err, fmt.Errorf("system call %d raised %v", nr, sig.Number))
	}
	after, err := sys.TraceeRegs(p.pid)
	if err != nil {
		return 0, 0, err
	}
	if after.Rax > math.MaxUint64-maxErrno {
		return 0, syscall.Errno(-after.Rax), nil
	}
	return after.Rax, 0, nil
}

// must does a system call of our own, which has no reason to fail.
func (p *process) must(nr uint64, args ...uint64) (uint64, error) {
	v, errno, err := p.syscall(nr, args...)
	if err == nil && errno != 0 {
		err = fmt.Errorf("system call %d: %w", nr, errno)
	}
	return v, err
}

// copy copies n bytes by an instruction of the process. It returns the signal of a fault, or SIGTRAP.
func (p *process) copy(to, from, n uint64) (sys.Signal, error) {
	regs := p.regs
	regs.Rip = p.tools + codeCopy
	regs.Orig_rax = math.MaxUint64
	regs.Rdi, regs.Rsi, regs.Rcx = to, from, n
	return p.run(&regs, sys.ContinueTracee)
}

// execute does one instruction at addr, which should be a return. It returns the signal of a fault, or SIGTRAP.
func (p *process) execute(addr uint64) (sys.Signal, error) {
	back := p.tools + codeReturn
	if err := p.write(binary.LittleEndian.AppendUint64(nil, back)); err != nil {
		return sys.Signal{}, err
	}
	regs := p.regs
	regs.Rip = addr
	regs.Orig_rax = math.MaxUint64
	regs.Rsp = p.buffer()
	sig, err := p.run(&regs, sys.StepTracee)
	if err != nil || sig.Number != syscall.SIGTRAP {
		return sig, err
	}
	after, err := sys.TraceeRegs(p.pid)
	if err == nil && after.Rip != back {
		err = fmt.Errorf("no return instruction at %#x", addr)
	}
	return sig, err
}

// run sets the registers and lets the process go until it has done what they say: until int3 or the end of a
// single step (SIGTRAP), or until a fault. Other signals, as SIGXFSZ, are dropped: their call fails besides.
// If the process forks on its way, the child is in p.forked. Steps that take long come here again and again, so this
// is where an interrupted one ends.
func (p *process) run(regs *sys.Regs, resume func(pid int) error) (sys.Signal, error) {
	if p.interrupted.Load() {
		return sys.Signal{}, errInterrupted
	}
	if err := sys.SetTraceeRegs(p.pid, regs); err != nil {
		return sys.Signal{}, err
	}
	for {
		if err := resume(p.pid); err != nil {
			return sys.Signal{}, err
		}
		ws, err := sys.WaitTracee(p.pid)
		switch {
		case err != nil:
			return sys.Signal{}, err
		case ws.Exited() || ws.Signaled():
			return sys.Signal{}, errKilled
		case ws.TrapCause() == sys.ForkEvent:
			if p.forked, err = sys.ForkedTracee(p.pid); err != nil {
				return sys.Signal{}, err
			}
		case ws.StopSignal() == syscall.SIGTRAP:
			return sys.Signal{Number: syscall.SIGTRAP}, nil
		case ws.StopSignal() == syscall.SIGSEGV || ws.StopSignal() == syscall.SIGBUS:
			return sys.TraceeSignal(p.pid)
		}
	}
}

// fork makes a child of the process. It is stopped, and its first stop is waited for here.
func (p *process) fork() (*process, syscall.Errno, error) {
	p.forked = 0
	_, errno, err := p.syscall(sys.SysClone, uint64(sys.CloneSibling), 0, 0, 0, 0)
	if err != nil || errno != 0 {
		return nil, errno, err
	}
	child := &process{pid: p.forked, tools: p.tools, regs: p.regs, interrupted: p.interrupted,
		addrs: maps.Clone(p.addrs), fds: maps.Clone(p.fds)}
	ws, err := sys.WaitTracee(child.pid)
	if err == nil && !ws.Stopped() {
		err = fmt.Errorf("forked child: unexpected status %#x", ws)
	}
	return child, 0, err
}

// write puts b into the buffer.
func (p *process) write(b []byte) error {
	if len(b) > bufferSize {
		return fmt.Errorf("%d bytes don't fit into the buffer", len(b))
	}
	return sys.WriteTracee(p.pid, uintptr(p.buffer()), b)
}

// read returns the first n bytes of the buffer.
func (p *process) read(n uint64) ([]byte, error) {
	if n > bufferSize {
		return nil, fmt.Errorf("%d bytes don't fit into the buffer", n)
	}
	b := make([]byte, n)
	return b, sys.ReadTracee(p.pid, uintptr(p.buffer()), b)
}
