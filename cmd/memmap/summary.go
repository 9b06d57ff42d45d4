package main

import (
	"errors"
	"fmt"

	"github.com/memmap-go/memmap/conformance"
)

// stepsOf counts steps of one runner.
type stepsOf struct {
	Runner       string  `json:"runner"`
	Agreed       int     `json:"agreed"`
	Mismatched   int     `json:"mismatched"`
	NotExpressed int     `json:"not_expressed"`
	Failed       int     `json:"failed"`
	Share        float64 `json:"share"` // of all steps that it came to, how many it expresses
}

// count counts the steps of one outcome.
func count(o *conformance.Outcome) stepsOf {
	var n stepsOf
	for _, a := range o.Answers {
		switch a.Status {
		case conformance.Met:
			n.Agreed++
		case conformance.Differs:
			n.Mismatched++
		case conformance.NotExpressed:
			n.NotExpressed++
		case conformance.Failed:
			n.Failed++
		}
	}
	n.setShare()
	return n
}

func (n *stepsOf) add(m stepsOf) {
	n.Agreed += m.Agreed
	n.Mismatched += m.Mismatched
	n.NotExpressed += m.NotExpressed
	n.Failed += m.Failed
	n.setShare()
}

func (n *stepsOf) setShare() {
	if all := n.expressed() + n.NotExpressed; all > 0 {
		n.Share = float64(n.expressed()) / float64(all)
	}
}

func (n *stepsOf) expressed() int { return n.Agreed + n.Mismatched + n.Failed }

// A tally counts the cases of a section, or of all, and the steps of each runner.
type tally struct {
	Section string    `json:"section,omitempty"` // the file's name, "" for all
	Cases   int       `json:"cases"`
	Passed  int       `json:"passed"`
	Failed  int       `json:"failed"`
	Skipped int       `json:"skipped"`
	Runners []stepsOf `json:"runners"`
}

func newTally(section string, kinds []runnerKind) tally {
	t := tally{Section: section}
	for _, k := range kinds {
		t.Runners = append(t.Runners, stepsOf{Runner: k.name})
	}
	return t
}

func (t *tally) add(r *result) {
	t.Cases++
	switch {
	case !r.ok():
		t.Failed++
	case r.skipped() != "":
		t.Skipped++
	default:
		t.Passed++
	}
	for i := range r.outcomes {
		t.Runners[i].add(count(&r.outcomes[i]))
	}
}

// A summary is what a whole run came to.
type summary struct {
	kinds    []runnerKind
	section  *conformance.Section // that of the last tally in sections
	sections []tally
	all      tally
	reasons  map[string]int // why cases were skipped, and how many
	failed   []*result
}

func newSummary(kinds []runnerKind) *summary {
	return &summary{kinds: kinds, all: newTally("", kinds), reasons: map[string]int{}}
}

func (s *summary) add(r *result) {
	if r.group.section != s.section {
		s.section = r.group.section
		s.sections = append(s.sections, newTally(s.section.Name, s.kinds))
	}
	s.sections[len(s.sections)-1].add(r)
	s.all.add(r)
	if !r.ok() {
		s.failed = append(s.failed, r)
	} else if reason := r.skipped(); reason != "" {
		s.reasons[reason]++
	}
}

// verdict is an error unless all agreed and at least one case ran.
func (s *summary) verdict() error {
	switch {
	case s.all.Failed > 0:
		return fmt.Errorf("%d of %d cases failed", s.all.Failed, s.all.Cases)
	case s.all.Passed == 0:
		return errors.New("no case ran")
	}
	return nil
}
