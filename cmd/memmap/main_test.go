package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/memmap-go/memmap/conformance"
	"github.com/memmap-go/memmap/conformance/library"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) {
	library.WorkerMain() // TestExpectationCounts starts workers
	os.Exit(m.Run())
}

// runCommand runs a command line.
func runCommand(t *testing.T, runners []runnerKind, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, stdio{in: strings.NewReader(""), out: &out, err: &errs}, runners)
	return code, out.String(), errs.String()
}

// golden compares got with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant %s (go test -update writes it)\n%s", got, file, want)
	}
}

func TestOutput(t *testing.T) {
	fine := []runnerKind{alpha().kind(), beta().kind()}
	tests := []struct {
		name    string
		runners []runnerKind
		args    []string
	}{
		{"tour.golden", fine, []string{"--cases", "testdata/tour.txt"}},
		{"verbose.golden", fine, []string{"--cases", "testdata/tour.txt", "--verbose"}},
		{"json.golden", fine, []string{"--cases", "testdata/tour.txt", "--json"}},
		{"list.golden", fine, []string{"--cases", "testdata/tour.txt", "--cases", "testdata/parts.txt", "--list"}},
		{"case.golden", fine, []string{"--cases", "testdata/tour.txt", "plain", "skipped-here"}},
		{"parts.golden", fine, []string{"--cases", "testdata/parts.txt"}},
		{"broken.golden", []runnerKind{alpha().kind(), brokenBeta().kind()}, []string{"--cases", "testdata/broken.txt"}},
		{"broken-json.golden", []runnerKind{alpha().kind(), brokenBeta().kind()}, []string{"--cases", "testdata/broken.txt", "--json"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, stdout, _ := runCommand(t, tt.runners, append([]string{"tour"}, tt.args...)...)
			golden(t, tt.name, stdout)
		})
	}
}

func TestColour(t *testing.T) {
	var out, errs bytes.Buffer
	run(t.Context(), []string{"tour", "--cases", "testdata/broken.txt"}, stdio{out: &out, err: &errs, colour: true},
		[]runnerKind{alpha().kind(), brokenBeta().kind()})
	golden(t, "colour.golden", out.String())
}

func TestExitStatus(t *testing.T) {
	fine := []runnerKind{alpha().kind(), beta().kind()}
	failing := runnerKind{name: "alpha", start: func() (conformance.Runner, error) { return nil, errors.New("forbidden") }}
	tests := []struct {
		name    string
		runners []runnerKind
		args    string
		code    int
		stderr  string // a part of it
	}{
		{"all agree", fine, "tour --cases testdata/tour.txt", 0, ""},
		{"help", fine, "tour --help", 0, ""},
		{"list", fine, "tour --list", 0, ""},
		{"one runner is enough", []runnerKind{unsupported("alpha"), beta().kind()}, "tour --cases testdata/tour.txt", 0,
			"runner alpha does not work on this system: alpha: unsupported operation"},
		{"a disagreement", fine, "tour --cases testdata/broken.txt", 1, "2 of 4 cases failed"},
		{"a disagreement in JSON", fine, "tour --json --cases testdata/broken.txt", 1, "2 of 4 cases failed"},
		{"not by this runner", fine, "tour --runner alpha --cases testdata/broken.txt", 0, ""},
		{"nothing ran", fine, "tour --cases testdata/never.txt", 1, "no case ran"},
		{"nothing expressed", fine, "tour --runner beta --cases testdata/unsaid.txt", 1, "no case ran"},
		{"no runner", []runnerKind{unsupported("alpha")}, "tour", 1, "no runner works on this system"},
		{"a runner that should start and doesn't", []runnerKind{failing, beta().kind()}, "tour", 1, "start runner alpha"},
		{"unknown command", fine, "detour", 2, `unknown command "detour"`},
		{"unknown flag", fine, "tour --slow", 2, "unknown flag: --slow"},
		{"flags that exclude each other", fine, "tour --json --verbose", 2, "--json writes every step of every case anyway"},
		{"a list of nothing run", fine, "tour --list --verbose", 2, "--list runs nothing"},
		{"a file twice", fine, "tour --cases testdata/tour.txt --cases testdata/tour.txt", 2,
			"testdata/tour.txt:3: second case unmap-middle, the first is at testdata/tour.txt:3"},
		{"standard input that is empty", fine, "tour --cases -", 2, "stdin:1: the file is empty"},
		{"unknown runner", fine, "tour --runner gamma", 2, `unknown runner "gamma", there are: alpha, beta`},
		{"unknown case", fine, "tour no-such-case", 2, "no section or case \"no-such-case\""},
		{"unknown section", fine, "tour 49.13", 2, "49.10 The MAP_FIXED Flag"},
		{"missing file", fine, "tour --cases testdata/missing.txt", 2, "missing.txt"},
		{"directory without cases", fine, "tour --cases .", 2, "no case files"},
		{"parse error", fine, "tour --cases testdata/unparsable.txt", 2, `testdata/unparsable.txt:4: unknown operation "frobnicate"`},
		{"parse error in a directory", fine, "tour --cases testdata", 2, "testdata/unparsable.txt:4: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, _, stderr := runCommand(t, tt.runners, strings.Fields(tt.args)...)
			if code != tt.code {
				t.Errorf("exit status: got %d, want %d", code, tt.code)
			}
			if !strings.Contains(stderr, tt.stderr) || tt.stderr == "" && stderr != "" {
				t.Errorf("standard error: got %q, want %q", stderr, tt.stderr)
			}
		})
	}
}

