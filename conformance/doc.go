// Package conformance holds the behaviour of memory mappings as text, and runs it.
//
// A case is a short program: processes map memory, touch it, and each step says what must happen.
//
//	section: 49.4.3 Boundary cases
//
//	case beyond-the-end: a page beyond the end of the file can be mapped, but not touched
//	rule: 20
//	source: mmap(2), SIGBUS
//
//	f = file data 1p
//	m = mmap 0 2p r|w shared f 0
//	load m+1p      -> BUS_ADRERR
//	ftruncate f 2p
//	load m+1p      -> 0
//
// LANGUAGE.md describes the language, RULES.md numbers the rules that cases check. [Suite] returns the cases of this
// package, a file a section; [Parse] reads those of others.
//
// # Runners
//
// The same cases judge several implementations. A [Runner] stands for one: it starts a [Session] for a case, and the
// session does one step after the other and answers with a [Result], what happened. It never learns what should
// have happened; comparing is this package's work alone, so no runner can be mild with itself.
//
// Package kernel, below this one, is the oracle: it does each step by a system call, or by a real load or store, in a
// process of its own. Other runners express a step through the interface of a library. One that can't express a step
// answers [ErrNotExpressible]. The step is then counted as [NotExpressed], which is neither right nor wrong.
//
// # Running
//
// An [Env] knows this system: what cases may need, and where their files can be. [Run] takes each case through each
// runner and yields an [Outcome], with an [Answer] for each step:
//
//	for o := range conformance.Run(ctx, cases, runners, env) {
//		for _, a := range o.Answers {
//			fmt.Println(o.Runner, a.Step.Text, a.Status, a.Got)
//		}
//	}
//
// A case whose needs are not met is skipped with a word; a case ends at the first step that [Differs].
//
// # Adding an operation
//
// Write it into the tables of LANGUAGE.md, then into the table of op.go, from which the parser takes what it accepts.
// Then teach it to the runners. A runner that doesn't know it says that it can't express it.
package conformance
