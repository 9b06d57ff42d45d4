package memmap

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
)

// Leak is a mapping or a region that the program has lost without closing it. Its
// memory stays mapped, since slices into it may live on.
type Leak struct {
	Name  string    // of the file or the memory; "region" for a Region
	Len   int64     // in bytes, when it was made
	Stack []uintptr // who made it, as runtime.Callers tells it; nil if not recorded
}

// String tells of the leak, with a line for each function on the stack.
func (l Leak) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "memmap: %s, %d bytes, was lost without Close", l.Name, l.Len)
	if len(l.Stack) == 0 {
		return b.String()
	}
	frames := runtime.CallersFrames(l.Stack)
	for {
		f, more := frames.Next()
		fmt.Fprintf(&b, "\n\t%s\n\t\t%s:%d", f.Function, f.File, f.Line)
		if !more {
			return b.String()
		}
	}
}

// ReportLeaks has report called for each mapping and each region, of those made
// from now on, that the garbage collector finds lost without Close. Mappings in a
// Region belong to it, and aren't reported. With stacks, each report says who made
// the mapping; recording that takes about a microsecond. Nil ends the reports,
// and then nothing is recorded.
//
// report is called on goroutines of the runtime's, perhaps on several at once, and
// must not block.
func ReportLeaks(report func(Leak), stacks bool) {
	if report == nil {
		leaks.Store(nil)
		return
	}
	leaks.Store(&leakWatch{report, stacks})
}

// leaks is who wants to know, or nil.
var leaks atomic.Pointer[leakWatch]

type leakWatch struct {
	report func(Leak)
	stacks bool
}

// watch has a leak reported when p is lost. What it returns ends that.
func watch[T any](p *T, name string, n int64) (watched runtime.Cleanup) {
	w := leaks.Load()
	if w == nil {
		return watched
	}
	leak := Leak{Name: name, Len: n}
	if w.stacks {
		leak.Stack = make([]uintptr, 32)
		leak.Stack = leak.Stack[:runtime.Callers(2, leak.Stack)]
	}
	return runtime.AddCleanup(p, Leak.report, leak)
}

func (l Leak) report() {
	if w := leaks.Load(); w != nil {
		l.Stack = callersOf(l.Stack)
		w.report(l)
	}
}

// callersOf returns a stack without this package's own functions at its top.
func callersOf(stack []uintptr) []uintptr {
	for len(stack) > 1 {
		f, _ := runtime.CallersFrames(stack[:1]).Next()
		if !strings.HasPrefix(f.Function, "github.com/memmap-go/memmap.") || strings.HasSuffix(f.File, "_test.go") {
			break
		}
		stack = stack[1:]
	}
	return stack
}
