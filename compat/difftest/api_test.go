package difftest

import (
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"
)

// TestAPI compares what the packages export: names, signatures, and the values of
// constants.
func TestAPI(t *testing.T) {
	for original, ours := range map[string]string{
		"github.com/edsrzf/mmap-go": "github.com/memmap-go/memmap/compat/mmap-go",
		"golang.org/x/exp/mmap":     "github.com/memmap-go/memmap/compat/exp/mmap",
	} {
		want, got := exported(t, original), exported(t, ours)
		if len(want) < 5 {
			t.Errorf("%s exports only %q", original, want)
		}
		for _, decl := range want {
			if !slices.Contains(got, decl) {
				t.Errorf("%s lacks %s", ours, decl)
			}
		}
		for _, decl := range got {
			if !slices.Contains(want, decl) {
				t.Errorf("%s has %s, the original hasn't", ours, decl)
			}
		}
	}
}

// exported lists the exported declarations of a package.
func exported(t *testing.T, path string) []string {
	t.Helper()
	pkg, err := importer.ForCompiler(token.NewFileSet(), "source", nil).Import(path)
	if err != nil {
		t.Fatal(err)
	}
	// Types are named by the package's name, which is the same for both.
	byName := func(p *types.Package) string { return p.Name() }
	var decls []string
	for _, name := range pkg.Scope().Names() {
		obj := pkg.Scope().Lookup(name)
		if !obj.Exported() {
			continue
		}
		decl := types.ObjectString(obj, byName)
		switch obj := obj.(type) {
		case *types.Const:
			decl += " = " + obj.Val().String()
		case *types.TypeName:
			decl = "type " + name + " " + visible(obj.Type().Underlying(), byName)
			decls = append(decls, methods(obj.Type(), byName)...)
		}
		decls = append(decls, decl)
	}
	return decls
}

// visible describes a type as a user of the package sees it.
func visible(typ types.Type, q types.Qualifier) string {
	s, ok := typ.(*types.Struct)
	if !ok {
		return types.TypeString(typ, q)
	}
	var fields []string
	for f := range s.Fields() {
		if f.Exported() {
			fields = append(fields, types.ObjectString(f, q))
		}
	}
	return fmt.Sprintf("struct{%s}", strings.Join(fields, "; "))
}

// methods lists the exported methods of a type and of pointers to it.
func methods(typ types.Type, q types.Qualifier) []string {
	var decls []string
	for _, typ := range []types.Type{typ, types.NewPointer(typ)} {
		for method := range types.NewMethodSet(typ).Methods() {
			if method.Obj().Exported() {
				decls = append(decls, types.SelectionString(method, q))
			}
		}
	}
	return decls
}
