package difftest

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	_ "github.com/dgraph-io/ristretto/v2/z" // what the programs below import
)

// others are the packages of which docs/migration.md has calls, by section, and what
// m, r and b are in theirs. Of gommap the module proxy has no version.
var others = map[string]struct {
	path, vars string
}{
	"github.com/edsrzf/mmap-go":           {"github.com/edsrzf/mmap-go", "var m mmap.MMap"},
	"golang.org/x/exp/mmap":               {"golang.org/x/exp/mmap", "var r *mmap.ReaderAt"},
	"golang.org/x/sys/unix, and syscall":  {"golang.org/x/sys/unix", "var addr unsafe.Pointer"},
	"github.com/dgraph-io/ristretto/v2/z": {"github.com/dgraph-io/ristretto/v2/z", "var m *z.MmapFile"},
	"github.com/tysonmote/gommap":         {},
}

// TestMigration compiles the calls in the first columns of docs/migration.md.
func TestMigration(t *testing.T) {
	text, err := os.ReadFile("../../docs/migration.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `([^`]+)`")
	for _, section := range strings.Split(string(text), "\n## ") {
		heading, body, _ := strings.Cut(section, "\n")
		calls := row.FindAllStringSubmatch(body, -1)
		if len(calls) == 0 {
			continue
		}
		other, known := others[heading]
		if !known {
			t.Errorf("%q has a table, but what of?", heading)
		}
		if other.path == "" {
			continue
		}
		program := fmt.Sprintf(`package main

import (
	"os"
	"unsafe"

	%q
)

var (
	f            *os.File
	name         string
	p, b         []byte
	i, n, lo, hi int
	off          int64
	_            unsafe.Pointer
)

%s

func main() {}
`, other.path, other.vars)
		for _, call := range calls {
			program += "\nfunc _() {\n" + statement(t, strings.ReplaceAll(call[1], `\|`, "|")) + "\n}\n"
		}
		t.Run(heading, func(t *testing.T) { build(t, program) })
	}
}

// statement makes a statement of an expression that isn't one.
func statement(t *testing.T, call string) string {
	t.Helper()
	expr, err := parser.ParseExpr(call)
	if err != nil {
		t.Fatalf("%s: %v", call, err)
	}
	if _, isCall := expr.(*ast.CallExpr); isCall {
		return call
	}
	return "_ = " + call
}

// build has the go command build a program as if it lay in this module.
func build(t *testing.T, program string) {
	t.Helper()
	dir := t.TempDir()
	source, overlay := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json")
	here, err := filepath.Abs("migration")
	if err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(here, "main.go"): source}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, source, program)
	write(t, overlay, string(replace))
	out, err := exec.Command("go", "build", "-o", os.DevNull, "-overlay", overlay, "./migration").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
