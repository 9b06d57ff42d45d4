package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/memmap-go/memmap/conformance"
)

type textOptions struct {
	colour  bool
	verbose bool
}

// A textReport tells a reader what was done and what was answered.
type textReport struct {
	w       *bufio.Writer // keeps the first error, which each method returns
	style   style
	verbose bool
	page    uint64 // bytes
	kinds   []runnerKind

	last    paragraph                  // what was written last below the current heading
	section *conformance.Section       // the one whose heading was written last
	guided  map[*conformance.Case]bool // of the current group
}

// A paragraph is a kind of text that stands apart from others.
type paragraph uint8

const (
	nothing paragraph = iota
	line              // lines may follow each other
	block             // a blank line comes before and after
)

func newTextReport(w io.Writer, kinds []runnerKind, o textOptions) *textReport {
	return &textReport{
		w:       bufio.NewWriter(w),
		style:   style{on: o.colour},
		verbose: o.verbose,
		page:    uint64(os.Getpagesize()),
		kinds:   kinds,
	}
}

func (t *textReport) printf(format string, args ...any) { fmt.Fprintf(t.w, format, args...) }

// lines writes each line behind an indent.
func (t *textReport) lines(indent string, lines ...string) {
	for _, line := range lines {
		t.printf("%s\n", strings.TrimRight(indent+line, " "))
	}
}

// begin writes the blank line that belongs between the last paragraph and the next.
func (t *textReport) begin(next paragraph) {
	if t.last == block || t.last == line && next == block {
		t.printf("\n")
	}
	t.last = next
}

func (t *textReport) start() error {
	t.printf("%s\n\n", t.style.bold("Memory mappings, as short programs that run on this system"))
	t.lines("", "Each of these cases says what every step must do. They are run by:")
	for _, k := range t.kinds {
		t.lines("  ", pad(k.name, 8)+k.about)
	}
	t.lines("", legend...)
	return t.w.Flush()
}

// group writes the headings that are new, with what there is to say about them.
func (t *textReport) group(g *group, guided map[*conformance.Case]bool) error {
	t.guided, t.last = guided, nothing
	if g.section != t.section {
		t.section = g.section
		t.heading(g.section.Title, "═")
	}
	if g.part != "" {
		t.heading(g.part, "─")
	}
	t.printf("\n")
	return t.w.Flush()
}

// heading writes a title, a rule below it, and the introduction.
func (t *textReport) heading(title, rule string) {
	t.printf("\n%s\n%s\n", t.style.bold(title), strings.Repeat(rule, utf8.RuneCountInString(title)))
	if text := introductions[number(title)]; text != "" {
		t.printf("\n%s\n", strings.Trim(text, "\n"))
	}
}

// result writes a case: step by step if it is a guided one, otherwise in one line.
func (t *textReport) result(r *result) error {
	if r.skipped() == "" && (t.verbose || t.guided[r.c]) {
		t.guide(r)
	} else {
		t.oneLine(r)
	}
	if !r.ok() {
		t.disagreement(r)
	}
	return t.w.Flush()
}

// oneLine writes each runner's verdict, and the case's name and title.
func (t *textReport) oneLine(r *result) {
	t.begin(line)
	if reason := r.skipped(); reason != "" {
		t.printf("  %s %s: %s %s\n", t.style.dim(pad("skipped", t.verdictWidth())), r.c.Name, r.c.Title, t.style.dim("("+reason+")"))
		return
	}
	var partial []string
	t.printf("  ")
	for i, k := range t.kinds {
		st := r.caseStatus(i)
		t.printf("%s %s  ", k.name, t.style.of(st, marks[st]))
		if n := count(&r.outcomes[i]); st == agree && n.NotExpressed > 0 {
			partial = append(partial, fmt.Sprintf("%s %d of %d steps", k.name, n.Agreed, len(r.c.Steps)))
		}
	}
	t.printf("%s: %s", r.c.Name, r.c.Title)
	if partial != nil {
		t.printf(" %s", t.style.dim("("+strings.Join(partial, ", ")+")"))
	}
	t.printf("\n")
}

// verdictWidth is how wide the verdicts before a title are.
func (t *textReport) verdictWidth() int {
	n := -1
	for _, k := range t.kinds {
		n += utf8.RuneCountInString(k.name) + 4
	}
	return n
}

// marks are the signs for what a runner did. A step that a runner did not come to has none.
var marks = map[status]string{agree: "✓", notExpressed: "–", mismatch: "✗", broken: "✗"}

// end writes the table of sections, what was skipped and what disagreed.
func (t *textReport) end(s *summary) error {
	t.heading("What came out", "═")
	t.printf("\n")
	t.lines("", tableOf(s)...)
	t.printf("\nThe signs count steps. A case ends for a runner with its first %s.\n", marks[mismatch])
	for _, reason := range slices.Sorted(maps.Keys(s.reasons)) {
		t.printf("%d skipped: %s\n", s.reasons[reason], reason)
	}
	for _, n := range s.all.Runners {
		t.printf("%s expresses %d of the %d steps that it came to: %.1f %%\n",
			n.Runner, n.expressed(), n.expressed()+n.NotExpressed, 100*n.Share)
	}
	for _, r := range s.failed {
		t.printf("%s\n", t.style.red(fmt.Sprintf("%s:%d: case %s failed", r.c.File, r.c.Line, r.c.Name)))
	}
	t.printf("%d cases: %d passed, %d failed, %d skipped\n", s.all.Cases, s.all.Passed, s.all.Failed, s.all.Skipped)
	return t.w.Flush()
}
