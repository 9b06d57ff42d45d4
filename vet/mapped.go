package vet

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"
)

// mapped knows what in a package is certain to be mapped memory.
//
// A local variable points there if everything that is ever assigned to it does.
// So a variable that is mapped memory first, and a copy of it later, is no mapped
// memory: that misses some, but raises no false alarm.
type mapped struct {
	info *types.Info
	vars map[*types.Var]bool
}

// sources are what is assigned to variables. A nil source is something unknown.
type sources map[*types.Var][]ast.Expr

func findMapped(info *types.Info, in *inspector.Inspector) mapped {
	m := mapped{info, make(map[*types.Var]bool)}
	from := m.collect(in)
	for v := range from {
		m.vars[v] = true
	}
	// Take away what has a source elsewhere, until nothing more follows of it.
	shrink(m.vars, func(v *types.Var) bool {
		return slices.ContainsFunc(from[v], func(e ast.Expr) bool { return !m.ref(e) })
	})
	// What is left may have no other source than itself.
	grounded := mapped{info, make(map[*types.Var]bool)}
	for again := true; again; {
		again = false
		for v := range m.vars {
			if !grounded.vars[v] && slices.ContainsFunc(from[v], grounded.ref) {
				grounded.vars[v], again = true, true
			}
		}
	}
	return grounded
}

// shrink deletes what is bad, and what gets bad by that.
func shrink(vars map[*types.Var]bool, bad func(*types.Var) bool) {
	for again := true; again; {
		again = false
		for v := range vars {
			if bad(v) {
				delete(vars, v)
				again = true
			}
		}
	}
}

// collect finds all assignments to local variables.
func (m mapped) collect(in *inspector.Inspector) sources {
	from := make(sources)
	add := func(to ast.Expr, e ast.Expr) {
		if v := m.local(to); v != nil {
			from[v] = append(from[v], e)
		}
	}
	scanned := make(map[*ast.FuncType]bool) // functions that Scan calls
	nodes := []ast.Node{
		(*ast.AssignStmt)(nil), (*ast.ValueSpec)(nil), (*ast.RangeStmt)(nil), (*ast.UnaryExpr)(nil), (*ast.FuncType)(nil),
		(*ast.CallExpr)(nil),
	}
	in.Preorder(nodes, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.AssignStmt:
			m.pair(n.Lhs, n.Rhs, n.Tok, add)
		case *ast.ValueSpec:
			if len(n.Values) > 0 { // the zero value points nowhere
				m.pair(exprs(n.Names), n.Values, token.DEFINE, add)
			}
		case *ast.RangeStmt:
			add(n.Key, nil)
			add(n.Value, nil)
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				add(ast.Unparen(n.X), nil) // whoever has the pointer may assign
			}
		case *ast.CallExpr:
			if fn := m.scanFunc(n); fn != nil {
				scanned[fn.Type] = true
			}
		case *ast.FuncType:
			for _, field := range n.Params.List {
				for _, name := range field.Names {
					if scanned[n] && isBytes(m.info.TypeOf(name)) {
						from[m.local(name)] = append(from[m.local(name)], scannedBytes)
					} else {
						add(name, nil)
					}
				}
			}
		}
	})
	return from
}

// scannedBytes stands for the bytes that Scan gives to its function.
var scannedBytes = &ast.BadExpr{}

// scanFunc returns the function literal that a call gives to (*Mapping).Scan.
func (m mapped) scanFunc(call *ast.CallExpr) *ast.FuncLit {
	if m.callee(call) != "(*"+memmapPath+".Mapping).Scan" || len(call.Args) == 0 {
		return nil
	}
	fn, _ := ast.Unparen(call.Args[len(call.Args)-1]).(*ast.FuncLit)
	return fn
}

// pair finds which value is assigned to which variable.
func (m mapped) pair(to, values []ast.Expr, tok token.Token, add func(to, e ast.Expr)) {
	for i, x := range to {
		switch {
		case tok != token.ASSIGN && tok != token.DEFINE:
			add(x, nil)
		case len(to) == len(values):
			add(x, values[i])
		case i == 0 && m.isView(values[0]):
			add(x, values[0])
		default:
			add(x, nil)
		}
	}
}

