package memmap

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// TestReadme compiles every program in README.md, and looks for every file and
// folder that it links to.
func TestReadme(t *testing.T) {
	if runtime.GOOS == "js" {
		t.Skip("no processes here")
	}
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(string(text), -1) {
		if _, err := os.Stat(link[1]); err != nil {
			t.Errorf("link: %v", err)
		}
	}
	programs := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(programs) == 0 {
		t.Fatal("no programs found")
	}
	for i, p := range programs {
		t.Run(fmt.Sprint(i), func(t *testing.T) { buildProgram(t, p[1]) })
	}
}

// buildProgram has the go command build a program as if it lay in this module.
// What isn't a whole program stands for the body of a function.
func buildProgram(t *testing.T, text string) {
	if !strings.HasPrefix(text, "package ") {
		text = "package main\n\nimport \"github.com/memmap-go/memmap\"\n\nfunc main() {\n" + text + "\n}\n"
	}
	dir := t.TempDir()
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "main.go")
	overlay, err := json.Marshal(map[string]any{
		"Replace": map[string]string{filepath.Join(root, "internal", "readme", "main.go"): program},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{program: []byte(text), filepath.Join(dir, "overlay.json"): overlay} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("go", "build", "-o", os.DevNull, "-overlay", filepath.Join(dir, "overlay.json"), "./internal/readme").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s\n%s", err, out, text)
	}
}
