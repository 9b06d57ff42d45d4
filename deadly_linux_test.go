package memmap

import (
	"bytes"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/memmap-go/memmap/internal/race"
)

// What no guard can help against: a process dies of it. docs/guard.md says so,
// and what to do instead. These tests are there to notice a release of Go that
// changes it.

// deadly is a case of it. Both functions are given a mapping, and bytes of it that
// can't be accessed any more.
type deadly struct {
	name    string
	message string // what the process says when it dies, or bySend
	kill    func(t *testing.T, m *Mapping, bad []byte)
	wayOut  func(t *testing.T, m *Mapping, bad []byte)
}

const (
	bySend    = "" // inRuntime, but the race detector has the compiler copy the value first
	inRuntime = "fatal error: unexpected signal during runtime execution"
	unguarded = "fatal error: fault"
)

// underGuard is what happens under a guard.
func underGuard(fn func(bad []byte)) func(*testing.T, *Mapping, []byte) {
	return func(t *testing.T, m *Mapping, bad []byte) {
		err := Guard(func() error { fn(bad); return nil }, m)
		t.Logf("Guard: %v", err)
	}
}

// recovers wants that to become an error.
func recovers(fn func(bad []byte)) func(*testing.T, *Mapping, []byte) {
	return func(t *testing.T, m *Mapping, bad []byte) {
		t.Helper()
		wantError(t, Guard(func() error { fn(bad); return nil }, m), "guard", ErrFault)
	}
}

var deadlyCases = []deadly{
	{"send", bySend,
		underGuard(func(bad []byte) { make(chan byte, 1) <- bad[0] }),
		recovers(func(bad []byte) { x := bad[0]; make(chan byte, 1) <- x })},
	{"send to a receiver", bySend,
		underGuard(func(bad []byte) { receiver() <- bad[0] }),
		recovers(func(bad []byte) { x := bad[0]; make(chan byte, 1) <- x })},
	{"send of an array", bySend,
		underGuard(func(bad []byte) { make(chan block, 1) <- *(*block)(bad) }),
		recovers(func(bad []byte) { x := *(*block)(bad); make(chan block, 1) <- x })},
	{"reflect.Value.Send", inRuntime,
		underGuard(func(bad []byte) { reflect.ValueOf(make(chan byte, 1)).Send(reflect.ValueOf(bad).Index(0)) }),
		recovers(func(bad []byte) { reflect.ValueOf(make(chan byte, 1)).Send(reflect.ValueOf(bad[0])) })},
	{"reflect.Select", inRuntime,
		underGuard(func(bad []byte) { reflectSelect(reflect.ValueOf(bad).Index(0)) }),
		recovers(func(bad []byte) { reflectSelect(reflect.ValueOf(bad[0])) })},
	{"print", inRuntime,
		underGuard(func(bad []byte) { println(mappedString(bad)) }),
		recovers(func(bad []byte) { println(string(bad)) })},
	{"atomic.Value in the mapping", inRuntime,
		func(t *testing.T, m *Mapping, _ []byte) {
			clear(m.Bytes()[:pageSize])
			must(t, m.Protect(0, pageSize, Read))
			underGuard(func([]byte) { mappedValue(m.Bytes()).Store(1) })(t, m, nil)
		},
		recovers(func(bad []byte) { mappedWord(bad).Store(1) })},
	{"goroutine", unguarded,
		underGuard(func(bad []byte) { onFreshStack(func() { touched = bad[0] }) }),
		func(t *testing.T, m *Mapping, bad []byte) {
			onFreshStack(func() { recovers(func(bad []byte) { touched = bad[0] })(t, m, bad) })
		}},
	{"timer", unguarded,
		underGuard(func(bad []byte) { onTimer(func() { touched = bad[0] }) }),
		func(t *testing.T, m *Mapping, bad []byte) {
			onTimer(func() { recovers(func(bad []byte) { touched = bad[0] })(t, m, bad) })
		}},
	{"panic value that lies in the mapping", unguarded,
		func(t *testing.T, m *Mapping, bad []byte) {
			value := wantPanic(t, func() { underGuard(func(bad []byte) { panic(mappedString(bad)) })(t, m, bad) })
			touched = value.(string)[0]
		},
		recovers(func(bad []byte) { panic(strings.Clone(mappedString(bad))) })},
	{"map store with a key that lies in the mapping", "fatal error: concurrent map writes",
		func(t *testing.T, m *Mapping, bad []byte) {
			names := mapWithMappedKey(t, func(key []byte) string { return mappedString(key) })
			wantError(t, names.guard(func() { names.of["a name"] = 2 }), "guard", ErrFault)
			names.of["another"] = 3
		},
		func(t *testing.T, m *Mapping, bad []byte) {
			names := mapWithMappedKey(t, func(key []byte) string { return string(key) })
			if err := names.guard(func() { names.of["a name"] = 2 }); err != nil {
				t.Error(err)
			}
			names.of["another"] = 3
		}},
	{"map delete with a key that lies in the mapping", "fatal error: concurrent map",
		func(t *testing.T, m *Mapping, bad []byte) {
			names := mapWithMappedKey(t, func(key []byte) string { return mappedString(key) })
			wantError(t, names.guard(func() { delete(names.of, "a name") }), "guard", ErrFault)
			names.of["another"] = 3
		},
		func(t *testing.T, m *Mapping, bad []byte) {
			names := mapWithMappedKey(t, func(key []byte) string { return string(key) })
			if err := names.guard(func() { delete(names.of, "a name") }); err != nil {
				t.Error(err)
			}
			names.of["another"] = 3
		}},
	{"map store with a key read in place", "fatal error: concurrent map writes",
		func(t *testing.T, m *Mapping, _ []byte) {
			key, counts := edgeKey(t, m), make(map[spacedKey]int)
			wantError(t, Guard(func() error { counts[*key] = 1; return nil }, m), "guard", ErrFault)
			counts[spacedKey{}] = 2
		},
		func(t *testing.T, m *Mapping, _ []byte) {
			key, counts := edgeKey(t, m), make(map[spacedKey]int)
			wantError(t, Guard(func() error { k := *key; counts[k] = 1; return nil }, m), "guard", ErrFault)
			counts[spacedKey{}] = 2
		}},
	{"map used later that has keys in the mapping", unguarded,
		func(t *testing.T, m *Mapping, bad []byte) {
			names := mapWithMappedKey(t, func(key []byte) string { return mappedString(key) })
			touched = byte(names.of["a name"])
		},
		func(t *testing.T, m *Mapping, bad []byte) {
			names := mapWithMappedKey(t, func(key []byte) string { return string(key) })
			if got := names.of["a name"]; got != 1 {
				t.Errorf("got %d, want 1", got)
			}
		}},
}

