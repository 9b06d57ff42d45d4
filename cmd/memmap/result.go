package main

import (
	"errors"
	"strings"

	"github.com/memmap-go/memmap/conformance"
)

// A result is one case and what all runners did with it.
type result struct {
	group    *group
	c        *conformance.Case
	outcomes []conformance.Outcome      // one a runner, in the order of the columns
	before   map[int][]conformance.Area // by the line of an areas step: the areas before it, if they were looked at
}

// A status says how one runner stands to one step, or to a case. JSON shows these words.
type status string

const (
	agree        status = "agree"
	mismatch     status = "mismatch"
	notExpressed status = "not-expressed"
	broken       status = "failed"  // the runner itself, which says nothing about the step
	notRun       status = "not-run" // the case had ended for this runner
	skipped      status = "skipped"
)

var stepStatus = map[conformance.Status]status{
	conformance.Met:          agree,
	conformance.Differs:      mismatch,
	conformance.NotExpressed: notExpressed,
	conformance.Failed:       broken,
}

// answer returns what a runner did with a step; the zero Answer if the case had ended for it.
func (r *result) answer(runner, step int) conformance.Answer {
	if answers := r.outcomes[runner].Answers; step < len(answers) {
		return answers[step]
	}
	return conformance.Answer{}
}

// stepStatus returns how a runner stands to a step.
func (r *result) stepStatus(runner, step int) status {
	if s, ok := stepStatus[r.answer(runner, step).Status]; ok {
		return s
	}
	return notRun
}

// answered returns how many steps any runner came to.
func (r *result) answered() int {
	n := 0
	for _, o := range r.outcomes {
		n = max(n, len(o.Answers))
	}
	return n
}

// contradicted reports whether a runner disagrees or failed at a step.
func (r *result) contradicted(step int) bool {
	for i := range r.outcomes {
		if s := r.stepStatus(i, step); s == mismatch || s == broken {
			return true
		}
	}
	return false
}

// caseStatus returns how a runner stands to the case as a whole.
func (r *result) caseStatus(runner int) status {
	o := &r.outcomes[runner]
	n := count(o)
	switch {
	case o.Skipped != "":
		return skipped
	case n.Mismatched > 0:
		return mismatch
	case !o.OK():
		return broken
	case n.Agreed == 0:
		return notExpressed
	}
	return agree
}

// ok reports whether nobody contradicted the case.
func (r *result) ok() bool {
	for i := range r.outcomes {
		if !r.outcomes[i].OK() {
			return false
		}
	}
	return true
}

// skipped says why the case shows nothing, or is "".
func (r *result) skipped() string {
	for i := range r.outcomes {
		if s := r.outcomes[i].Skipped; s != "" {
			return s
		}
	}
	for i := range r.outcomes {
		if r.caseStatus(i) != notExpressed {
			return ""
		}
	}
	return "no runner expresses it"
}

// reason says in words why a runner gave no result for a step, or is "".
func (r *result) reason(runner, step int) string {
	return why(r.answer(runner, step).Err)
}

func why(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	if errors.Is(err, conformance.ErrNotExpressible) {
		text = strings.TrimPrefix(text, conformance.ErrNotExpressible.Error()+": ")
	}
	return text
}
