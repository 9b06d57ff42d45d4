// Mutate breaks package memmap in one place at a time and looks whether the
// conformance suite or the tests notice.
//
//	go run ./internal/mutate [-n N] [-seed S] [-run SUBSTRING]
//
// It prints for each mutation by what it was caught, and ends with exit code 1
// if one was not. Nothing is written into the source tree: the go command reads
// the broken file through an overlay.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// judges are the test runs that must notice, in this order. The suite comes
// first: it is there to judge the library.
var judges = []struct {
	name string
	args []string
}{
	{"conformance suite", []string{"./conformance/library"}},
	{"tests", []string{"."}},
}

func main() {
	n := flag.Int("n", 0, "how many mutations to try, chosen at random (0: all)")
	seed := flag.Uint64("seed", rand.Uint64(), "seed of the choice")
	run := flag.String("run", "", "only mutations whose file or description contains this")
	flag.Parse()
	fmt.Printf("seed %d\n", *seed)
	survived, err := try(choose(*n, *seed, *run))
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(2)
	}
	if survived > 0 {
		os.Exit(1)
	}
}

// choose returns n mutations at random, of those that match.
func choose(n int, seed uint64, match string) []mutation {
	var chosen []mutation
	for _, m := range mutations {
		if strings.Contains(m.file+" "+m.what, match) {
			chosen = append(chosen, m)
		}
	}
	r := rand.New(rand.NewPCG(seed, 0))
	r.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	if n > 0 && n < len(chosen) {
		chosen = chosen[:n]
	}
	return chosen
}

// try runs the judges on each mutation and returns how many survived them.
func try(chosen []mutation) (survived int, err error) {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := unbroken(dir); err != nil {
		return 0, err
	}
	for _, m := range chosen {
		overlay, err := m.write(dir)
		if err != nil {
			return survived, err
		}
		caught, err := judge(overlay)
		if err != nil {
			return survived, fmt.Errorf("%s: %s: %w", m.file, m.what, err)
		}
		if caught == "" {
			survived++
			caught = "NOTHING"
		}
		fmt.Printf("%-14s %-55s caught by %s\n", m.file, m.what, caught)
	}
	fmt.Printf("%d passed, %d failed\n", len(chosen)-survived, survived)
	return survived, nil
}

// unbroken makes sure that the judges are content with what is there: those who
// never are catch everything, and prove nothing.
func unbroken(dir string) error {
	overlay := filepath.Join(dir, "none.json")
	if err := os.WriteFile(overlay, []byte("{}"), 0o600); err != nil {
		return err
	}
	caught, err := judge(overlay)
	if err == nil && caught != "" {
		err = fmt.Errorf("before anything is broken: %s", caught)
	}
	return err
}

// judge returns the name of the first judge that notices.
func judge(overlay string) (string, error) {
	// What doesn't compile would be caught by everyone, and prove nothing.
	if out, err := goCommand("vet", overlay, "-unsafeptr=false", "."); err != nil {
		return "", fmt.Errorf("doesn't compile: %s", out)
	}
	for _, j := range judges {
		out, err := goCommand("test", overlay, append([]string{"-short", "-failfast", "-timeout=120s"}, j.args...)...)
		if err != nil {
			return j.name + firstFailure(out), nil
		}
	}
	return "", nil
}

func goCommand(verb, overlay string, args ...string) ([]byte, error) {
	return exec.Command("go", append([]string{verb, "-overlay=" + overlay}, args...)...).CombinedOutput()
}

// firstFailure returns the name of the innermost test that failed.
func firstFailure(out []byte) string {
	name := ""
	for line := range strings.Lines(string(out)) {
		failed, ok := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: ")
		if ok && strings.Count(failed, "/") >= strings.Count(name, "/") {
			name = ": " + strings.Fields(failed)[0]
		}
	}
	return name
}

// mutation is one way to break a file.
type mutation struct {
	file    string
	what    string // what is broken
	old     string // stands exactly once in the file
	changed string
}

// write writes the broken file and the overlay that puts it in place, and
// returns the name of the latter.
func (m mutation) write(dir string) (string, error) {
	text, err := m.apply(".")
	if err != nil {
		return "", err
	}
	original, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	broken := filepath.Join(dir, m.file)
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: broken}})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, errors.Join(os.WriteFile(broken, []byte(text), 0o600), os.WriteFile(name, overlay, 0o600))
}

// apply returns the broken text of the file, which lies in root.
func (m mutation) apply(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		return "", fmt.Errorf("%s: %q stands there %d times, and should once", m.file, m.old, n)
	}
	return strings.Replace(string(text), m.old, m.changed, 1), nil
}
