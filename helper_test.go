package memmap

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/memmap-go/memmap/internal/sys"
)

// What tests have in common.

// pageSize is sys.PageSize as offsets and lengths use it.
var pageSize = int64(sys.PageSize)

// needMappings skips a test on systems that only read files.
func needMappings(t testing.TB) {
	t.Helper()
	if !sys.CanMap {
		t.Skip("this system has no mappings")
	}
}

// needLinux skips a test of what only Linux has.
func needLinux(t testing.TB) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("Linux only")
	}
}

// needAddresses skips a test of mappings longer than a process can have here.
func needAddresses(t testing.TB, n int64) {
	t.Helper()
	if n > maxLen-int64(Huge1G) {
		t.Skipf("%d bytes are more than there are addresses", n)
	}
}

// pattern returns n bytes of which any few neighbours tell where they lie.
func pattern(n int64) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = patternAt(int64(i))
	}
	return b
}

// patternAt is byte i of every pattern: the high byte of a multiplicative hash.
func patternAt(i int64) byte { return byte(uint32(i+1) * 2654435761 >> 24) }

// makePath makes a file with the given content, in a folder of the test's, and
// returns its name.
func makePath(t testing.TB, content []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// makeFile makes a file with the given content, opened for reading and writing
// until the test ends.
func makeFile(t testing.TB, content []byte) *os.File {
	t.Helper()
	return openFile(t, makePath(t, content), os.O_RDWR)
}

// openFile opens a file until the test ends. The test may close it earlier.
func openFile(t testing.TB, name string, flag int) *os.File {
	t.Helper()
	f, err := os.OpenFile(name, flag, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return f
}

// must ends the test if an operation that should work doesn't.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// contents reads a file anew, by its name.
func contents(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// mustMap takes the results of a call that makes a mapping, as in
//
//	m := mustMap(t)(Open(name, nil))
//
// A failure ends the test. The mapping is closed when the test ends, unless the
// test has done so.
func mustMap(t testing.TB) func(*Mapping, error) *Mapping {
	return func(m *Mapping, err error) *Mapping {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := m.Close(); err != nil && !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
		})
		return m
	}
}

// wantBytes compares bytes, and names the first that differs.
func wantBytes(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	if len(got) != len(want) {
		t.Errorf("%s: got %d bytes, want %d", what, len(got), len(want))
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s: byte %d is %#x, want %#x", what, i, got[i], want[i])
			return
		}
	}
}

// wantError checks that an error is an *Error of the given operation, and has all
// the given causes. It returns it.
func wantError(t testing.TB, err error, op string, causes ...error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v (%T), want an *Error of %q", err, err, op)
	}
	if e.Op != op {
		t.Errorf("got Op %q, want %q: %v", e.Op, op, err)
	}
	for _, cause := range causes {
		if !errors.Is(err, cause) {
			t.Errorf("got error %q, want one that is %q", err, cause)
		}
	}
	return e
}

// faults reports whether a raw read of the byte at p[i] is a fault.
func faults(p []byte, i int) (yes bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if _, isFault := faultAddr(recover()); isFault {
			yes = true
		}
	}()
	touched = p[i]
	return false
}

// touched keeps the compiler from leaving out a read.
var touched byte

const childVariable = "MEMMAP_TEST_CHILD"

// inChild runs the calling test again, alone, in a process of its own, and
// reports whether this is that process. For tests that spoil the process they
// run in:
//
//	if !inChild(t) {
//		return
//	}
//
// The process gets the given variables besides.
func inChild(t *testing.T, env ...string) bool {
	t.Helper()
	if isChild(t) {
		return true
	}
	child := childCommand(t, "-storm="+stormTime.String(), "-test.timeout="+(time.Minute+*stormTime).String())
	child.Env = append(child.Env, env...)
	out, err := child.CombinedOutput()
	switch {
	case err != nil:
		t.Errorf("child process: %v\n%s", err, out)
	case bytes.Contains(out, []byte("--- SKIP")):
		t.Skipf("child process: %s", out)
	case !bytes.Contains(out, []byte("--- PASS: "+t.Name())):
		t.Errorf("child process ran no such test:\n%s", out)
	}
	return false
}

// isChild reports whether this is the process that was started for the calling
// test.
func isChild(t *testing.T) bool { return os.Getenv(childVariable) == t.Name() }

// childCommand is the calling test in a process of its own.
func childCommand(t *testing.T, args ...string) *exec.Cmd {
	run := "^" + strings.ReplaceAll(regexp.QuoteMeta(t.Name()), "/", "$/^") + "$"
	cmd := exec.Command(os.Args[0], append(args, "-test.run="+run, "-test.v")...)
	// The race detector would wait a second before it ends the process.
	cmd.Env = append(os.Environ(), childVariable+"="+t.Name(), "GORACE=atexit_sleep_ms=0",
		"TMPDIR="+t.TempDir()) // a process that dies leaves files
	return cmd
}

// firstLines cuts what a dying process says of all its goroutines.
func firstLines(text []byte, n int) string {
	lines := bytes.SplitAfter(text, []byte("\n"))
	return string(bytes.Join(lines[:min(n, len(lines))], nil))
}
