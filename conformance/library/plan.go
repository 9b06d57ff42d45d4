package library

import (
	"slices"

	"github.com/memmap-go/memmap/conformance"
)

// A plan is what must be known of a case before it runs, because the library asks for it earlier than the kernel:
// which memory will have other mappings placed in it.
type plan struct {
	// placements has the line of each mmap step whose memory later steps place mappings in, with the line of
	// the last of those steps.
	placements map[int]int

	processes int    // that the case begins, main included
	refused   string // why nothing of the case can be expressed; "" if it can
}

// newPlan looks through a case.
func newPlan(c *conformance.Case) plan {
	p := plan{placements: map[int]int{}, processes: 1}
	for _, n := range c.Needs {
		if n.Name == "areas" {
			p.refused = "a Go program at its limit of areas can't go on: its runtime maps memory too"
		}
	}
	roots := map[string]int{} // by name: the line of the mmap step whose memory it lies in
	for i := range c.Steps {
		s := &c.Steps[i]
		if s.Op == "fork" || s.Op == "spawn" {
			p.processes++
		}
		root := p.root(s, roots)
		switch {
		case s.Var == "":
		case root != 0:
			roots[s.Var] = root
		default:
			delete(roots, s.Var)
		}
	}
	return p
}

// root finds the line of the mmap step in whose memory the step's mapping will lie, or 0. If it is another step's,
// this one is the last so far to place there.
func (p *plan) root(s *conformance.Step, roots map[string]int) int {
	if isReservation(s) && s.Var != "" {
		return s.Line
	}
	for _, name := range placedAt(s).Names() {
		if root := roots[name]; root != 0 {
			p.placements[root] = s.Line
			return root
		}
	}
	return 0
}

// isReservation reports whether the step only takes address space, at any address.
func isReservation(s *conformance.Step) bool {
	if s.Op != "mmap" || len(s.Args[0].Expr.Names()) > 0 {
		return false
	}
	flags := s.Args[3].Flags
	for _, name := range flags.Names {
		if !slices.Contains([]string{"private", "anon", "noreserve"}, name) {
			return false
		}
	}
	return flags.Has("private") && flags.Has("anon") && flags.Bits == 0 && isNone(s.Args[2].Flags)
}

// isNone reports whether a protection is PROT_NONE.
func isNone(f conformance.Flags) bool {
	return f.Bits == 0 && len(f.Names) == 1 && f.Names[0] == "none"
}

// placedAt returns the address that the step places a mapping at; the zero Expr if it places none.
func placedAt(s *conformance.Step) conformance.Expr {
	switch {
	case s.Op == "mmap" && (s.Args[3].Flags.Has("fixed") || s.Args[3].Flags.Has("fixed_noreplace")):
		return s.Args[0].Expr
	case s.Op == "mremap" && len(s.Args) > 4 && s.Args[3].Flags.Has("fixed"):
		return s.Args[4].Expr
	}
	return conformance.Expr{}
}
