package conformance

import (
	"fmt"
	"maps"
	"slices"
)

// A scope is what the parser knows about names while it goes through a case: which processes live, and
// what each of them has kept under a name. It finds misspelt names before anything runs.
type scope struct {
	procs    map[string]names
	ended    map[string]int  // processes that have ended, by the line of their exit
	counters map[string]bool // of until, which stay known after their step
}

// names maps the names of one process to what they stand for: ArgExpr is an address, ArgFD a descriptor.
type names map[string]ArgKind

func newScope() *scope {
	return &scope{procs: map[string]names{MainProc: {}}, ended: map[string]int{}, counters: map[string]bool{}}
}

// check reports what the step uses but nobody made, and records what it makes.
func (sc *scope) check(s *Step) error {
	known, ok := sc.procs[s.Proc]
	if line := sc.ended[s.Proc]; !ok && line != 0 {
		return fmt.Errorf("process %s has ended on line %d", s.Proc, line)
	}
	if !ok {
		return fmt.Errorf("unknown process %s", s.Proc)
	}
	if err := sc.checkRepeat(s, known); err != nil {
		return err
	}
	if err := sc.checkUses(s, known); err != nil {
		return err
	}
	if err := sc.record(s, known); err != nil {
		return err
	}
	if s.Repeat.Kind == Times {
		delete(sc.counters, s.Repeat.Var)
	}
	return nil
}

// checkRepeat checks the limit, and makes the counter known.
func (sc *scope) checkRepeat(s *Step, known names) error {
	if s.Repeat.Kind == Once {
		return nil
	}
	if err := sc.checkExpr(s.Repeat.Limit, known); err != nil {
		return err
	}
	for _, ns := range sc.procs {
		if ns[s.Repeat.Var] != 0 {
			return fmt.Errorf("counter %s is also the name of something else", s.Repeat.Var)
		}
	}
	sc.counters[s.Repeat.Var] = true
	return nil
}

func (sc *scope) checkUses(s *Step, known names) error {
	for _, a := range s.Args {
		if a.Kind == ArgFD && a.Name != "" && known[a.Name] == ArgExpr {
			return fmt.Errorf("%s is an address, want a descriptor", a.Name)
		}
		if a.Kind == ArgFD && a.Name != "" && known[a.Name] != ArgFD {
			return fmt.Errorf("%s is no descriptor of process %s", a.Name, s.Proc)
		}
		for _, e := range []Expr{a.Expr, a.Bytes.Times} {
			if err := sc.checkExpr(e, known); err != nil {
				return err
			}
		}
	}
	for _, e := range s.Want.exprs() {
		if err := sc.checkExpr(*e, known); err != nil {
			return err
		}
	}
	return nil
}

func (sc *scope) checkExpr(e Expr, known names) error {
	for _, name := range e.Names() {
		switch {
		case known[name] == ArgFD:
			return fmt.Errorf("%s is a descriptor, want an address or a counter", name)
		case known[name] == 0 && !sc.counters[name]:
			return fmt.Errorf("unknown name %s", name)
		}
	}
	return nil
}

// record makes known what the step makes. A step that must fail makes nothing.
func (sc *scope) record(s *Step, known names) error {
	if s.Want.Kind == WantErrno {
		return nil
	}
	switch s.Op {
	case "fork":
		return sc.begin(s.Args[0].Name, maps.Clone(known))
	case "spawn":
		return sc.begin(s.Args[0].Name, names{})
	case "exit":
		delete(sc.procs, s.Proc)
		sc.ended[s.Proc] = s.Line
	case "pipe":
		return sc.keep(known, ArgFD, s.Args[0].Name, s.Args[1].Name)
	}
	if s.Var == "" {
		return nil
	}
	kind := ArgFD
	if operations[s.Op].gives == ResultAddress {
		kind = ArgExpr
	}
	return sc.keep(known, kind, s.Var)
}

func (sc *scope) begin(proc string, known names) error {
	if _, ok := sc.procs[proc]; ok {
		return fmt.Errorf("second process %s", proc)
	}
	sc.procs[proc] = known
	return nil
}

func (sc *scope) keep(known names, kind ArgKind, list ...string) error {
	for i, name := range list {
		if sc.counters[name] || slices.Contains(list[:i], name) {
			return fmt.Errorf("%s is already the name of something else", name)
		}
		known[name] = kind
	}
	return nil
}
