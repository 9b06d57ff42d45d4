package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// A scripted runner answers steps by their text, so that the engine can be tested alone.
type scripted struct {
	do    func(n int, s *Step) (Result, error) // n counts the steps of a session
	start error
	close error
	ended int
}

func (r *scripted) Name() string { return "scripted" }

func (r *scripted) Start(*Case, *Env) (Session, error) {
	if r.start != nil {
		return nil, r.start
	}
	return &scriptedSession{runner: r, addrs: map[string]uint64{}}, nil
}

type scriptedSession struct {
	runner *scripted
	n      int
	addrs  map[string]uint64
}

func (s *scriptedSession) Do(st *Step) (Result, error) {
	r, err := s.runner.do(s.n, st)
	s.n++
	if st.Var != "" && r.Kind == ResultAddress {
		s.addrs[st.Var] = r.Value
	}
	return r, err
}

func (s *scriptedSession) Eval(_ string, e Expr) (uint64, error) {
	return e.Eval(4096, func(name string) (uint64, bool) { v, ok := s.addrs[name]; return v, ok })
}

func (s *scriptedSession) Close() error {
	s.runner.ended++
	return s.runner.close
}

// runSteps runs a case of these steps, and returns its outcome.
func runSteps(t *testing.T, ctx context.Context, r *scripted, steps string) Outcome {
	t.Helper()
	c := mustParse(t, "section: s\ncase c: what\n"+steps).Cases[0]
	for o := range Run(ctx, []*Case{c}, []Runner{r}, &Env{}) {
		if r.start == nil && r.ended != 1 {
			t.Errorf("the session was closed %d times, want once", r.ended)
		}
		return o
	}
	t.Fatal("no outcome")
	return Outcome{}
}

