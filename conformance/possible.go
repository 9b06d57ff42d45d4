package conformance

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// What a step can't give, whatever the system does: a case that wants it is wrong, and is told so before it runs.

// A failing says how an operation fails, if it does.
type failing uint8

const (
	byErrno failing = iota // a system call, or several: with an error number
	byFault                // a load, a store, a jump: with a signal
	never                  // what this package or a runner does by itself
)

// pageSizes are those that systems have. What is impossible with each of them is impossible.
var pageSizes = []uint64{4 << 10, 16 << 10, 64 << 10}

// maxFile is how many bytes a new file may be filled with. Longer ones are for sparse.
const maxFile = 1 << 30

// vmFlags are the flags of /proc/PID/smaps; Documentation/filesystems/proc.rst of the kernel.
var vmFlags = words("rd wr ex sh mr mw me ms gd pf lo io sr rr dc de lf ac nr ht sf ar wf dd sd mm hg nh mg bt mt um uw ui ss dp sl gu")

// checkPossible reports what the step can't do.
func (s *Step) checkPossible() error {
	return cmp.Or(s.checkRepeats(), s.checkFill(), s.checkWanted(), s.checkVMFlags(), s.checkLength())
}

// checkRepeats finds a step that is never done. Where the number is known only later, the engine looks.
func (s *Step) checkRepeats() error {
	if s.Repeat.Kind != Once && certain(func(_ uint64, v ...uint64) bool { return v[0] == 0 }, s.Repeat.Limit) {
		return fmt.Errorf("%s times: then nothing is checked", s.Repeat.Limit)
	}
	return nil
}

// checkFill finds a new file with more in it than anyone wants to wait for. The engine looks again, with the page of
// the system and all names.
func (s *Step) checkFill() error {
	if s.fillsWithBytes() {
		fill := s.Args[2].Bytes
		if len(fill.Unit) == 0 || certain(func(_ uint64, v ...uint64) bool { return v[0] == 0 }, fill.Times) {
			return errNoFill
		}
	}
	if s.fills() && certain(func(_ uint64, v ...uint64) bool { return v[0] > maxFile }, s.Args[1].Expr) {
		return tooLong(s.Args[1].Text)
	}
	return nil
}

// fills reports whether the step writes all bytes of a new file.
func (s *Step) fills() bool {
	return s.Op == "file" && (len(s.Args) < 3 || s.Args[2].Name != "sparse")
}

// fillsWithBytes reports whether the step says which bytes these are.
func (s *Step) fillsWithBytes() bool { return s.fills() && len(s.Args) > 2 && s.Args[2].Name == "" }

var errNoFill = errors.New("file: FILL: no bytes to fill with")

func tooLong(size string) error {
	return fmt.Errorf("file: SIZE: %s is more than the 1G that a file is filled with; sparse makes longer ones", size)
}

// checkWanted compares the kind of the expectation with how the operation can end.
func (s *Step) checkWanted() error {
	fails, access := operations[s.Op].fails, s.Want.Name != "KILLED"
	switch {
	case s.Op == "vmflags" && s.Want.Kind == WantSuccess && s.Repeat.Kind != Until:
		return errors.New("vmflags checks nothing without flags to find, as -> +lo")
	case s.Repeat.Kind == Until && fails != byErrno:
		return fmt.Errorf("%s never gives an error number", s.Op)
	case s.Want.Kind == WantErrno && fails == byFault:
		return fmt.Errorf("%s never gives an error number, it faults: SEGV_MAPERR, SEGV_ACCERR, BUS_ADRERR", s.Op)
	case s.Want.Kind == WantErrno && fails == never:
		return fmt.Errorf("%s never gives an error number", s.Op)
	case s.Want.Kind == WantFault && access && fails == byErrno:
		return fmt.Errorf("%s is a call and doesn't fault: it gives an error number, as ENOMEM", s.Op)
	case s.Want.Kind == WantFault && access && fails == never:
		return fmt.Errorf("%s doesn't fault", s.Op)
	}
	return nil
}

func (s *Step) checkVMFlags() error {
	for _, f := range s.Want.Flags {
		if !slices.Contains(vmFlags, f[1:]) {
			return fmt.Errorf("unknown flag %s, there are: %s", quote(f[1:]), strings.Join(vmFlags, " "))
		}
	}
	return nil
}

// checkLength compares how much is wanted with how much is looked at.
func (s *Step) checkLength() error {
	n, unit := s.length(), uint64(len(s.Want.Bytes.Unit))
	switch {
	case s.Want.Kind == WantBytes && s.Op == "load":
		if certain(func(_ uint64, v ...uint64) bool { return v[0] != unit*v[1] }, n, s.Want.Bytes.Times) {
			return fmt.Errorf("load gives as many bytes as it reads: %s", n)
		}
	case s.Want.Kind == WantBytes:
		if certain(func(_ uint64, v ...uint64) bool { return v[0] < unit*v[1] }, n, s.Want.Bytes.Times) {
			return fmt.Errorf("%s gives no more bytes than it reads: %s", s.Op, n)
		}
	case s.Want.Kind == WantPages:
		want := uint64(len(s.Want.Pages))
		if certain(func(page uint64, v ...uint64) bool { return v[0]/page+min(v[0]%page, 1) != want }, n) {
			return fmt.Errorf("%s gives a 0 or 1 for each page of %s", s.Op, n)
		}
	}
	return nil
}

// length is the step's LEN, or 1 if it has none.
func (s *Step) length() Expr {
	for i, p := range operations[s.Op].params {
		if p.name == pLen.name && i < len(s.Args) {
			return s.Args[i].Expr
		}
	}
	return Number(1)
}

// certain reports whether something is true of the values of expressions, with every page size. It isn't if a value is
// known only when the case runs.
func certain(is func(page uint64, values ...uint64) bool, exprs ...Expr) bool {
	for _, page := range pageSizes {
		var values []uint64
		for _, e := range exprs {
			v, err := e.Eval(page, func(string) (uint64, bool) { return 0, false })
			if err != nil {
				return false
			}
			values = append(values, v)
		}
		if !is(page, values...) {
			return false
		}
	}
	return true
}
