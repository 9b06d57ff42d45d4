package conformance

import "slices"

// A Section is one file of cases: one section of the chapter.
type Section struct {
	Name  string // the file's base name without its extension
	Title string
	Cases []*Case
}

// A Case is a short program and what each of its steps must do.
type Case struct {
	Name   string // unique in the suite
	Title  string // what the case shows, one sentence
	Rules  []int  // the rules of RULES.md that it checks
	Source string // where the rule comes from
	Needs  []Need
	Steps  []Step

	File string
	Line int // of the line that begins the case
}

// A Step is one operation of one process.
type Step struct {
	Line int
	Text string   // the source text, without comment
	Say  []string // the narration that stands before it

	Proc   string // the process that does it
	Var    string // the name that keeps the address or descriptor, or ""
	Op     string
	Args   []Arg // as many as were written; trailing optional ones may be missing
	Repeat Repeat
	Want   Expectation
}

// MainProc is the process that every case begins with.
const MainProc = "main"

// An ArgKind says which fields of an Arg hold its value.
type ArgKind uint8

const (
	ArgExpr  ArgKind = iota + 1 // an address, length, offset or size: Expr
	ArgFD                       // a descriptor: Name, or Expr if Name is "" (then a bare number, -1 for none)
	ArgNew                      // the name of something that the step makes: Name
	ArgFile                     // the name of a file: Name
	ArgWord                     // one word out of a fixed set: Name
	ArgFlags                    // a set of flags: Flags
	ArgBytes                    // bytes: Bytes
	ArgFill                     // what fills a new file: Bytes, or one of the words in Name
)

// An Arg is one parsed argument of a step.
type Arg struct {
	Kind  ArgKind
	Text  string // as written
	Name  string
	Expr  Expr
	Flags Flags
	Bytes Bytes
}

// Flags is a set of flags by their names in the language, and of bits that stand there as numbers.
// Runners know what a name is worth to them; no numeric value of a name appears in this package.
type Flags struct {
	Names []string
	Bits  uint64
}

// Has reports whether the set holds the named flag.
func (f Flags) Has(name string) bool { return slices.Contains(f.Names, name) }

// A RepeatKind says how often a step is done.
type RepeatKind uint8

const (
	Once  RepeatKind = iota
	Times            // Limit times; each must meet the expectation
	Until            // until the step gives Errno, at most Limit times
)

// Repeat is the prefix of a step that is done more than once. The engine carries it out:
// a Session sees single steps, with the counter replaced by its value.
type Repeat struct {
	Kind  RepeatKind
	Var   string // the counter
	Limit Expr
	Errno string // Until
}

// A Need is something that must hold on this system for a case to make sense.
type Need struct {
	Text  string // as written: "kernel >= 6.13", "root"
	Name  string // its first word
	Below bool   // kernel: < instead of >=
	Major int    // kernel
	Minor int    // kernel
	N     int    // hugepages, overcommit, admin-reserve, areas
}
