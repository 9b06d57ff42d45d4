package docs

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// scope declares what the calls in the documents are about.
const scope = `package main

import (
	"context"
	"fmt"
	"hash/crc32"
	"os"

	"github.com/memmap-go/memmap"
)

var (
	ctx             context.Context
	f               *os.File
	name            string
	m               *memmap.Mapping
	region          *memmap.Region
	p               []byte
	i, n, lo, hi    int
	off, at, maxLen int64
	addr            uintptr
)

func main() {}
`

// TestMigration compiles what the documents show: the calls in the second columns of
// their tables, and the blocks of code.
func TestMigration(t *testing.T) {
	if runtime.GOOS == "js" {
		t.Skip("no processes here")
	}
	text := read(t, "migration.md")
	var calls []string
	for _, row := range rows(text) {
		calls = append(calls, statement(t, row[1]))
	}
	if n := strings.Count(text, "\n| `"); len(calls) != n || n == 0 {
		t.Errorf("%d rows were understood, of %d", len(calls), n)
	}
	for _, block := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(text, -1) {
		calls = append(calls, block[1])
	}
	program := scope
	for _, call := range calls {
		program += "\nfunc _() error {\n" + call + "\nreturn nil\n}\n"
	}
	build(t, program)
}

// TestLinks looks for what the documents link to.
func TestLinks(t *testing.T) {
	links := regexp.MustCompile(`\]\(([^)#:, ]+)\)`).FindAllStringSubmatch(read(t, "migration.md"), -1)
	if len(links) == 0 {
		t.Error("no links found")
	}
	for _, link := range links {
		if _, err := os.Stat(link[1]); err != nil {
			t.Error(err)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rows returns the calls in the first two columns of all tables.
func rows(text string) [][2]string {
	row := regexp.MustCompile("(?m)^\\| `([^`]+)`[^`|]* \\| `([^`]+)`[^`|]* \\|")
	var all [][2]string
	for _, r := range row.FindAllStringSubmatch(strings.ReplaceAll(text, `\|`, "\x00"), -1) {
		all = append(all, [2]string{strings.ReplaceAll(r[1], "\x00", "|"), strings.ReplaceAll(r[2], "\x00", "|")})
	}
	return all
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

// build has the go command build a program as if it lay in this folder.
func build(t *testing.T, program string) {
	t.Helper()
	dir := t.TempDir()
	here, err := filepath.Abs("migration")
	if err != nil {
		t.Fatal(err)
	}
	source, overlay := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(here, "main.go"): source}})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{source: []byte(program), overlay: replace} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("go", "build", "-o", os.DevNull, "-overlay", overlay, "./migration").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s\n%s", err, out, numbered(program))
	}
}

func numbered(text string) string {
	var b strings.Builder
	for i, line := range strings.Split(text, "\n") {
		fmt.Fprintf(&b, "%3d  %s\n", i+1, line)
	}
	return b.String()
}
