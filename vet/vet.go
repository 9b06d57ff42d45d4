// Package vet finds uses of mapped memory that kill the process when they fault,
// although memmap.Guard stands around them.
//
// Analyzer is for go vet (cmd/memmapvet), and for programs that run analyzers of
// their own. What it reports, and what it can't see, is in README.md; why each of
// them is deadly, in docs/guard.md of the library.
package vet

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"
)

// Analyzer reports uses of mapped memory that no guard helps against.
var Analyzer = &analysis.Analyzer{
	Name:     "memmapvet",
	Doc:      "report uses of mapped memory that kill the process when they fault, in spite of memmap.Guard",
	URL:      "https://pkg.go.dev/github.com/memmap-go/memmap/vet",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

const memmapPath = "github.com/memmap-go/memmap"

func run(pass *analysis.Pass) (any, error) {
	if !imports(pass.Pkg, memmapPath) {
		return nil, nil
	}
	in := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	c := &checker{Pass: pass, mapped: findMapped(pass.TypesInfo, in)}
	types := []ast.Node{(*ast.SelectStmt)(nil), (*ast.SendStmt)(nil), (*ast.CallExpr)(nil), (*ast.AssignStmt)(nil), (*ast.IncDecStmt)(nil)}
	copied := make(map[ast.Stmt]bool)
	in.Preorder(types, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.SelectStmt:
			// A select copies before it sends.
			for _, clause := range n.Body.List {
				copied[clause.(*ast.CommClause).Comm] = true
			}
		case *ast.SendStmt:
			if !copied[n] {
				c.send(n)
			}
		case *ast.CallExpr:
			c.call(n)
		case *ast.AssignStmt:
			for _, to := range n.Lhs {
				c.mapStore(to)
			}
		case *ast.IncDecStmt:
			c.mapStore(n.X)
		}
	})
	return nil, nil
}

func imports(pkg *types.Package, path string) bool {
	for _, p := range pkg.Imports() {
		if p.Path() == path {
			return true
		}
	}
	return false
}

// checker looks at one package.
type checker struct {
	*analysis.Pass
	mapped mapped
}

// send reports ch <- b[i].
func (c *checker) send(s *ast.SendStmt) {
	if !c.mapped.place(s.Value) {
		return
	}
	ch, ok := c.TypesInfo.TypeOf(s.Chan).Underlying().(*types.Chan)
	if !ok || !types.Identical(ch.Elem(), c.TypesInfo.TypeOf(s.Value)) {
		return // a conversion copies
	}
	c.Reportf(s.Value.Pos(), "send reads mapped memory under the channel's lock, where no guard can recover: copy it to a variable first")
}

func (c *checker) call(call *ast.CallExpr) {
	switch f := typeutil.Callee(c.TypesInfo, call).(type) {
	case *types.Builtin:
		c.builtin(f.Name(), call)
	case *types.Func:
		if f.FullName() == memmapPath+".Guard" && len(call.Args) > 0 {
			if fn, ok := ast.Unparen(call.Args[0]).(*ast.FuncLit); ok {
				c.inGuard(fn.Body)
			}
		}
	}
}

// builtin reports print of mapped strings, and delete with a key in place.
func (c *checker) builtin(name string, call *ast.CallExpr) {
	switch name {
	case "print", "println":
		for _, arg := range call.Args {
			if isString(c.TypesInfo.TypeOf(arg)) && c.mapped.ref(arg) {
				c.Reportf(arg.Pos(), "%s reads a mapped string where no guard can recover: convert its bytes, or strings.Clone it", name)
			}
		}
	case "delete":
		if len(call.Args) == 2 {
			c.keyInPlace(call.Args[0], call.Args[1])
		}
	}
}

// mapStore reports m[k] = v where k is a mapped string, or is read in place.
func (c *checker) mapStore(to ast.Expr) {
	index, ok := ast.Unparen(to).(*ast.IndexExpr)
	if !ok {
		return
	}
	if _, ok := c.TypesInfo.TypeOf(index.X).Underlying().(*types.Map); !ok {
		return
	}
	if isString(c.TypesInfo.TypeOf(index.Index)) && c.mapped.ref(index.Index) {
		c.Reportf(index.Index.Pos(), "map keeps a key that lies in mapped memory, and dies when it compares with it later: strings.Clone it")
		return
	}
	c.keyInPlace(index.X, index.Index)
}

// keyInPlace reports keys that the map reads in mapped memory, more than once.
func (c *checker) keyInPlace(m, key ast.Expr) {
	of, ok := c.TypesInfo.TypeOf(m).Underlying().(*types.Map)
	if !ok || !c.mapped.place(key) || !types.Identical(of.Key(), c.TypesInfo.TypeOf(key)) {
		return
	}
	switch c.TypesSizes.Sizeof(of.Key()) {
	case 4, 8:
		return // read once, before
	}
	c.Reportf(key.Pos(), "map reads its key in mapped memory, and is left half changed if the page is lost meanwhile: copy it to a variable first")
}

// inGuard reports functions that run in other goroutines and use mapped memory
// without a guard there.
func (c *checker) inGuard(body *ast.BlockStmt) {
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			c.runsElsewhere(n.Call.Fun)
		case *ast.CallExpr:
			switch c.mapped.callee(n) {
			case "time.AfterFunc", "(*sync.WaitGroup).Go", "(*golang.org/x/sync/errgroup.Group).Go":
				c.runsElsewhere(n.Args[len(n.Args)-1])
			case memmapPath + ".Guard":
				return false // looked at for itself
			}
		}
		return true
	})
}

func (c *checker) runsElsewhere(fn ast.Expr) {
	if fn, ok := ast.Unparen(fn).(*ast.FuncLit); ok {
		c.otherGoroutine(fn.Body)
	}
}

// otherGoroutine reports the first use of mapped memory.
func (c *checker) otherGoroutine(body *ast.BlockStmt) {
	done := false
	report := func(e ast.Expr) {
		done = true
		c.Reportf(e.Pos(), "mapped memory is used in another goroutine, which the guard around it doesn't cover: it needs a Guard of its own")
	}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.UnaryExpr:
			return !done && n.Op != token.AND // an address alone is no use
		case *ast.RangeStmt:
			if c.mapped.ref(n.X) {
				report(n.X)
			}
		case *ast.CallExpr:
			if c.mapped.callee(n) == memmapPath+".Guard" || isLength(c.TypesInfo, n) {
				return false
			}
			if i := slices.IndexFunc(n.Args, c.mapped.ref); i >= 0 && !c.mapped.ref(n) {
				report(n.Args[i])
			}
		case ast.Expr:
			if !done && c.mapped.place(n) {
				report(n)
			}
		}
		return !done
	})
}

// isLength reports calls of len and cap, which don't touch the memory.
func isLength(info *types.Info, call *ast.CallExpr) bool {
	f, ok := typeutil.Callee(info, call).(*types.Builtin)
	return ok && (f.Name() == "len" || f.Name() == "cap")
}

func isString(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsString != 0
}
