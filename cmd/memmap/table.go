package main

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// tableOf writes the summary's sections as lines of a table, with a line for all of them at the end. The signs are
// those of the legend, so that the table stays narrow however many runners there are.
func tableOf(s *summary) []string {
	over := []string{"", "", "", "", ""}
	head := []string{"section", "cases", "passed", "failed", "skipped"}
	for _, r := range s.all.Runners {
		over = append(over, r.Runner+":", "", "")
		head = append(head, marks[agree], marks[mismatch], marks[notExpressed])
	}
	rows := [][]string{over, head}
	for _, t := range s.sections {
		rows = append(rows, t.row(t.Section))
	}
	rows = append(rows, s.all.row("all"))
	return align(rows)
}

// row writes a tally as the cells of a row.
func (t *tally) row(name string) []string {
	cells := []string{name}
	for _, n := range []int{t.Cases, t.Passed, t.Failed, t.Skipped} {
		cells = append(cells, strconv.Itoa(n))
	}
	for _, r := range t.Runners {
		cells = append(cells, strconv.Itoa(r.Agreed), strconv.Itoa(r.Mismatched+r.Failed), strconv.Itoa(r.NotExpressed))
	}
	return cells
}

// align makes columns equally wide. The first one begins on the left, numbers stand on the right.
func align(rows [][]string) []string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var lines []string
	for _, row := range rows {
		cells := []string{pad(row[0], widths[0])}
		for i, cell := range row[1:] {
			cells = append(cells, padLeft(cell, widths[i+1]))
		}
		lines = append(lines, strings.Join(cells, "  "))
	}
	return lines
}
