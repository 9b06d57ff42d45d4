package kernel_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/memmap-go/memmap/conformance"
	"github.com/memmap-go/memmap/conformance/kernel"
)

// newRunner returns the runner, or skips where there is none.
func newRunner(t testing.TB) *kernel.Runner {
	t.Helper()
	r, err := kernel.New()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newEnv(t testing.TB) *conformance.Env {
	t.Helper()
	env, err := conformance.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Close(); err != nil {
			t.Error(err)
		}
	})
	return env
}

// run runs one case and returns its outcome.
func run(t *testing.T, r conformance.Runner, env *conformance.Env, c *conformance.Case) conformance.Outcome {
	t.Helper()
	for o := range conformance.Run(t.Context(), []*conformance.Case{c}, []conformance.Runner{r}, env) {
		return o
	}
	t.Fatal("no outcome")
	return conformance.Outcome{}
}

// TestSuite holds the suite against the kernel that runs here.
func TestSuite(t *testing.T) {
	sections, err := conformance.Suite()
	if err != nil {
		t.Fatal(err)
	}
	r, env := newRunner(t), newEnv(t)
	for _, s := range sections {
		t.Run(s.Name, func(t *testing.T) {
			for _, c := range s.Cases {
				t.Run(c.Name, func(t *testing.T) { check(t, run(t, r, env, c)) })
			}
		})
	}
}

func check(t *testing.T, o conformance.Outcome) {
	t.Helper()
	if o.Skipped != "" {
		t.Skip(o.Skipped)
	}
	if o.Err != nil {
		t.Error(o.Err)
	}
	for _, a := range o.Answers {
		if a.Status != conformance.Met {
			t.Errorf("%s:%d: %s\ngot  %s\nwant %s (error: %v)", o.Case.File, a.Step.Line, a.Step.Text, a.Got, a.Step.Want, a.Err)
		}
	}
}

func parse(t testing.TB, steps string) *conformance.Case {
	t.Helper()
	s, err := conformance.Parse("test.txt", strings.NewReader("section: test\ncase test: test\n"+steps))
	if err != nil {
		t.Fatal(err)
	}
	return s.Cases[0]
}