// isView reports whether an expression is a call whose first result is a view of
// mapped memory, with an error beside it.
func (m mapped) isView(e ast.Expr) bool {
	call, ok := ast.Unparen(e).(*ast.CallExpr)
	if !ok {
		return false
	}
	name := m.callee(call)
	return name == memmapPath+".Slice" || name == memmapPath+".Pointer"
}

// callee returns the full name of a function that a call names, or "".
func (m mapped) callee(call *ast.CallExpr) string {
	if f, ok := typeutil.Callee(m.info, call).(*types.Func); ok {
		return f.Origin().FullName()
	}
	return ""
}

// local returns the local variable that an expression is, or nil.
func (m mapped) local(e ast.Expr) *types.Var {
	id, ok := e.(*ast.Ident)
	if !ok {
		return nil
	}
	v, ok := m.info.ObjectOf(id).(*types.Var)
	if !ok || v.IsField() || v.Pkg() == nil || v.Parent() == v.Pkg().Scope() {
		return nil
	}
	return v
}

// ref reports whether the value of an expression is a slice, pointer or string that
// points into mapped memory.
func (m mapped) ref(e ast.Expr) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.BadExpr:
		return e == scannedBytes
	case *ast.Ident:
		return m.vars[m.local(e)]
	case *ast.SliceExpr:
		return m.ref(e.X) || m.place(e.X)
	case *ast.UnaryExpr:
		return e.Op == token.AND && m.place(e.X)
	case *ast.CallExpr:
		return m.refCall(e)
	}
	return false
}

// refCall is ref for calls and conversions.
func (m mapped) refCall(call *ast.CallExpr) bool {
	if m.info.Types[call.Fun].IsType() {
		return len(call.Args) == 1 && keepsAddress(m.info.TypeOf(call), m.info.TypeOf(call.Args[0])) && m.ref(call.Args[0])
	}
	switch f := typeutil.Callee(m.info, call).(type) {
	case *types.Builtin:
		switch f.Name() {
		case "String", "Slice", "SliceData", "StringData", "Add": // package unsafe
			return len(call.Args) > 0 && m.ref(call.Args[0])
		}
	case *types.Func:
		switch f.Origin().FullName() {
		case "(*" + memmapPath + ".Mapping).Bytes", "(*" + memmapPath + ".Region).Bytes", memmapPath + ".Slice", memmapPath + ".Pointer":
			return true
		}
	}
	return false
}

// keepsAddress reports conversions that don't copy.
func keepsAddress(to, from types.Type) bool {
	switch to := to.Underlying().(type) {
	case *types.Slice:
		return !isString(from)
	case *types.Pointer:
		return true
	case *types.Basic:
		return to.Kind() == types.UnsafePointer || isString(to) && isString(from)
	}
	return false
}

// place reports whether an expression is a variable that lies in mapped memory: an
// element, a field, or what a pointer points to.
func (m mapped) place(e ast.Expr) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.StarExpr:
		return m.info.Types[e].IsValue() && m.ref(e.X)
	case *ast.IndexExpr:
		switch m.info.TypeOf(e.X).Underlying().(type) {
		case *types.Slice, *types.Pointer:
			return m.ref(e.X)
		case *types.Array:
			return m.place(e.X)
		}
	case *ast.SelectorExpr:
		s := m.info.Selections[e]
		return s != nil && s.Kind() == types.FieldVal && (m.place(e.X) || m.ref(e.X))
	}
	return false
}

func isBytes(t types.Type) bool {
	s, ok := t.Underlying().(*types.Slice)
	return ok && types.Identical(s.Elem(), types.Typ[types.Byte])
}

func exprs(names []*ast.Ident) []ast.Expr {
	var all []ast.Expr
	for _, name := range names {
		all = append(all, name)
	}
	return all
}
