package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/memmap-go/memmap/conformance"
)

const (
	stepIndent  = "    "
	stepWidth   = 60 // of a step's text
	answerWidth = 16 // of one runner's answer
)

// guide writes a case step by step.
func (t *textReport) guide(r *result) {
	t.begin(block)
	t.printf("  %s\n", t.style.bold(r.c.Name+": "+r.c.Title))
	if t.verbose {
		t.lines(stepIndent, t.origin(r.c)...)
	}
	names := ""
	for _, k := range t.kinds {
		names += pad(k.name, answerWidth)
	}
	t.lines(stepIndent, pad("", stepWidth)+names)
	column := operationWidth(r.c)
	for i := range r.answered() {
		t.lines(stepIndent, r.c.Steps[i].Say...)
		t.step(r, i, column)
	}
}

// origin says where the case is written and where its rules come from.
func (t *textReport) origin(c *conformance.Case) []string {
	line := fmt.Sprintf("%s:%d", c.File, c.Line)
	if len(c.Rules) > 0 {
		line += ", rule " + strings.ReplaceAll(strings.Trim(fmt.Sprint(c.Rules), "[]"), " ", ", ")
	}
	if c.Source != "" {
		line += ", " + c.Source
	}
	return []string{t.style.dim(line)}
}

// operationWidth is the column of "->" in a case. A few long steps don't move it.
func operationWidth(c *conformance.Case) int {
	const most = 36
	width := 0
	for i := range c.Steps {
		op, want := splitStep(&c.Steps[i])
		if n := utf8.RuneCountInString(op); want != "" && n <= most {
			width = max(width, n)
		}
	}
	return width
}

// splitStep divides a step's text before "->".
func splitStep(s *conformance.Step) (op, want string) {
	if s.Want.Text == "" {
		return s.Text, ""
	}
	want = "-> " + s.Want.Text
	return strings.TrimSuffix(s.Text, " "+want), want
}

// step writes one step with each runner's answer, and a picture if it shows areas.
func (t *textReport) step(r *result, n, column int) {
	text, want := splitStep(&r.c.Steps[n])
	if want != "" {
		text = pad(text, column) + " " + want
	}
	answers := ""
	for i := range t.kinds {
		answers += t.answer(r, i, n)
	}
	if utf8.RuneCountInString(text) >= stepWidth-2 {
		t.lines(stepIndent, "  "+text)
		text = ""
	}
	t.lines(stepIndent, pad("  "+text, stepWidth)+answers)
	t.lines(stepIndent+"    ", t.picture(r, n)...)
	if t.verbose {
		t.reasons(r, n)
	}
}

// answer writes a mark, and the answer itself if it is short: if the mark is a tick, the step says it too.
func (t *textReport) answer(r *result, runner, n int) string {
	st := r.stepStatus(runner, n)
	text := marks[st]
	if got := r.answer(runner, n).Got; got != "" && got != "ok" && utf8.RuneCountInString(got) <= answerWidth-4 {
		text += " " + got
	}
	return t.style.of(st, text) + pad("", answerWidth-utf8.RuneCountInString(text))
}

func (t *textReport) reasons(r *result, n int) {
	for i, k := range t.kinds {
		if reason := r.reason(i, n); reason != "" {
			t.lines(stepIndent, t.style.dim("      "+k.name+": "+reason))
		}
	}
}

// picture draws the areas that a step shows, and those before if they were others.
// A single area that was there before needs no picture.
func (t *textReport) picture(r *result, n int) []string {
	for i := range t.kinds {
		a := r.answer(i, n)
		if a.Result.Kind != conformance.ResultAreas {
			continue
		}
		after, before := a.Result.Areas, r.before[a.Step.Line]
		switch {
		case before != nil && !slices.Equal(before, after):
			return drawBars([]bar{{"before", before}, {"after", after}}, t.page)
		case len(after) > 1:
			return drawBars([]bar{{"", after}}, t.page)
		}
	}
	return nil
}
