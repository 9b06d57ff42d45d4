package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/memmap-go/memmap/conformance"
)

// A fake runner answers steps by their text, so that output doesn't depend on the system.
// A step without an answer succeeds.
type fake struct {
	name    string
	answers map[string]answer
	start   map[string]error // by case
}

// An answer says what a step gives, after steps were done so many times.
type answer func(done map[string]int) (conformance.Result, error)

// always gives the same result.
func always(r conformance.Result) answer {
	return func(map[string]int) (conformance.Result, error) { return r, nil }
}

// never gives a result, for that reason.
func never(err error) answer {
	return func(map[string]int) (conformance.Result, error) { return conformance.Result{}, err }
}

// once gives another result after a step was done n times.
func once(step string, n int, before, after conformance.Result) answer {
	return func(done map[string]int) (conformance.Result, error) {
		if done[step] < n {
			return before, nil
		}
		return after, nil
	}
}

var page = uint64(os.Getpagesize())

func (f *fake) Name() string { return f.name }

func (f *fake) Start(c *conformance.Case, _ *conformance.Env) (conformance.Session, error) {
	if err := f.start[c.Name]; err != nil {
		return nil, err
	}
	return &fakeSession{fake: f, done: map[string]int{}, addrs: map[string]uint64{}}, nil
}

type fakeSession struct {
	fake  *fake
	done  map[string]int // how often a step was done, by its text
	addrs map[string]uint64
}

func (s *fakeSession) Do(st *conformance.Step) (conformance.Result, error) {
	defer func() { s.done[st.Text]++ }()
	switch answer := s.fake.answers[st.Text]; {
	case answer != nil:
		return answer(s.done)
	case st.Op == "file":
		return conformance.FD(), nil
	case st.Op == "mmap":
		s.addrs[st.Var] = uint64(len(s.addrs)+1) << 32
		return conformance.Address(s.addrs[st.Var]), nil
	}
	return conformance.OK(), nil
}

func (s *fakeSession) Eval(_ string, e conformance.Expr) (uint64, error) {
	return e.Eval(page, func(name string) (uint64, bool) { v, ok := s.addrs[name]; return v, ok })
}

func (s *fakeSession) Close() error { return nil }

// kind makes a runner's kind that starts it.
func (f *fake) kind() runnerKind {
	return runnerKind{f.name, "a runner that answers as it is told", func() (conformance.Runner, error) { return f, nil }}
}

// unsupported is a kind that doesn't work here.
func unsupported(name string) runnerKind {
	return runnerKind{name, "nothing", func() (conformance.Runner, error) { return nil, fmt.Errorf("%s: %w", name, errors.ErrUnsupported) }}
}

// area makes an area of so many pages of the file "data", from the page at off on, or a hole.
func area(perms string, off, pages uint64) conformance.Area {
	a := conformance.Area{Perms: perms, Object: "data", Off: off * page, Len: pages * page}
	if perms == "" {
		a.Object, a.Off = "hole", 0
	}
	return a
}

func notExpressible(why string) error {
	return fmt.Errorf("%w: %s", conformance.ErrNotExpressible, why)
}

const (
	showAreas = "areas m 4p -> rw-s data+0 1p; hole 1p; rw-s data+2p 2p"
	lockUntil = "until ENOMEM i 10: mlockall current"
	lockEPERM = "mlockall current -> EPERM"
)

// alpha agrees with everything in testdata/tour.txt and testdata/broken.txt.
func alpha() *fake {
	whole := conformance.Areas([]conformance.Area{area("rw-s", 0, 4)})
	split := conformance.Areas([]conformance.Area{area("rw-s", 0, 1), area("", 0, 1), area("rw-s", 2, 2)})
	return &fake{name: "alpha", answers: map[string]answer{
		showAreas:                            once("munmap m+1p 1p", 1, whole, split),
		"load m+1p -> SEGV_MAPERR":           always(conformance.Fault("SEGV_MAPERR")),
		`pread f 0 16 -> "aaaaaaaaaaaaaaaa"`: always(conformance.Data([]byte("aaaaaaaaaaaaaaaa"))),
		"mlockall 0 -> EINVAL":               always(conformance.Errno("EINVAL")),
		lockUntil:                            once(lockUntil, 2, conformance.OK(), conformance.Errno("ENOMEM")),
		lockEPERM:                            always(conformance.Errno("EPERM")),
	}}
}

// beta agrees with what it expresses of testdata/tour.txt, and with little in testdata/broken.txt.
func beta() *fake {
	f := alpha()
	f.name = "beta"
	f.answers["munmap m+1p 1p"] = never(notExpressible("only whole mappings"))
	f.answers[showAreas] = never(notExpressible("depends on munmap"))
	f.answers["load m+1p -> SEGV_MAPERR"] = never(notExpressible("depends on munmap"))
	f.answers["mlockall future"] = never(notExpressible("no such call"))
	f.answers[lockEPERM] = always(conformance.Errno("ENOMEM"))
	return f
}

// brokenBeta is a beta that fails where testdata/broken.txt says so.
func brokenBeta() *fake {
	f := beta()
	f.answers["mlockall future"] = never(errors.New("lost the child"))
	f.start = map[string]error{"never-starts": errors.New("no child")}
	return f
}
