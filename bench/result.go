package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// result is a row with its numbers, as --json prints it: one a line. A number
// that wasn't measured is null.
type result struct {
	Name   string `json:"name"`
	Unit   string `json:"unit"`
	Ours   number `json:"ours"`
	Peer   number `json:"peer"`
	Ratio  number `json:"ratio"`
	Low    number `json:"low"`  // quartiles of the rounds' ratios
	High   number `json:"high"` //
	More   number `json:"more"` // ours less the peer's
	Goal   string `json:"goal"` // empty: none
	Met    *bool  `json:"met"`  // null: no goal, or not measured
	Rounds int    `json:"rounds"`
	Note   string `json:"note"`
}

// number is a float64 that JSON shows as null where it is none.
type number float64

func (n number) isNone() bool { return math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) }

func (n number) MarshalJSON() ([]byte, error) {
	if n.isNone() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// String shows three digits, and no exponent.
func (n number) String() string {
	v := float64(n)
	switch {
	case n.isNone():
		return "–"
	case math.Abs(v) >= 100:
		return fmt.Sprintf("%.0f", v)
	case math.Abs(v) >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// result computes the numbers of a row. Where they are missing, the note says
// what was lacking.
func (r row) result(rounds []round, lacking []string) result {
	c := compare(rounds, r.ours, r.peer)
	var notes []string
	if math.IsNaN(c.ours) || math.IsNaN(c.peer) {
		notes = append(notes, lacking...)
	}
	if r.note != nil && len(rounds) > 0 {
		notes = append(notes, r.note(rounds))
	}
	return result{
		Name: r.name, Unit: r.unit, Ours: number(c.ours), Peer: number(c.peer), Ratio: number(c.ratio),
		Low: number(c.low), High: number(c.high), More: number(c.more),
		Goal: r.goal.text, Met: r.goal.judge(c), Rounds: len(rounds), Note: strings.Join(notes, "; "),
	}
}

// table prints results for people. The notes stand below, each once.
func table(w io.Writer, results []result) error {
	lines := [][]string{{"work", "unit", "ours", "peer", "ratio", "(half of the rounds)", "goal", "met", ""}}
	var notes []string
	for _, r := range results {
		spread := "–"
		if !r.Low.isNone() && !r.High.isNone() {
			spread = fmt.Sprintf("(%v–%v)", r.Low, r.High)
		}
		lines = append(lines, []string{
			r.Name, r.Unit, r.Ours.String(), r.Peer.String(), r.Ratio.String(), spread, r.Goal, verdict(r), footnote(&notes, r.Note),
		})
	}
	var b strings.Builder
	writeColumns(&b, lines)
	for i, n := range notes {
		fmt.Fprintf(&b, "[%d] %s\n", i+1, n)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func verdict(r result) string {
	switch {
	case r.Met != nil && *r.Met:
		return "yes"
	case r.Met != nil:
		return "NO"
	case r.Goal != "":
		return "not measured"
	}
	return ""
}

// footnote returns the mark of a note, which it adds if it is new.
func footnote(notes *[]string, note string) string {
	if note == "" {
		return ""
	}
	for i, n := range *notes {
		if n == note {
			return fmt.Sprintf("[%d]", i+1)
		}
	}
	*notes = append(*notes, note)
	return fmt.Sprintf("[%d]", len(*notes))
}

// writeColumns aligns the numbers, columns 2 to 4, to the right.
func writeColumns(b *strings.Builder, lines [][]string) {
	width := make([]int, len(lines[0]))
	for _, l := range lines {
		for i, cell := range l {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, l := range lines {
		var line strings.Builder
		for i, cell := range l {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if 2 <= i && i <= 4 {
				line.WriteString(pad + cell + "  ")
			} else {
				line.WriteString(cell + pad + "  ")
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}
