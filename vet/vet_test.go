package vet

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"
)

// TestAnalyzer wants a report at each comment that says so, and no other.
func TestAnalyzer(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), Analyzer, "deadly", "fine")
}

// TestVettool runs the program the way users do, on a module of theirs, and on all
// of this project, where it has to be silent.
func TestVettool(t *testing.T) {
	dir := t.TempDir()
	tool := filepath.Join(dir, "memmapvet")
	run := func(dir, name string, args ...string) (string, error) {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOPROXY=off")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run(".", "go", "build", "-o", tool, "./cmd/memmapvet"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	user := filepath.Join(dir, "user")
	files := map[string]string{
		"go.mod": "module user\n\ngo 1.26.0\n\nrequire github.com/memmap-go/memmap v0.0.0\n\nreplace github.com/memmap-go/memmap => " + root + "\n",
		"main.go": "package main\n\nimport \"github.com/memmap-go/memmap\"\n\nfunc main() {\n" +
			"\tm, _ := memmap.Anonymous(1, nil)\n\tmake(chan byte, 1) <- m.Bytes()[0]\n}\n",
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	files["go.sum"] = string(sums)
	if err := os.Mkdir(user, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(user, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := run(user, "go", "vet", "-mod=mod", "-vettool="+tool, "./...")
	if err == nil || !strings.Contains(out, "main.go:7:24: send reads mapped memory") {
		t.Errorf("a user's program: %v\n%s", err, out)
	}
	if out, err := run(root, "go", "vet", "-vettool="+tool, "./..."); err != nil {
		t.Errorf("this project: %v\n%s", err, out)
	}
}