// receiver returns a channel at which a goroutine waits.
func receiver() chan<- byte {
	ch := make(chan byte)
	go func() { touched = <-ch }()
	time.Sleep(10 * time.Millisecond)
	return ch
}

func reflectSelect(v reflect.Value) {
	ch := reflect.MakeChan(reflect.ChanOf(reflect.BothDir, v.Type()), 1)
	reflect.Select([]reflect.SelectCase{{Dir: reflect.SelectSend, Chan: ch, Send: v}})
}

func onTimer(fn func()) {
	done := make(chan struct{})
	time.AfterFunc(0, func() { fn(); close(done) })
	<-done
}

// spacedKey is a key of which a map looks at the first field, and then copies all.
// With other types this happens, too, if the page gets lost between the two.
type spacedKey struct {
	ID uint64
	_  [shortest]byte
}

// edgeKey returns a key of which only the first field can be accessed.
func edgeKey(t *testing.T, m *Mapping) *spacedKey {
	t.Helper()
	key, err := Pointer[spacedKey](m, pageSize-8)
	must(t, err)
	return key
}

// namesMap is a map whose key "a name" was made of bytes that can't be accessed
// any more.
type namesMap struct {
	of map[string]int
	m  *Mapping
}

func mapWithMappedKey(t *testing.T, key func([]byte) string) namesMap {
	t.Helper()
	m := mustMap(t)(Anonymous(pageSize, nil))
	n := copy(m.Bytes(), "a name")
	names := namesMap{map[string]int{key(m.Bytes()[:n]): 1}, m}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return names
}

