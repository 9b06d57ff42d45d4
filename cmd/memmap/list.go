package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/memmap-go/memmap/conformance"
)

// writeList lists sections and cases, and what the cases need.
func writeList(w io.Writer, groups []*group) error {
	b := bufio.NewWriter(w)
	var section *conformance.Section
	for _, g := range groups {
		if g.section != section {
			section = g.section
			fmt.Fprintf(b, "%s (%s)\n", section.Title, section.Name)
		}
		if g.part != "" {
			fmt.Fprintf(b, " %s\n", g.part)
		}
		for _, c := range g.cases {
			fmt.Fprintf(b, "  %s: %s%s\n", c.Name, c.Title, needs(c))
		}
	}
	return b.Flush()
}

// needs writes what a case needs behind its title.
func needs(c *conformance.Case) string {
	var list []string
	for _, n := range c.Needs {
		list = append(list, n.Text)
	}
	if list == nil {
		return ""
	}
	return " (needs " + strings.Join(list, ", ") + ")"
}
