package main

import "fmt"

// disagreement writes what was expected and what was answered instead, wherever a runner contradicts the case.
func (t *textReport) disagreement(r *result) {
	t.begin(block)
	t.printf("    %s\n", t.style.red("✗ case "+r.c.Name+": "+r.c.Title))
	for n := range r.answered() {
		if r.contradicted(n) {
			t.disagreeingStep(r, n)
		}
	}
	for i, k := range t.kinds {
		if err := r.outcomes[i].Err; err != nil {
			t.lines("      ", fmt.Sprintf("%s:%d", r.c.File, r.c.Line), pad("  "+k.name, 12)+"the runner failed: "+err.Error())
		}
	}
}

func (t *textReport) disagreeingStep(r *result, n int) {
	s := &r.c.Steps[n]
	t.lines("      ",
		fmt.Sprintf("%s:%d", r.c.File, s.Line),
		pad("  step", 12)+s.Text,
		pad("  expected", 12)+expected(s))
	for i, k := range t.kinds {
		st := r.stepStatus(i, n)
		t.lines("      ", t.style.of(st, pad("  "+k.name, 12)+t.words(r, i, n)))
	}
}

// words says what a runner did with a step.
func (t *textReport) words(r *result, runner, n int) string {
	switch r.stepStatus(runner, n) {
	case notExpressed:
		return "can't express it: " + r.reason(runner, n)
	case broken:
		return "the runner failed: " + r.reason(runner, n)
	case notRun:
		return "did not come to it"
	}
	return r.answer(runner, n).Got
}
