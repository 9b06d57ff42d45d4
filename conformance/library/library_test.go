package library_test

import (
	"cmp"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/memmap-go/memmap/conformance"
	"github.com/memmap-go/memmap/conformance/library"
)

func TestMain(m *testing.M) {
	library.WorkerMain()
	os.Exit(m.Run())
}

// newRunner returns the runner, or skips where there is none.
func newRunner(t testing.TB) *library.Runner {
	t.Helper()
	r, err := library.New()
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

// check reports what an outcome has against its case, and skips if the case did not run.
func check(t *testing.T, o conformance.Outcome) {
	t.Helper()
	if o.Skipped != "" {
		t.Skip(o.Skipped)
	}
	if o.Err != nil {
		t.Error(o.Err)
	}
	for _, a := range o.Answers {
		if a.Status == conformance.Differs || a.Status == conformance.Failed {
			t.Errorf("%s:%d: %s\ngot  %s\nwant %s (error: %v)", o.Case.File, a.Step.Line, a.Step.Text, a.Got, a.Step.Want, a.Err)
		}
	}
}

// parse makes a case of steps.
func parse(t testing.TB, steps string) *conformance.Case {
	t.Helper()
	s, err := conformance.Parse("test.txt", strings.NewReader("section: test\ncase test: test\n"+steps))
	if err != nil {
		t.Fatal(err)
	}
	return s.Cases[0]
}

// TestSuite holds the suite against the library. Two thirds of its steps at least must be expressible.
func TestSuite(t *testing.T) {
	sections, err := conformance.Suite()
	if err != nil {
		t.Fatal(err)
	}
	r, env := newRunner(t), newEnv(t)
	var y tally
	for _, s := range sections {
		y.cases += len(s.Cases)
		t.Run(s.Name, func(t *testing.T) {
			for _, c := range s.Cases {
				t.Run(c.Name, func(t *testing.T) {
					t.Parallel()
					o := run(t, r, env, c)
					y.add(o)
					check(t, o)
				})
			}
		})
	}
	y.report(t)
}

// A tally counts what was expressed. Tests that run side by side may add to it.
type tally struct {
	cases int // in the suite

	mu        sync.Mutex
	ran       int
	steps     int
	expressed int
	reasons   map[string]int // of the steps that were not expressed
}

func (y *tally) add(o conformance.Outcome) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.reasons == nil {
		y.reasons = map[string]int{}
	}
	y.ran++
	for _, a := range o.Answers {
		y.steps++
		if a.Status == conformance.NotExpressed {
			y.reasons[a.Err.Error()]++
		} else {
			y.expressed++
		}
	}
}

func (y *tally) report(t *testing.T) {
	t.Logf("%d of %d steps expressed, %d %%", y.expressed, y.steps, 100*y.expressed/max(y.steps, 1))
	byCount := slices.SortedFunc(maps.Keys(y.reasons), func(a, b string) int {
		return cmp.Or(y.reasons[b]-y.reasons[a], strings.Compare(a, b))
	})
	for _, reason := range byCount {
		t.Logf("%4d %s", y.reasons[reason], reason)
	}
	if y.ran == y.cases && 3*y.expressed < 2*y.steps {
		t.Errorf("less than two thirds of the steps are expressed")
	}
}
