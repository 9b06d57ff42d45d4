package sys

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// The functions of this file work on processes that this one traces. ptrace(2) binds a tracee to the
// thread that started it: all of them must be called by one goroutine that is locked to its thread.

// Regs are the registers of a stopped tracee.
type Regs = unix.PtraceRegs

// WaitStatus tells why a tracee stopped or how it ended.
type WaitStatus = unix.WaitStatus

// ptraceOptions make tracees end with their tracer, and forked children tracees too.
const ptraceOptions = unix.PTRACE_O_EXITKILL | unix.PTRACE_O_TRACEFORK

// ForkEvent is what WaitStatus.TrapCause says of a tracee that has forked.
const ForkEvent = unix.PTRACE_EVENT_FORK

// StartTraced starts this program once more, without descriptors, arguments or environment, as a tracee that
// stops before its first instruction.
func StartTraced() (pid int, err error) {
	attr := &syscall.ProcAttr{Sys: &syscall.SysProcAttr{Ptrace: true}}
	pid, err = syscall.ForkExec("/proc/self/exe", []string{"memmap-tracee"}, attr)
	if err != nil {
		return 0, err
	}
	if _, err = WaitTracee(pid); err == nil {
		err = unix.PtraceSetOptions(pid, ptraceOptions)
	}
	if err != nil {
		return 0, errors.Join(err, KillTracee(pid))
	}
	return pid, nil
}

// PinThread keeps the calling thread, and the processes that it starts, on the CPU where the thread is now: a tracer
// and its tracee never run at the same time, and waking each other is cheap on one CPU. The goroutine must be locked
// to its thread. The thread may run where it could before after restore.
func PinThread() (restore func() error, err error) {
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return nil, err
	}
	cpu, err := currentCPU()
	if err != nil {
		return nil, err
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return nil, err
	}
	return func() error { return unix.SchedSetaffinity(0, &before) }, nil
}

// WaitTracee waits until the tracee stops or ends.
func WaitTracee(pid int) (WaitStatus, error) {
	var ws WaitStatus
	for {
		_, err := unix.Wait4(pid, &ws, unix.WALL, nil)
		if err != unix.EINTR {
			return ws, err
		}
	}
}

// KillTracee ends the tracee and reaps it.
func KillTracee(pid int) error {
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		return err
	}
	for {
		ws, err := WaitTracee(pid)
		if err != nil || ws.Exited() || ws.Signaled() {
			return err
		}
	}
}

// TraceeRegs reads the registers of a stopped tracee.
func TraceeRegs(pid int) (Regs, error) {
	var r Regs
	err := unix.PtraceGetRegs(pid, &r)
	return r, err
}

// SetTraceeRegs sets the registers of a stopped tracee.
func SetTraceeRegs(pid int, r *Regs) error { return unix.PtraceSetRegs(pid, r) }

// ContinueTracee lets a stopped tracee run; the signal that stopped it is dropped.
func ContinueTracee(pid int) error { return unix.PtraceCont(pid, 0) }

// StepTracee lets a stopped tracee do one instruction; the signal that stopped it is dropped.
func StepTracee(pid int) error { return unix.PtraceSingleStep(pid) }

// ForkedTracee returns the child of a tracee that stopped with ForkEvent.
func ForkedTracee(pid int) (int, error) {
	child, err := unix.PtraceGetEventMsg(pid)
	return int(child), err
}

// PokeTracee writes into a stopped tracee's memory, whatever its protection.
func PokeTracee(pid int, addr uintptr, data []byte) error {
	_, err := unix.PtracePokeText(pid, addr, data)
	return err
}

// ReadTracee copies len(b) bytes out of the tracee's memory.
func ReadTracee(pid int, addr uintptr, b []byte) error {
	return transferTracee(unix.ProcessVMReadv, pid, addr, b)
}

// WriteTracee copies b into the tracee's memory, which must be writable there.
func WriteTracee(pid int, addr uintptr, b []byte) error {
	return transferTracee(unix.ProcessVMWritev, pid, addr, b)
}

type transferFunc func(pid int, local []unix.Iovec, remote []unix.RemoteIovec, flags uint) (int, error)

func transferTracee(transfer transferFunc, pid int, addr uintptr, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	local := []unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(len(b))
	n, err := transfer(pid, local, []unix.RemoteIovec{{Base: addr, Len: len(b)}}, 0)
	if err == nil && n != len(b) {
		err = unix.EFAULT
	}
	return err
}

// A Signal is what the kernel tells of the signal that stopped a tracee.
type Signal struct {
	Number syscall.Signal
	Code   int32   // SEGV_MAPERR and so on
	Addr   uintptr // what the tracee touched, if Number is SIGSEGV or SIGBUS
}

// codeNames are the codes of sigaction(2), siginfo_t.
var codeNames = map[syscall.Signal][]string{
	unix.SIGSEGV: {1: "SEGV_MAPERR", 2: "SEGV_ACCERR", 3: "SEGV_BNDERR", 4: "SEGV_PKUERR"},
	unix.SIGBUS:  {1: "BUS_ADRALN", 2: "BUS_ADRERR", 3: "BUS_OBJERR", 4: "BUS_MCEERR_AR"},
}

// siKernel is SI_KERNEL of asm-generic/siginfo.h.
const siKernel = 0x80

// CodeKernel is the name of the code of a fault without an address, as an access to a non-canonical one gives.
const CodeKernel = "SI_KERNEL"

// CodeName returns the code's name. A code without one is a number.
func (s Signal) CodeName() string {
	if s.Code == siKernel {
		return CodeKernel
	}
	if names := codeNames[s.Number]; 0 < s.Code && int(s.Code) < len(names) {
		return names[s.Code]
	}
	return fmt.Sprintf("%v code %d", s.Number, s.Code)
}
