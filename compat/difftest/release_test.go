package difftest

import (
	"archive/zip"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	mainModule = "github.com/memmap-go/memmap"
	adapter    = mainModule + "/compat/mmap-go"
	version    = "v0.1.0"
)

// consumer is a program that uses mmap-go, from the path that is given.
const consumer = `package main

import (
	"fmt"

	"%s"
)

func main() {
	m, err := mmap.MapRegion(nil, 4096, mmap.RDWR, mmap.ANON, 0)
	if err != nil {
		panic(err)
	}
	fmt.Println(m.Unmap(), m.Unmap())
}
`

// TestRelease releases both modules to a module proxy in a folder, and builds
// programs that use the adapter in the ways that its documentation shows.
func TestRelease(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	proxy := t.TempDir()
	release(t, proxy, mainModule, root, nil)
	release(t, proxy, adapter, filepath.Join(root, "compat/mmap-go"), func(mod string) string {
		return strings.Replace(mod, mainModule+" v0.0.0", mainModule+" "+version, 1)
	})
	const original = "github.com/edsrzf/mmap-go"
	local := "replace " + original + " => " + filepath.Join(root, "compat/mmap-go") + "\n"
	tests := []struct {
		name, imported, mod string
		fails               string // what the go command says
	}{
		{"import path", adapter, "require " + adapter + " " + version + "\n", ""},
		{"replace by a version", original, "require " + original + " v1.2.0\n" +
			"replace " + original + " => " + adapter + " " + version + "\n", ""},
		{"replace by a version, older original", original, "require " + original + " v1.0.0\n" +
			"replace " + original + " => " + adapter + " " + version + "\n", ""},
		{"replace by a checkout", original, "require " + original + " v1.2.0\n" + local +
			"replace " + mainModule + " => " + root + "\n", ""},
		{"replace by a checkout alone", original, "require " + original + " v1.2.0\n" + local,
			mainModule + "@v0.0.0"},
		{"both ways at once", original, "require " + original + " v1.2.0\n" +
			"require " + adapter + " " + version + "\n" +
			"replace " + original + " => " + adapter + " " + version + "\n", "used for two different module paths"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := run(t, proxy, tt.mod, fmt.Sprintf(consumer, tt.imported))
			switch {
			case tt.fails != "" && (err == nil || !strings.Contains(out, tt.fails)):
				t.Errorf("got error %v, want one with %q\n%s", err, tt.fails, out)
			case tt.fails == "" && (err != nil || !strings.Contains(out, "<nil> memmap: unmap")):
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// run builds and runs a program in a module of its own.
func run(t *testing.T, proxy, mod, program string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module consumer\n\ngo 1.26.0\n\n"+mod)
	write(t, filepath.Join(dir, "main.go"), program)
	env, err := exec.Command("go", "env", "GOMODCACHE", "GOPROXY").Output()
	if err != nil {
		t.Fatal(err)
	}
	cache, next, _ := strings.Cut(strings.TrimSpace(string(env)), "\n")
	cmd := exec.Command("go", "run", "-mod=mod", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOSUMDB=off", "GONOPROXY=none", "GOFLAGS=-modcacherw", "GOWORK=off",
		"GOMODCACHE="+t.TempDir(),
		"GOPROXY=file://"+proxy+",file://"+cache+"/cache/download,"+next)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// release puts a module in a folder that the go command takes for a proxy. edit
// changes its go.mod, as a release does.
func release(t *testing.T, proxy, module, dir string, edit func(mod string) string) {
	t.Helper()
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edited := edit(string(mod))
		if edited == string(mod) {
			t.Fatalf("%s: nothing to edit in go.mod", module)
		}
		mod = []byte(edited)
	}
	to := filepath.Join(proxy, module, "@v")
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(to, "list"), version+"\n")
	write(t, filepath.Join(to, version+".info"), `{"Version": "`+version+`"}`)
	write(t, filepath.Join(to, version+".mod"), string(mod))
	f, err := os.Create(filepath.Join(to, version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := zipModule(f, module+"@"+version, dir, mod); err != nil {
		t.Fatal(err)
	}
}

// zipModule writes the files of a module, but not those of modules inside it.
func zipModule(f *os.File, prefix, dir string, mod []byte) error {
	z := zip.NewWriter(f)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(dir, path)
		if err != nil || relErr != nil {
			return err
		}
		if d.IsDir() {
			_, err := os.Stat(filepath.Join(path, "go.mod"))
			if rel != "." && (err == nil || d.Name() == ".git") {
				return fs.SkipDir
			}
			return nil
		}
		content := mod
		if rel != "go.mod" {
			if content, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		w, err := z.Create(prefix + "/" + filepath.ToSlash(rel))
		if err == nil {
			_, err = w.Write(content)
		}
		return err
	})
	if err != nil {
		return err
	}
	return z.Close()
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