// TestExpectationCounts gives the real runners a case, right at first, then with one wrong expectation.
func TestExpectationCounts(t *testing.T) {
	const text = "section: test\ncase test: test\nm = mmap 0 2p r private|anon - 0\nmunmap m 1p\nload m+1p -> 0\nload m -> "
	tests := []struct {
		want string
		code int
	}{
		{"SEGV_MAPERR", exitOK},
		{"SEGV_ACCERR", exitDisagree},
		{"0", exitDisagree},
	}
	for _, kind := range allRunners() {
		if _, err := kind.start(); errors.Is(err, errors.ErrUnsupported) {
			t.Logf("%s: %v", kind.name, err)
			continue
		}
		for _, tt := range tests {
			file := filepath.Join(t.TempDir(), "test.txt")
			if err := os.WriteFile(file, []byte(text+tt.want+"\n"), 0o666); err != nil {
				t.Fatal(err)
			}
			code, stdout, stderr := runCommand(t, []runnerKind{kind}, "tour", "--cases", file)
			if code != tt.code {
				t.Errorf("%s, expecting %s: got exit status %d, want %d\n%s%s", kind.name, tt.want, code, tt.code, stdout, stderr)
			}
		}
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	var out, errs bytes.Buffer
	code := run(ctx, []string{"tour", "--cases", "testdata/tour.txt"}, stdio{out: &out, err: &errs}, []runnerKind{alpha().kind()})
	if want := "memmap: stopped in case unmap-middle: enough\n"; code != exitDisagree || errs.String() != want {
		t.Errorf("got %d, %q, want %d, %q", code, errs.String(), exitDisagree, want)
	}
}

// A fullWriter has no room.
type fullWriter struct{}

var errFull = errors.New("no room")

func (fullWriter) Write([]byte) (int, error) { return 0, errFull }

func TestWriteError(t *testing.T) {
	for _, mode := range []string{"--json", "--list", "--verbose"} {
		var errs bytes.Buffer
		code := run(t.Context(), []string{"tour", mode, "--cases", "testdata/tour.txt"}, stdio{out: fullWriter{}, err: &errs},
			[]runnerKind{alpha().kind()})
		if code != exitDisagree || !strings.Contains(errs.String(), errFull.Error()) {
			t.Errorf("%s: got %d, %q, want %d, %q", mode, code, errs.String(), exitDisagree, errFull)
		}
	}
}

// TestBrokenPipe writes to a pipe that nobody reads any more.
func TestBrokenPipe(t *testing.T) {
	if exitPipe == exitDisagree {
		t.Skip("no such pipes here")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"--json", "--list", "--verbose", "--help"} {
		var errs bytes.Buffer
		code := run(t.Context(), []string{"tour", mode, "--cases", "testdata/tour.txt"}, stdio{out: w, err: &errs},
			[]runnerKind{alpha().kind()})
		if code != exitPipe || errs.Len() > 0 {
			t.Errorf("%s: got %d, %q, want %d and no word", mode, code, errs.String(), exitPipe)
		}
	}
}

func TestStandardInput(t *testing.T) {
	in, err := os.Open("testdata/tour.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"tour", "--cases", "-", "--json", "plain"}, stdio{in: in, out: &out, err: &errs},
		[]runnerKind{alpha().kind()})
	if code != exitOK || !strings.Contains(out.String(), `"file":"stdin","line":15`) {
		t.Errorf("got %d, %s%s", code, out.String(), errs.String())
	}
}

func TestWantsColour(t *testing.T) {
	device, err := os.Open(os.DevNull) // a character device, as terminals are
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tests := []struct {
		name string
		file *os.File
		env  map[string]string
		want bool
	}{
		{"terminal", device, nil, true},
		{"NO_COLOR", device, map[string]string{"NO_COLOR": "1"}, false},
		{"empty NO_COLOR", device, map[string]string{"NO_COLOR": "", "TERM": "xterm"}, true},
		{"dumb terminal", device, map[string]string{"TERM": "dumb"}, false},
		{"file", file, nil, false},
	}
	for _, tt := range tests {
		if got := wantsColour(tt.file, func(k string) string { return tt.env[k] }); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}