// answers writes an outcome's answers, one a line.
func answers(o Outcome) string {
	var b strings.Builder
	for _, a := range o.Answers {
		fmt.Fprintf(&b, "%s %s", a.Status, a.Got)
		if a.Err != nil {
			fmt.Fprint(&b, a.Err)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestRun(t *testing.T) {
	limit := func(n int, name string) func(int, *Step) (Result, error) {
		return func(i int, s *Step) (Result, error) {
			if i < n {
				return OK(), nil
			}
			return Errno(name), nil
		}
	}
	moving := func(i int, s *Step) (Result, error) { return Address(uint64(i) * 4096), nil }
	tests := []struct {
		name, steps string
		do          func(int, *Step) (Result, error)
		want        string
		ok          bool
	}{
		{"all met", "munlockall\nmunlockall", limit(2, ""), "met ok\nmet ok\n", true},
		{"a difference ends the case", "munlockall\nmunlockall\nmunlockall", limit(1, "EPERM"), "met ok\ndiffers EPERM\n", false},
		{"not expressible does not", "munlockall\nmunlockall", func(i int, s *Step) (Result, error) {
			if i == 0 {
				return Result{}, fmt.Errorf("%w: no reason", ErrNotExpressible)
			}
			return OK(), nil
		}, "not expressed not expressible: no reason\nmet ok\n", true},
		{"a failure does", "munlockall\nmunlockall", func(int, *Step) (Result, error) {
			return Result{}, errors.New("broken")
		}, "failed broken\n", false},
		{"a wrong kind of result", "munlockall", func(int, *Step) (Result, error) { return Count(1), nil },
			"failed the runner answered munlockall with a result of kind 5, want 0\n", false},
		{"repeat", "repeat 3 i: munlockall\nmunlockall", limit(4, ""), "met ok\nmet ok\n", true},
		{"repeat stops", "repeat 3 i: munlockall", limit(1, "EPERM"), "differs EPERM (i is 1)\n", false},
		{"repeat never", "until ENOMEM n 5: munlockall\nrepeat n i: munlockall", limit(0, "ENOMEM"),
			"met ENOMEM (n is 0)\ndiffers done 0 times, so nothing was checked\n", false},
		{"until", "until ENOMEM i 5: munlockall\nrepeat i j: munlockall -> ENOMEM", limit(2, "ENOMEM"),
			"met ENOMEM (i is 2)\nmet ENOMEM\n", true},
		{"until at its limit", "until ENOMEM i 2: munlockall", limit(1, "ENOMEM"), "met ENOMEM (i is 1)\n", true},
		{"until too late", "until ENOMEM i 2: munlockall", limit(2, "ENOMEM"), "differs 2 successes\n", false},
		{"until something else", "until ENOMEM i 5: munlockall", limit(2, "EPERM"), "differs EPERM (i is 2)\n", false},
		{"names of an expectation are older than the step",
			"m = mmap 0 1p r private|anon - 0\nm = mremap m 1p 2p maymove -> m+1p", moving, "met ok\nmet m+1p\n", true},
		{"a name that never got a value", "m = mmap 0 1p r private|anon - 0\nmmap 0 1p r private|anon - 0 -> m",
			func(int, *Step) (Result, error) { return Errno("ENOMEM"), nil }, "differs ENOMEM\n", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := runSteps(t, t.Context(), &scripted{do: tt.do}, tt.steps)
			if got := answers(o); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
			if o.Err != nil {
				t.Error(o.Err)
			}
			if got := o.OK(); got != tt.ok {
				t.Errorf("OK: got %v, want %v", got, tt.ok)
			}
		})
	}
}

// TestRunCounters checks that a runner sees the counter's value in place of its name.
func TestRunCounters(t *testing.T) {
	var seen []string
	do := func(_ int, s *Step) (Result, error) {
		if s.Op == "mmap" {
			return Address(0x10000), nil
		}
		v, err := s.Args[0].Expr.Eval(4096, func(string) (uint64, bool) { return 0x10000, true })
		seen = append(seen, fmt.Sprintf("%s %#x", s.Op, v))
		return Fault("SEGV_MAPERR"), err
	}
	o := runSteps(t, t.Context(), &scripted{do: do},
		"m = mmap 0 1p r private|anon - 0\nrepeat 3 i: load m+i*2p -> SEGV_MAPERR\nstore m 1 -> SEGV_MAPERR")
	if want := []string{"load 0x10000", "load 0x12000", "load 0x14000", "store 0x10000"}; !slices.Equal(seen, want) || !o.OK() {
		t.Errorf("got %q, %s, want %q", seen, answers(o), want)
	}
}

func TestRunErrors(t *testing.T) {
	broken := errors.New("broken")
	fine := func(int, *Step) (Result, error) { return OK(), nil }
	for _, r := range []*scripted{{do: fine, start: broken}, {do: fine, close: broken}} {
		o := runSteps(t, t.Context(), r, "munlockall")
		if !errors.Is(o.Err, broken) || o.OK() {
			t.Errorf("got error %v, OK %v, want %v, false", o.Err, o.OK(), broken)
		}
	}
}

func TestRunSkips(t *testing.T) {
	c := mustParse(t, "section: s\ncase c: what\nneeds: kernel < 99.0, root\nmunlockall").Cases[0]
	env := &Env{facts: facts{major: 6}}
	r := &scripted{start: errors.New("must not start")}
	for o := range Run(t.Context(), []*Case{c}, []Runner{r}, env) {
		if want := "needs root"; o.Skipped != want || len(o.Answers) != 0 || !o.OK() {
			t.Errorf("got %+v, want a case skipped with %q", o, want)
		}
	}
}

// TestRunStops checks that the engine stops within a case when its context ends, also inside a repetition.
func TestRunStops(t *testing.T) {
	for _, steps := range []string{"repeat 100 i: munlockall", "until ENOMEM i 100: munlockall", "munlockall\nmunlockall\nmunlockall"} {
		ctx, cancel := context.WithCancel(t.Context())
		r := &scripted{do: func(n int, _ *Step) (Result, error) {
			if n == 1 {
				cancel()
			}
			if n > 1 {
				t.Error("a step was done after the context ended")
			}
			return OK(), nil
		}}
		o := runSteps(t, ctx, r, steps)
		last := o.Answers[len(o.Answers)-1]
		if err := errors.Join(o.Err, last.Err); !errors.Is(err, context.Canceled) || o.OK() {
			t.Errorf("%s: got error %v, OK %v, want %v, false", steps, err, o.OK(), context.Canceled)
		}
		for range Run(ctx, []*Case{o.Case}, []Runner{r}, &Env{}) {
			t.Error("an outcome after the context ended")
		}
	}
}

// A patient runner's sessions wait until they are interrupted.
type patient struct {
	begun, interrupted chan struct{}
}

func (p *patient) Name() string                       { return "patient" }
func (p *patient) Start(*Case, *Env) (Session, error) { return p, nil }
func (p *patient) Close() error                       { return nil }
func (p *patient) Eval(string, Expr) (uint64, error)  { return 4096, nil }
func (p *patient) Interrupt()                         { close(p.interrupted) }
func (p *patient) Do(*Step) (Result, error) {
	close(p.begun)
	select {
	case <-p.interrupted:
		return Result{}, errors.New("interrupted")
	case <-time.After(10 * time.Second): // nobody did
		return OK(), nil
	}
}

// TestRunInterrupts ends a run in the middle of a step.
func TestRunInterrupts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := &patient{begun: make(chan struct{}), interrupted: make(chan struct{})}
	go func() {
		<-p.begun
		cancel()
	}()
	s := mustParse(t, "section: s\ncase c: what\nmunlockall\n")
	for o := range Run(ctx, s.Cases, []Runner{p}, &Env{}) {
		if len(o.Answers) != 1 || o.Answers[0].Status != Failed || !errors.Is(o.Err, context.Canceled) {
			t.Errorf("got %+v, want a step that failed and %v", o, context.Canceled)
		}
	}
}
