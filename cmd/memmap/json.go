package main

import (
	"encoding/json"
	"io"

	"github.com/memmap-go/memmap/conformance"
)

// A caseHead says which case an object of the JSON output belongs to.
type caseHead struct {
	Section string `json:"section"`
	Part    string `json:"part,omitempty"`
	Case    string `json:"case"`
	Title   string `json:"title"`
	Rules   []int  `json:"rules"`
	File    string `json:"file"`
	Line    int    `json:"line"`
}

// A stepObject is one step and what the runners did.
type stepObject struct {
	Type string `json:"type"` // "step"
	caseHead
	Index    int               `json:"index"`
	Process  string            `json:"process"`
	Step     string            `json:"step"`
	Expected string            `json:"expected"`
	Got      map[string]string `json:"got"`
	Status   map[string]status `json:"status"`
	Reason   map[string]string `json:"reason,omitempty"`
	OK       bool              `json:"ok"`
}

// A caseObject ends each case.
type caseObject struct {
	Type string `json:"type"` // "case"
	caseHead
	Steps   int               `json:"steps"`
	Skipped string            `json:"skipped,omitempty"`
	Status  map[string]status `json:"status"`
	Reason  map[string]string `json:"reason,omitempty"`
	OK      bool              `json:"ok"`
}

// A summaryObject ends the output.
type summaryObject struct {
	Type string `json:"type"` // "summary"
	tally
	Sections []tally        `json:"sections"`
	Reasons  map[string]int `json:"reasons"`
	OK       bool           `json:"ok"`
}

// A jsonReport writes one object a line.
type jsonReport struct {
	enc   *json.Encoder
	kinds []runnerKind
}

func newJSONReport(w io.Writer, kinds []runnerKind) *jsonReport {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // steps are full of "->"
	return &jsonReport{enc: enc, kinds: kinds}
}

func (j *jsonReport) start() error { return nil }

func (j *jsonReport) group(*group, map[*conformance.Case]bool) error { return nil }

func (j *jsonReport) result(r *result) error {
	for i := range r.answered() {
		if err := j.enc.Encode(j.step(r, i)); err != nil {
			return err
		}
	}
	return j.enc.Encode(j.closing(r))
}

func (j *jsonReport) end(s *summary) error {
	return j.enc.Encode(summaryObject{Type: "summary", tally: s.all, Sections: s.sections, Reasons: s.reasons, OK: s.verdict() == nil})
}

func (j *jsonReport) step(r *result, n int) stepObject {
	s := &r.c.Steps[n]
	o := stepObject{Type: "step", caseHead: head(r, s.Line), Index: n, Process: s.Proc, Step: s.Text, Expected: expected(s),
		Got: map[string]string{}, Status: map[string]status{}, Reason: map[string]string{}, OK: !r.contradicted(n)}
	for i, k := range j.kinds {
		o.Status[k.name] = r.stepStatus(i, n)
		if got := r.answer(i, n).Got; got != "" {
			o.Got[k.name] = got
		}
		if reason := r.reason(i, n); reason != "" {
			o.Reason[k.name] = reason
		}
	}
	return o
}

func (j *jsonReport) closing(r *result) caseObject {
	o := caseObject{Type: "case", caseHead: head(r, r.c.Line), Steps: len(r.c.Steps), Skipped: r.skipped(), OK: r.ok(),
		Status: map[string]status{}, Reason: map[string]string{}}
	for i, k := range j.kinds {
		o.Status[k.name] = r.caseStatus(i)
		if err := r.outcomes[i].Err; err != nil {
			o.Reason[k.name] = err.Error()
		}
	}
	return o
}

func head(r *result, line int) caseHead {
	return caseHead{
		Section: r.group.section.Title,
		Part:    r.group.part,
		Case:    r.c.Name,
		Title:   r.c.Title,
		Rules:   append([]int{}, r.c.Rules...), // [] and not null
		File:    r.c.File,
		Line:    line,
	}
}

// expected writes what a step must do, as the case says it. An until step says it in front.
func expected(s *conformance.Step) string {
	if s.Repeat.Kind == conformance.Until {
		return s.Repeat.Errno
	}
	return s.Want.String()
}
