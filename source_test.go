package memmap

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestSource keeps what is dangerous where a reader expects it: package unsafe
// in files that say so, and x/sys in internal/sys.
func TestSource(t *testing.T) {
	files := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		files++
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if why := misplaced(name, path); why != "" {
				t.Errorf("%s imports %s: %s", path, name, why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Errorf("only %d files were looked at", files)
	}
}

// misplaced says why a file must not import a package, or nothing.
func misplaced(imported, path string) string {
	dir := filepath.ToSlash(filepath.Dir(path))
	base := strings.TrimSuffix(filepath.Base(path), "_test.go")
	base = strings.TrimSuffix(base, ".go")
	switch {
	case imported == "unsafe" && !strings.HasSuffix(base, "_unsafe"):
		return "only files named *_unsafe.go may"
	case strings.HasPrefix(imported, "golang.org/x/sys") && dir != "internal/sys" && dir != "bench":
		return "only internal/sys may, and bench, a module of its own"
	case imported == "github.com/spf13/cobra" && !strings.HasPrefix(dir, "cmd/"):
		return "only the command may"
	}
	return ""
}

func TestMisplaced(t *testing.T) {
	tests := []struct {
		imported, path string
		bad            bool
	}{
		{"unsafe", "typed_unsafe.go", false},
		{"unsafe", "typed_unsafe_test.go", false},
		{"unsafe", "mapping.go", true},
		{"golang.org/x/sys/unix", "internal/sys/sys_linux.go", false},
		{"golang.org/x/sys/unix", "bench/env.go", false},
		{"golang.org/x/sys/unix", "mapping.go", true},
		{"github.com/spf13/cobra", "cmd/memmap/main.go", false},
		{"github.com/spf13/cobra", "mapping.go", true},
	}
	for _, tt := range tests {
		if got := misplaced(tt.imported, tt.path) != ""; got != tt.bad {
			t.Errorf("misplaced(%q, %q) = %v, want %v", tt.imported, tt.path, got, tt.bad)
		}
	}
}