func (n namesMap) guard(fn func()) error {
	return Guard(func() error { fn(); return nil }, n.m)
}

func TestDeadly(t *testing.T) {
	needMappings(t)
	for _, tt := range deadlyCases {
		t.Run(tt.name, func(t *testing.T) {
			m := makeTruncated(t, FileConfig{Prot: Read | Write})
			bad := m.Bytes()[pageSize:]
			switch {
			case tt.message != bySend:
				wantDeath(t, tt.message, func() { tt.kill(t, m, bad) })
			case race.Enabled:
				tt.kill(t, m, bad)
			default:
				wantDeath(t, inRuntime, func() { tt.kill(t, m, bad) })
			}
			tt.wayOut(t, m, bad)
		})
	}
}

// wantDeath runs the calling test again, alone, in a process of its own, and wants
// that process to die of fn, saying a message.
func wantDeath(t *testing.T, message string, fn func()) {
	t.Helper()
	const before = "still alive"
	if isChild(t) {
		os.Stderr.WriteString(before)
		fn()
		os.Exit(0)
	}
	out, err := childCommand(t, "-test.timeout=60s").CombinedOutput()
	_, said, started := bytes.Cut(out, []byte(before))
	switch {
	case !started:
		t.Fatalf("the child process has not come so far: %v\n%s", err, out)
	case err == nil:
		t.Errorf("the process lives: this recovers now. docs/guard.md says that it doesn't.\n%s", said)
	case !bytes.Contains(said, []byte(message)):
		t.Errorf("the process said:\n%s\nwant %q", firstLines(said, 20), message)
	}
}

// TestDeadlyC runs a program that has C code touch what can't be accessed.
func TestDeadlyC(t *testing.T) {
	needMappings(t)
	if testing.Short() {
		t.Skip("takes seconds to build")
	}
	program := filepath.Join(t.TempDir(), "program")
	build := exec.Command("go", "build", "-o", program, "./testdata/cgo")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Skipf("no C compiler that works: %v\n%s", err, out)
	}
	out, err := exec.Command(program).CombinedOutput()
	if !bytes.Contains(out, []byte("copied first: memmap: guard")) {
		t.Errorf("the copy got no error:\n%s", firstLines(out, 20))
	}
	if err == nil || !bytes.Contains(out, []byte("signal arrived during cgo execution")) {
		t.Errorf("the process said (%v):\n%s\nwant it to die of C code", err, firstLines(out, 20))
	}
}

// TestGuardSignals wants no other handling of signals to come in between.
func TestGuardSignals(t *testing.T) {
	needMappings(t)
	if !inChild(t) {
		return
	}
	m := makeTruncated(t, FileConfig{})
	bad := m.Bytes()[pageSize:]
	fault := recovers(func(bad []byte) { touched = bad[0] })
	signal.Notify(make(chan os.Signal, 1))
	fault(t, m, bad)
	signal.Ignore(syscall.SIGSEGV, syscall.SIGBUS)
	fault(t, m, bad)
}

// TestGuardDoc wants docs/guard.md to have a line for everything that is tested
// here, and to name no test that there isn't.
func TestGuardDoc(t *testing.T) {
	text, err := os.ReadFile("docs/guard.md")
	must(t, err)
	cells := strings.FieldsFunc(string(text), func(r rune) bool { return strings.ContainsRune("|,(\n", r) })
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	listed := func(name string) {
		// The names of some have the characters by which cells are told apart.
		if !slices.Contains(cells, name) && !strings.Contains(string(text), " "+name+", ") {
			t.Errorf("docs/guard.md has no line for %q", name)
		}
	}
	for _, w := range works {
		listed(w.name)
	}
	for _, d := range deadlyCases {
		listed(d.name)
	}
	sources, err := filepath.Glob("*_test.go")
	must(t, err)
	var all []byte
	for _, name := range sources {
		all = append(all, contents(t, name)...)
	}
	for _, name := range regexp.MustCompile(`Test[A-Z]\w+`).FindAllString(string(text), -1) {
		if !bytes.Contains(all, []byte("func "+name+"(")) {
			t.Errorf("docs/guard.md names %s, which there isn't", name)
		}
	}
}
